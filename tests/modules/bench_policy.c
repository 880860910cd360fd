/* CPU time of one VerifyRequest of tls-server, callbacks of the small host included: of
 * policy-default alone, in a chain of one, and in a chain with policy-rules and 20 rules behind it.
 * As a test it runs briefly; "modules_bench_policy 200000" measures. */
#include "host.h"

#include <time.h>

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void arrange(void)
{
    struct fake_request *r = &fake.request[0];
    fake_reset();
    fake_set_long("policy-default/RequestDisposition", CHY_REQDISP_ISSUE);
    fake_attribute(r, "CertificateTemplate", "tls-server");
    fake_property(r, "RequesterName", "anna", 4);
    fake_cn(r, "www.example.test");
    fake_san(r, FROM_REQUEST, "dns:www.example.test dns:example.test ip4:192.0.2.1");
}

/* Twenty rules, as they stand behind one another in practice. */
static void twenty_rules(void)
{
    static const struct {
        const char *name, *list;
        chy_long number;
    } t[] = {
        {"*/San/dns/Allow", "*.example.test,example.test,re:(web|mail)[0-9]{2}\\.corp\\.test", 0},
        {"*/San/dns/Deny", "localhost*,*.internal.example.test", 0},
        {"*/San/dns/MaxLength", NULL, 100},
        {"*/San/ip/Allow", "192.0.2.0/24,10.0.0.0/8,2001:db8::/32", 0},
        {"*/San/ip/Deny", "10.0.0.1", 0},
        {"*/San/MaxCount", NULL, 10},
        {"*/San/OnlyListed", NULL, 1},
        {"*/Subject/CommonName/Allow", "*.example.test", 0},
        {"*/Subject/CommonName/MaxLength", NULL, 64},
        {"*/Subject/Organization/MaxCount", NULL, 0},
        {"*/Subject/OnlyListed", NULL, 1},
        {"*/Names/Deny", "*bank*,*paypal*,127.0.0.0/8", 0},
        {"*/Requester/Deny", "guest,nobody", 0},
        {"*/Key/Allow", "rsa2048+,p256+", 0},
        {"*/Key/MaxRsaBits", NULL, 4096},
        {"*/Eku/Allow", "1.3.6.1.5.5.7.3.1,1.3.6.1.5.5.7.3.2", 0},
        {"tls-server/Eku/Require", "1.3.6.1.5.5.7.3.1", 0},
        {"tls-server/San/MinCount", NULL, 1},
        {"tls-server/Validity/MaxDays", NULL, 60},
        {"tls-server/San/dns/MinCount", NULL, 1}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char name[96];
        snprintf(name, sizeof name, "policy-rules/Rules/%s", t[i].name);
        if (t[i].list)
            fake_set_list(name, t[i].list);
        else
            fake_set_long(name, t[i].number);
    }
}

static double measure(const char *module, const char *class_name, long rounds)
{
    struct fake_request *r = &fake.request[0];
    chy_long answer = 0;
    chy_object o = fake_create(module, class_name);
    const chy_policy_vtbl *p = fake_policy_table(&o);
    if (p->initialize(o.self, "c") != CHY_S_OK) fail_msg("%s", fake.log);
    double start = now_us();
    for (long i = 0; i < rounds; i++) {
        r->ext[0].flags = FROM_REQUEST;
        r->not_after = r->not_before + 365 * FAKE_DAY;
        chy_hresult hr = p->verify_request(o.self, "c", 1, 1, 0, &answer);
        if (hr != CHY_S_OK || answer != CHY_VR_INSTANT_OK)
            fail_msg("%s: %d %d %s", module, (int)hr, (int)answer, r->message);
    }
    double spent = (now_us() - start) / (double)rounds;
    p->release(o.self);
    return spent;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    arrange();
    double alone = measure("policy-default", "PolicyDefault.Policy", rounds);
    fake_set_list("Modules", "policy-default");
    double one = measure("policy-chain", "PolicyChain.Policy", rounds);
    fake_set_list("Modules", "policy-default,policy-rules");
    twenty_rules();
    double both = measure("policy-chain", "PolicyChain.Policy", rounds);
    printf("VerifyRequest tls-server: policy-default %.2f us; chain of it %.2f us; chain with "
           "policy-rules, 20 rules %.2f us (%.2f times)\n",
           alone, one, both, both / alone);
    return 0;
}
