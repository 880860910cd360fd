/* The webhook exit module against a real web server (tests/integ/receiver.py): what is posted, what
 * each answer means, whom it trusts, and its settings. */
#include "host.h"

#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[64];
static pid_t server;
static FILE *told;
static int keep_alive; /* the server ends when this is closed */
static int plain, https, mtls, wrong_name, stranger;
static struct fake_request *rq;

static int resolver_hangs, resolvers; /* those that hang now */

/* In place of the C library's, as far as the module is concerned. */
CHY_MODULE_EXPORT int getaddrinfo(const char *node, const char *service,
                                  const struct addrinfo *hints, struct addrinfo **out)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *found = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &found, sizeof real);
    if (!__atomic_load_n(&resolver_hangs, __ATOMIC_ACQUIRE)) return real(node, service, hints, out);
    __atomic_add_fetch(&resolvers, 1, __ATOMIC_ACQ_REL);
    for (int i = 0; i < 3000 && __atomic_load_n(&resolver_hangs, __ATOMIC_ACQUIRE); i++)
        usleep(10000);
    __atomic_sub_fetch(&resolvers, 1, __ATOMIC_ACQ_REL);
    return EAI_AGAIN;
}

static void start_server(void)
{
    int in[2], out[2];
    assert_int_equal(pipe(in) | pipe(out), 0);
    server = fork();
    assert_true(server >= 0);
    if (server == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execlp("python3", "python3", "-B", TEST_TREE "/integ/receiver.py", folder, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    keep_alive = in[1];
    told = fdopen(out[0], "r");
    assert_non_null(told);
    setvbuf(told, NULL, _IONBF, 0);
    char ports[100];
    if (!fgets(ports, sizeof ports, told) ||
        sscanf(ports, "%d %d %d %d %d", &plain, &https, &mtls, &wrong_name, &stranger) != 5)
        fail_msg("the receiver did not start");
}

static int start(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/exit-webhook-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    start_server();
    return 0;
}

static int end(void **state)
{
    (void)state;
    close(keep_alive);
    fclose(told);
    waitpid(server, NULL, 0);
    return fake_remove(folder);
}

static void set_file(const char *setting, const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    fake_set_text(setting, path);
}

static void set_url(const char *scheme, int port, const char *path)
{
    char url[200];
    snprintf(url, sizeof url, "%s://localhost:%d/%s", scheme, port, path);
    fake_set_text("URL", url);
}

static int reset(void **state)
{
    (void)state;
    fake_reset();
    fake_unset("RequestDisposition");
    rq = &fake.request[0];
    fake_property(rq, "RawCertificate", "certificate", 11);
    fake_property(rq, "SerialNumber", "00ab12", 6);
    fake_property(rq, "EventID", "event-1", 7);
    fake_property(rq, "RequesterName", "a \"b\"\n\xff", 7);
    fake_cn(rq, "a.test");
    set_url("https", https, "status-200");
    set_file("CACertFile", "ca.pem");
    return 0;
}

/* The words of the line that the server printed for the last request; more: none. */
struct line {
    char path[64], signature[16], next[16], id[64], attempt[16], bearer[16], client[32];
    int connection;
    char type[64], tenant[64], body[8000];
};

static bool one_line(struct line *l)
{
    static char text[9000];
    *l = (struct line){.connection = 0};
    struct pollfd p = {.fd = fileno(told), .events = POLLIN};
    if (poll(&p, 1, 0) != 1 || !fgets(text, sizeof text, told)) return false;
    int n = sscanf(text, "%63s %15s %15s %63s %15s %15s %31s %d %63s %63s %7999[^\n]", l->path,
                   l->signature, l->next, l->id, l->attempt, l->bearer, l->client, &l->connection,
                   l->type, l->tenant, l->body);
    if (n != 11) fail_msg("%d: %s", n, text);
    return true;
}

static struct line last(void)
{
    struct line l, more;
    if (!one_line(&l)) fail_msg("the receiver got nothing: %s", fake.log);
    if (one_line(&more)) fail_msg("the receiver got more than one: %s", more.body);
    return l;
}

static void nothing_came(void)
{
    struct line l;
    if (one_line(&l)) fail_msg("the receiver got %s", l.body);
}

static chy_hresult initialize(chy_long *mask)
{
    chy_object o = fake_create("exit-webhook", "ExitWebhook.Exit");
    chy_hresult hr = fake_exit_table(&o)->initialize(o.self, "c", mask);
    fake_exit_table(&o)->release(o.self);
    return hr;
}

static chy_object module(void)
{
    chy_long mask;
    chy_object o = fake_create("exit-webhook", "ExitWebhook.Exit");
    if (fake_exit_table(&o)->initialize(o.self, "c", &mask) != CHY_S_OK) fail_msg("%s", fake.log);
    return o;
}

static chy_hresult notify(chy_long event, chy_long context)
{
    chy_object o = module();
    chy_hresult hr = fake_exit_table(&o)->notify(o.self, event, context);
    fake_exit_table(&o)->release(o.self);
    return hr;
}

#define issued() notify(CHY_EXITEVENT_CERTISSUED, 1)
#define taken() assert_int_equal(issued(), CHY_S_OK)

static void json(void **state)
{
    (void)state;
    taken();
    struct line l = last();
    assert_string_equal(l.path, "/status-200");
    assert_string_equal(l.id, "event-1");
    assert_string_equal(l.type, "application/json");
    assert_string_equal(l.signature, "unsigned");
    assert_string_equal(
        l.body,
        "{\"id\":\"event-1\",\"event\":\"certissued\",\"time\":\"2024-10-04T00:00:00Z\","
        "\"ca\":{},\"request\":{\"request_id\":10,\"disposition\":\"unknown\","
        "\"disposition_code\":0,\"status\":0,\"submitted_when\":\"2024-10-04T00:00:00Z\","
        "\"resolved_when\":\"2024-10-04T00:00:00Z\",\"requester_name\":\"a \\\"b\\\"\\u000a\xef\xbf"
        "\xbd\"},\"certificate\":{\"serial\":\"00ab12\",\"common_name\":\"a.test\","
        "\"not_before\":\"2024-10-04T00:00:00Z\",\"not_after\":\"2025-10-03T23:59:59Z\","
        "\"revoked_when\":\"2024-10-04T00:00:00Z\",\"revoked_effective_when\":"
        "\"2024-10-04T00:00:00Z\",\"revoked_reason\":0,"
        "\"sha256\":\"03d66dd08835c1ca3f128cceacd1f31ac94163096b20f445ae84285bc0832d72\","
        "\"pem\":\"-----BEGIN CERTIFICATE-----\\u000aY2VydGlmaWNhdGU=\\u000a-----END "
        "CERTIFICATE-----\\u000a\"}}");
    fake_set_text("IncludeCertificate", "der");
    taken();
    assert_non_null(strstr(last().body, "\"der\":\"Y2VydGlmaWNhdGU=\"}}"));
    fake_set_text("IncludeCertificate", "none");
    taken();
    l = last();
    assert_null(strstr(l.body, "Y2Vy"));
    assert_null(strstr(l.body, "attributes"));
}

static void signed_with_the_secret(void **state)
{
    (void)state;
    set_file("SecretFile", "secret");
    taken();
    struct line l = last();
    assert_string_equal(l.signature, "signed");
    assert_string_equal(l.next, "-");
    char both[300];
    snprintf(both, sizeof both, "%s/secret,%s/other", folder, folder);
    fake_set_list("SecretFile", both);
    taken();
    l = last();
    assert_string_equal(l.signature, "signed");
    assert_string_equal(l.next, "next");
    set_file("SecretFile", "other");
    taken();
    l = last();
    assert_string_equal(l.signature, "unsigned");
    assert_string_equal(l.next, "next");
}

static void rename_in_folder(const char *from, const char *to)
{
    char a[200], b[200];
    snprintf(a, sizeof a, "%s/%s", folder, from);
    snprintf(b, sizeof b, "%s/%s", folder, to);
    assert_int_equal(rename(a, b), 0);
}

/* No secret, no post: an event never goes out unsigned. */
static void a_secret_that_went_away(void **state)
{
    (void)state;
    set_file("SecretFile", "secret");
    chy_object o = module();
    rename_in_folder("secret", "away");
    chy_hresult hr = fake_exit_table(&o)->notify(o.self, CHY_EXITEVENT_CERTISSUED, 1);
    rename_in_folder("away", "secret");
    assert_int_equal(hr, CHY_E_ACCESSDENIED);
    assert_non_null(strstr(fake.log, "SecretFile or BearerFile names a file that is not there"));
    nothing_came();
    hr = fake_exit_table(&o)->notify(o.self, CHY_EXITEVENT_CERTISSUED, 1);
    fake_exit_table(&o)->release(o.self);
    assert_int_equal(hr, CHY_S_OK);
    assert_string_equal(last().signature, "signed");
}

static void who_sends(void **state)
{
    (void)state;
    set_file("BearerFile", "token");
    fake_set_list("Headers", "X-Tenant: blue,X-Other:  two words");
    taken();
    struct line l = last();
    assert_string_equal(l.bearer, "True");
    assert_string_equal(l.tenant, "blue");
    assert_string_equal(l.client, "-");
    assert_null(strstr(fake.log, "token.of"));
    set_url("https", mtls, "status-200");
    assert_true(CHY_FAILED(issued()));
    nothing_came();
    set_file("ClientCertFile", "client.pem");
    set_file("ClientKeyFile", "client.key");
    taken();
    assert_string_equal(last().client, "the_client");
}

static void certificates_that_are_refused(void **state)
{
    (void)state;
    set_url("https", stranger, "status-200");
    assert_int_equal(issued(), CHY_ERROR_SERVICE_NOT_ACTIVE);
    assert_non_null(strstr(fake.log, "exit-webhook: certissued event-1: localhost: SSL cert"));
    set_url("https", wrong_name, "status-200");
    assert_int_equal(issued(), CHY_ERROR_SERVICE_NOT_ACTIVE);
    assert_non_null(strstr(fake.log, "no alternative certificate subject name matches"));
    set_url("https", https, "status-200");
    fake_unset("CACertFile"); /* the system's CAs do not know it */
    assert_int_equal(issued(), CHY_ERROR_SERVICE_NOT_ACTIVE);
    set_url("https", plain, "status-200");
    assert_int_equal(issued(), CHY_ERROR_SERVICE_NOT_ACTIVE);
    nothing_came();
}

static chy_hresult answer_of(const char *path)
{
    struct line l;
    set_url("https", https, path);
    fake.log[0] = 0;
    chy_hresult hr = issued();
    while (one_line(&l)) {
    }
    return hr;
}

static void what_an_answer_means(void **state)
{
    (void)state;
    static const char *const taken_as[] = {"status-200", "status-201", "status-202",
                                           "status-204", "big",        "status-200?a=b"};
    static const char *const later[] = {"status-408", "status-425", "status-429", "status-500",
                                        "status-502", "status-503", "status-599"};
    static const char *const refused[] = {"status-400", "status-401", "status-404", "status-410",
                                          "status-413", "status-304", "redirect",   "status-308"};
    for (size_t i = 0; i < sizeof taken_as / sizeof taken_as[0]; i++)
        assert_int_equal(answer_of(taken_as[i]), CHY_S_OK);
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
        if (answer_of(later[i]) != CHY_ERROR_BUSY) fail_msg("%s: %s", later[i], fake.log);
    assert_non_null(strstr(fake.log, "it answered 599\n"));
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (answer_of(refused[i]) != CHY_ERROR_INVALID_DATA)
            fail_msg("%s: %s", refused[i], fake.log);
    assert_null(strstr(fake.log, "words of the server"));
    fake_set_text("Refused", "drop");
    assert_int_equal(answer_of("status-410"), CHY_S_OK);
    assert_non_null(strstr(fake.log, "refused, and dropped"));
    assert_int_equal(answer_of("status-500"), CHY_ERROR_BUSY);
    assert_int_equal(answer_of("redirect"), CHY_ERROR_INVALID_DATA);
}

static void what_is_no_answer(void **state)
{
    (void)state;
    static const char *const kinds[] = {"text", "old",     "zeros", "status",
                                        "half", "nothing", "head"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "garbage-%s", kinds[i]);
        if (answer_of(path) != CHY_ERROR_SERVICE_NOT_ACTIVE) fail_msg("%s: %s", path, fake.log);
        assert_non_null(strstr(fake.log, "exit-webhook: certissued event-1: localhost: "));
    }
}

static double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void a_slow_server(void **state)
{
    (void)state;
    double from = clock_now();
    fake_set_long("Timeout", 1);
    assert_int_equal(answer_of("slow"), CHY_ERROR_TIMEOUT);
    assert_int_equal(answer_of("trickle"), CHY_S_OK);
    fake_set_long("Timeout", 300);
    fake.time_left = 2000; /* the call's own end comes first */
    assert_int_equal(answer_of("slow"), CHY_ERROR_TIMEOUT);
    assert_true(clock_now() - from < 25);
    fake.time_left = 900;
    assert_int_equal(answer_of("status-200"), CHY_ERROR_TIMEOUT);
    nothing_came();
}

/* A resolver that does not answer is not waited for beyond the call. */
static void a_resolver_that_hangs(void **state)
{
    (void)state;
    fake_set_text("URL", "https://slow.example.test/");
    fake_set_long("Timeout", 1);
    __atomic_store_n(&resolver_hangs, 1, __ATOMIC_RELEASE);
    double from = clock_now();
    chy_hresult hr = issued();
    double took = clock_now() - from;
    bool hung = __atomic_load_n(&resolvers, __ATOMIC_ACQUIRE) > 0;
    __atomic_store_n(&resolver_hangs, 0, __ATOMIC_RELEASE);
    while (__atomic_load_n(&resolvers, __ATOMIC_ACQUIRE))
        usleep(10000);
    assert_int_equal(hr, CHY_ERROR_TIMEOUT);
    assert_true(hung && took < 20);
}

static size_t lines(void)
{
    struct line l;
    size_t n = 0;
    while (one_line(&l))
        n++;
    return n;
}

static void the_server_says_when(void **state)
{
    (void)state;
    double from = clock_now();
    set_url("https", https, "after-2-429-1");
    fake.time_left = 60000;
    taken();
    assert_true(clock_now() - from >= 2);
    assert_int_equal(lines(), 3);
    set_url("https", https, "after-2-503-30");
    fake.time_left = 20000;
    from = clock_now();
    assert_int_equal(issued(), CHY_ERROR_BUSY);
    assert_true(clock_now() - from < 15);
    assert_int_equal(lines(), 1);
    set_url("https", https, "after-1-500-1"); /* not an answer that speaks of later */
    assert_int_equal(issued(), CHY_ERROR_BUSY);
    assert_int_equal(lines(), 1);
    taken();
    assert_int_equal(lines(), 1);
}

static void one_connection_for_many_events(void **state)
{
    (void)state;
    chy_object o = module();
    int first = 0;
    for (int i = 0; i < 5; i++) {
        chy_hresult hr = fake_exit_table(&o)->notify(o.self, CHY_EXITEVENT_CERTISSUED, 1);
        assert_int_equal(hr, CHY_S_OK);
        struct line l = last();
        if (!i) first = l.connection;
        assert_int_equal(l.connection, first);
    }
    fake_exit_table(&o)->release(o.self);
}

static void events_that_are_asked_for(void **state)
{
    (void)state;
    chy_long mask = 0;
    assert_int_equal(initialize(&mask), CHY_S_OK);
    assert_int_equal(mask, CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CERTPENDING |
                               CHY_EXITEVENT_CERTDENIED | CHY_EXITEVENT_CERTREVOKED |
                               CHY_EXITEVENT_CRLISSUED | CHY_EXITEVENT_CERTIMPORTED);
    fake_set_list("Events", "CertDenied,certunrevoked");
    assert_int_equal(initialize(&mask), CHY_S_OK);
    assert_int_equal(mask, CHY_EXITEVENT_CERTDENIED | CHY_EXITEVENT_CERTREVOKED);
    taken();
    assert_int_equal(notify(CHY_EXITEVENT_CERTREVOKED, 1), CHY_S_OK);
    nothing_came();
    fake_property(rq, "EventName", "certunrevoked", 13);
    assert_int_equal(notify(CHY_EXITEVENT_CERTREVOKED, 1), CHY_S_OK);
    assert_non_null(strstr(last().body, "\"event\":\"certunrevoked\""));
    fake_property(rq, "EventName", "cert\nx", 6);
    assert_int_equal(notify(CHY_EXITEVENT_CERTREVOKED, 1), CHY_E_UNEXPECTED);
    fake.fails = "RequesterName";
    fake.fail_code = CHY_E_HANDLE;
    assert_int_equal(notify(CHY_EXITEVENT_CERTDENIED, 1), CHY_E_UNEXPECTED);
    fake_property(rq, "EventName", NULL, 0);
    assert_int_equal(notify(CHY_EXITEVENT_CERTDENIED, 1), CHY_E_HANDLE);
    nothing_came();
}

static void crls(void **state)
{
    (void)state;
    fake_ca("CertCount", "2");
    fake_ca("CRLState.0", "3");
    fake_ca("CRLShards.0", "1");
    fake_ca("CRLState.1", "4");
    fake_ca("CRLNumber.0.0", "12");
    fake_ca("CRLSize.0.0", "500");
    fake_ca("DeltaCRLNumber.0.0", "13");
    fake_ca("CRLNumber.0.1", "18446744073709551615");
    fake_ca("CRLNumber.1.0", "99");
    fake_ca("SanitizedCAName", "My CA");
    fake_ca("EventID", "crl-7");
    assert_int_equal(notify(CHY_EXITEVENT_CRLISSUED, 0), CHY_S_OK);
    struct line l = last();
    assert_string_equal(l.id, "crl-7");
    assert_string_equal(l.body,
                        "{\"id\":\"crl-7\",\"event\":\"crlissued\",\"ca\":{\"name\":\"My CA\"},"
                        "\"crls\":[{\"kind\":\"base\",\"key_index\":0,\"shard\":0,\"number\":12,"
                        "\"size\":500},{\"kind\":\"delta\",\"key_index\":0,\"shard\":0,"
                        "\"number\":13},{\"kind\":\"base\",\"key_index\":0,\"shard\":1,"
                        "\"number\":18446744073709551615}]}");
}

static void cloud_events(void **state)
{
    (void)state;
    fake_set_text("Format", "cloudevents");
    fake_property(rq, "SanitizedCAName", "My CA", 5);
    fake_property(rq, "MachineDNSName", "ca.test", 7);
    taken();
    struct line l = last();
    assert_string_equal(l.type, "application/cloudevents+json");
    static const char begin[] =
        "{\"specversion\":\"1.0\",\"id\":\"event-1\",\"source\":\"//ca.test/ca/My%20CA\",\"type\":"
        "\"chancery.certissued\",\"subject\":\"00ab12\",\"time\":\"2024-10-04T00:00:00Z\","
        "\"datacontenttype\":\"application/json\",\"data\":{\"id\":\"event-1\",";
    assert_memory_equal(l.body, begin, sizeof begin - 1);
    fake_set_text("Source", "urn:example:ca");
    taken();
    assert_non_null(strstr(last().body, "\"source\":\"urn:example:ca\""));
    fake_set_text("Format", "cloudevents-binary");
    taken();
    l = last();
    assert_string_equal(l.type, "application/json");
    assert_int_equal(strncmp(l.body, "{\"id\":\"event-1\",", 16), 0);
}

static void attributes_when_asked_for(void **state)
{
    (void)state;
    fake_attribute(rq, "CertificateTemplate", "web");
    fake_attribute(rq, "Note", "\"x\"");
    taken();
    assert_null(strstr(last().body, "attributes"));
    fake_set_long("IncludeAttributes", 1);
    taken();
    assert_non_null(strstr(last().body, "\"attributes\":{\"CertificateTemplate\":\"web\","
                                        "\"Note\":\"\\\"x\\\"\"}"));
}

static void plain_http_on_this_host_alone(void **state)
{
    (void)state;
    chy_long mask;
    set_url("http", plain, "status-200");
    assert_int_equal(initialize(&mask), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "setting URL is plain HTTP: use https"));
    fake_set_long("AllowPlain", 1);
    taken();
    assert_string_equal(last().path, "/status-200");
    fake_set_text("URL", "http://192.0.2.1/hook");
    assert_int_equal(initialize(&mask), CHY_E_INVALIDARG);
    fake_set_text("URL", "http://127.evil.example.test/hook");
    assert_int_equal(initialize(&mask), CHY_E_INVALIDARG);
    set_url("http", plain, "status-200");
    set_file("BearerFile", "token");
    assert_int_equal(initialize(&mask), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "BearerFile needs an https URL"));
}

