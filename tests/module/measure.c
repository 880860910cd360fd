/* What the border costs: microseconds of one VerifyRequest with twenty callbacks, by tables and by
 * name, and of the same twenty questions without a border. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

enum { ROUNDS = 100000 };

static double now_us(void)
{
    return (double)chy_monotonic(&chy_system_clock);
}

static double bare(struct engine *e)
{
    struct fake_request r;
    chy_variant date = {.vt = CHY_VT_DATE};
    fake_request_init(&r, e);
    double start = now_us();
    for (int k = 0; k < ROUNDS; k++) {
        for (int n = 0; n < 18; n++) {
            chy_variant v = {.vt = CHY_VT_EMPTY};
            (void)fake_ops.get_request_property(&r, CHY_ASKER_POLICY, "RequestID",
                                                CHY_PROPTYPE_LONG, &v);
            chy_variant_clear(&v);
        }
        (void)fake_ops.set_certificate_property(&r, "NotAfter", CHY_PROPTYPE_DATE, &date);
    }
    return (now_us() - start) / ROUNDS;
}

static double through(struct engine *e, const char *class_name)
{
    struct chy_modules *ms = engine_modules(e, PROBES, 5000);
    struct chy_instance *i = NULL;
    struct chy_err err = {0};
    struct fake_request r;
    chy_hresult status;
    bool abandoned;
    if (chy_policy_open(ms, "probe", class_name, CHY_BINDING_AUTO, &i, &err) != CHY_S_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    fake_request_init(&r, e);
    double start = now_us();
    for (int k = 0; k < ROUNDS; k++) {
        if (chy_policy_verify(i, "quick", &r, true, &status, &abandoned, &err) != CHY_VERDICT_ISSUE)
            exit(1);
    }
    double spent = (now_us() - start) / ROUNDS;
    chy_instance_free(i);
    chy_modules_free(ms);
    return spent;
}

int main(void)
{
    struct engine e;
    engine_init(&e);
    e.quiet = true;
    double without = bare(&e), direct = through(&e, "Probe.Policy"),
           late = through(&e, "ProbeLate.Policy");
    printf("us per VerifyRequest with 20 callbacks: %.2f direct, %.2f by name, %.2f without a "
           "border; overhead %.2f direct, %.2f by name\n",
           direct, late, without, direct - without, late - without);
    engine_fini(&e);
    return 0;
}
