/* A small SMTP server for the tests of a mailing module: no TLS, a thread for each connection.
 * A recipient that begins with "nobody" is refused for good, with "later" for now, with "policy" by
 * a policy; a sender that begins with "stranger" is refused. */
#ifndef TESTS_MODULES_SMTP_SINK_H
#define TESTS_MODULES_SMTP_SINK_H

#include <stdbool.h>
#include <stddef.h>

struct sink_mail {
    char from[300], to[300];
    char data[60000]; /* as it came over the wire, but without the dots in front of dots */
};

void sink_start(void);
void sink_stop(void); /* the port stays: nobody listens there */
int sink_port(void);
size_t sink_count(void);
const struct sink_mail *sink_mail(size_t i);
/* False: there are fewer after so many seconds. */
bool sink_wait(size_t count, int seconds);
void sink_forget(void);
/* What to answer to the end of the data; NULL: it is taken. */
void sink_refuse_data(const char *answer);

#endif