/* What stands in the environment of the daemon is no setting. */
static void the_environment_is_ignored(void **state)
{
    (void)state;
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                        "http_proxy"};
    for (size_t i = 0; i < 5; i++)
        setenv(names[i], "http://127.0.0.1:1", 1);
    setenv("no_proxy", "*", 1);
    taken();
    last();
    fake_set_text("Proxy", "http://127.0.0.1:1"); /* nobody is there */
    assert_int_equal(issued(), CHY_ERROR_SERVICE_NOT_ACTIVE);
    for (size_t i = 0; i < 5; i++)
        unsetenv(names[i]);
    unsetenv("no_proxy");
    nothing_came();
}

static void settings_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *says;
    } t[] = {{"URL", "ftp://localhost/", "is not an https URL"},
             {"URL", "localhost", "is no URL"},
             {"URL", "", "is no URL"},
             {"URL", "https://user@localhost/", "has a user or password"},
             {"URL", "https://:pw@localhost/", "has a user or password"},
             {"URL", "https://localhost/#part", "has a fragment"},
             {"URL", "http://example.test/", "plain HTTP to another host"},
             {"Events", "certissued nothing", "names what is no event"},
             {"Events", "", "names no event"},
             {"Format", "xml", "is none of"},
             {"Source", "two words", "is no URI reference"},
             {"IncludeCertificate", "p7b", "is none of"},
             {"SecretFile", "relative", "is not an absolute path"},
             {"SecretFile", "/nonexistent/file", "names a file that is not there"},
             {"SecretFile", "/a /b /c", "names neither one file nor two"},
             {"BearerFile", "/etc/hostname", "others may read"},
             {"Headers", "no-colon", "without a colon"},
             {"Headers", "X-A:", "without a value"},
             {"Headers", "content-type:text/plain", "sends itself"},
             {"Headers", "Chancery-Signature:t=1", "sends itself"},
             {"Headers", "ce-id:1", "sends itself"},
             {"Headers", "Authorization:Basic", "BearerFile"},
             {"Headers", "X\"A:b", "is no token"},
             {"ClientKeyFile", "/nonexistent/file", "names a file that is not there"},
             {"ClientCertFile", "/nonexistent/file", "need each other"},
             {"CACertFile", "ca.pem", "is not an absolute path"},
             {"Proxy", "http://user:pw@proxy.test/", "has a user in it"},
             {"Proxy", "ftp://proxy.test/", "is none of"},
             {"Refused", "never", "is none of"}};
    chy_long mask;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        reset(state);
        fake_set_text(t[i].name, t[i].value);
        chy_hresult hr = initialize(&mask);
        bool said = strstr(fake.log, t[i].name) && strstr(fake.log, t[i].says);
        if (hr != CHY_E_INVALIDARG || !said)
            fail_msg("%s = %s: 0x%08x %s", t[i].name, t[i].value, (unsigned)hr, fake.log);
    }
    reset(state);
    fake_set_long("Timeout", 0);
    assert_int_equal(initialize(&mask), CHY_E_INVALIDARG);
    reset(state);
    fake_set_list("Headers", "X-Tenant: a\r\nX-Evil: b");
    assert_int_equal(initialize(&mask), CHY_E_INVALIDARG);
    reset(state);
    fake_unset("URL");
    assert_int_equal(initialize(&mask), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "set URL"));
}

