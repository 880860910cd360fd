/* Time of one VerifyRequest of tls-server, callbacks of the small host included. As a test it runs
 * briefly; "modules_bench_policy 200000" measures. */
#include "host.h"

#include <time.h>

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void arrange(struct fake_request *r)
{
    fake_attribute(r, "CertificateTemplate", "tls-server");
    fake_cn(r, "www.example.test");
    fake_san(r, FROM_REQUEST, "dns:www.example.test dns:example.test ip4:192.0.2.1");
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    chy_long answer = 0;
    fake_reset();
    struct fake_request *r = &fake.request[0];
    arrange(r);
    chy_object o = fake_create("policy-default", "PolicyDefault.Policy");
    const chy_policy_vtbl *p = fake_policy_table(&o);
    if (p->initialize(o.self, "c") != CHY_S_OK) return 1;
    double start = now_us();
    for (long i = 0; i < rounds; i++) {
        r->ext[0].flags = FROM_REQUEST;
        if (p->verify_request(o.self, "c", 1, 1, 0, &answer) != CHY_S_OK || answer != 1) return 1;
    }
    printf("VerifyRequest tls-server: %.2f us\n", (now_us() - start) / (double)rounds);
    p->release(o.self);
    return 0;
}
