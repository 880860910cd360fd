/* What the tests of the mailing exit module share: one module, one folder, one server. */
#ifndef TESTS_MODULES_MAIL_CASE_H
#define TESTS_MODULES_MAIL_CASE_H

#include "host.h"
#include "smtp_sink.h"

extern char folder[64];         /* of the test's own */
extern struct fake_request *rq; /* whom the events are about */

int reset(void **state);
int tidy(void **state);
void set_property(const char *name, const char *value);
chy_object start(void);
chy_hresult tell(const chy_object *o, chy_long event);
void end(const chy_object *o);
chy_hresult notify(chy_long event);
chy_hresult refresh(const chy_object *o);
const char *header(const struct sink_mail *m, const char *name);
const char *body(const struct sink_mail *m);
void assert_lines_are_lawful(const struct sink_mail *m);
bool refused(const char *say);
bool refused_as(chy_hresult as, const char *say);

#define T(f) cmocka_unit_test_setup_teardown(f, reset, tidy)

#endif