static void weak_secrets(void **state)
{
    (void)state;
    chy_long mask;
    char path[200];
    snprintf(path, sizeof path, "%s/weak", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("fifteen octets!\n", f);
    fclose(f);
    chmod(path, 0600);
    set_file("SecretFile", "weak");
    assert_int_equal(initialize(&mask), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "less than 16 octets"));
    set_file("SecretFile", "ca.pem");
    assert_int_equal(initialize(&mask), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "others may read"));
    f = fopen(path, "w");
    assert_non_null(f);
    fputs("token\r\nX-Evil: 1", f);
    fclose(f);
    set_file("BearerFile", "weak");
    fake_unset("SecretFile");
    assert_int_equal(issued(), CHY_E_ACCESSDENIED);
    nothing_came();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(json, reset),
        cmocka_unit_test_setup(signed_with_the_secret, reset),
        cmocka_unit_test_setup(a_secret_that_went_away, reset),
        cmocka_unit_test_setup(who_sends, reset),
        cmocka_unit_test_setup(certificates_that_are_refused, reset),
        cmocka_unit_test_setup(what_an_answer_means, reset),
        cmocka_unit_test_setup(what_is_no_answer, reset),
        cmocka_unit_test_setup(a_slow_server, reset),
        cmocka_unit_test_setup(a_resolver_that_hangs, reset),
        cmocka_unit_test_setup(the_server_says_when, reset),
        cmocka_unit_test_setup(one_connection_for_many_events, reset),
        cmocka_unit_test_setup(events_that_are_asked_for, reset),
        cmocka_unit_test_setup(crls, reset),
        cmocka_unit_test_setup(cloud_events, reset),
        cmocka_unit_test_setup(attributes_when_asked_for, reset),
        cmocka_unit_test_setup(plain_http_on_this_host_alone, reset),
        cmocka_unit_test_setup(the_environment_is_ignored, reset),
        cmocka_unit_test_setup(settings_that_are_refused, reset),
        cmocka_unit_test_setup(weak_secrets, reset),
    };
    return cmocka_run_group_tests(tests, start, end);
}
