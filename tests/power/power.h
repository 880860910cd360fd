/* An engine on a disk that loses its power: what was acknowledged, and the audit afterwards. */
#ifndef TEST_POWER_POWER_H
#define TEST_POWER_POWER_H

#include "cut_vfs.h"
#include "unit/ca/engine.h"

/* One request as it must be found again: acknowledged, or seen in the database after a cut. */
struct known {
    bool is_known, is_new; /* is_new: its id was given since the last audit */
    bool found, delivered;
    int32_t disposition;
    uint8_t serial[20];
    uint8_t *cert;
    size_t cert_n;
};

struct intended { /* an intent that the cut left behind */
    int32_t id;
    uint8_t *tbs;
    size_t tbs_n;
};

struct power {
    struct engine e;
    struct cut_disk *disk;
    char db[160], journal[160];
    bool may_fail; /* a request may end with disposition ERROR */
    uint64_t seed, random;
    unsigned round;
    pthread_mutex_t lock;
    struct known *known; /* by id; under the lock while clients run */
    size_t n_known;
    int32_t floor; /* no id up to here may be given again */
    int setting_acknowledged, setting_tried;
    struct intended *intended;
    size_t n_intended;
    char trouble[512];  /* what a client saw go wrong: the first; under the lock */
    unsigned long span; /* writes that one load takes */
    unsigned long acknowledged, issued, settled, owed, cut_in_load, cut_twice;
};

/* Ends the test; says the seed and the round, and keeps the disk for nobody. */
#define POWER_FAIL(p, ...) power_fail(p, __VA_ARGS__)
void power_fail(const struct power *p, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* Called from clients: the first is kept, and fails the round when they have ended. */
void power_trouble(struct power *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An engine with the default policy and an exit module that writes a journal, closed and saved. */
void power_make(struct power *p, const char *disposition, bool small_pages);
void power_end(struct power *p);
/* Back to the first day: nothing issued, nothing known. */
void power_forget(struct power *p);

/* An answer of the engine with status S_OK. is_first: the id was given for it. */
void power_acknowledged(struct power *p, const struct answer *a, bool is_first);

/* Before the engine opens: the intents that recovery brings back join those not yet settled. */
void power_look(struct power *p);
/* While the engine is open and quiet: everything that was promised. */
void power_audit(struct power *p);
/* Nothing is owed any more, and every certificate went through the exit module. */
void power_audit_delivered(struct power *p);

#endif
