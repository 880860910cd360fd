/* The directory publisher without a directory: its settings, and the names and filters that it
 * would ask for, which it tells when nobody answers. */
#include "host.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NOWHERE "ldap://127.0.0.1:1" /* refuses at once */

/* LeakSanitizer falls over what GnuTLS keeps for each thread. */
CHY_MODULE_EXPORT const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
    return "use_tls=0:print_suppressions=0";
}

static int resolver_hangs, resolvers; /* those that hang now */

/* In place of the C library's, as far as the module is concerned. */
CHY_MODULE_EXPORT int getaddrinfo(const char *node, const char *service,
                                  const struct addrinfo *hints, struct addrinfo **out)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *found = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &found, sizeof real);
    bool numeric = hints && (hints->ai_flags & AI_NUMERICHOST);
    if (numeric || !__atomic_load_n(&resolver_hangs, __ATOMIC_ACQUIRE))
        return real(node, service, hints, out);
    __atomic_add_fetch(&resolvers, 1, __ATOMIC_ACQ_REL);
    for (int i = 0; i < 3000 && __atomic_load_n(&resolver_hangs, __ATOMIC_ACQUIRE); i++)
        usleep(10000);
    int rc = real("127.0.0.1", service, hints, out); /* what comes too late is cleared up, too */
    __atomic_sub_fetch(&resolvers, 1, __ATOMIC_ACQ_REL);
    return rc;
}

static char folder[64], secret[100], open_file[100];

static void put(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static int reset(void **state)
{
    (void)state;
    fake_reset();
    fake_unset("RequestDisposition");
    snprintf(folder, sizeof folder, "/tmp/exit-ldap-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(secret, sizeof secret, "%s/secret", folder);
    snprintf(open_file, sizeof open_file, "%s/open", folder);
    put(secret, "password\n", 0600);
    put(open_file, "password\n", 0644);
    fake_ca("CertCount", "1");
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    remove(secret);
    remove(open_file);
    return rmdir(folder);
}

static chy_hresult initialize(void)
{
    chy_long mask = 0;
    chy_hresult hr = fake_exit_initialize("exit-ldap", "ExitLDAP.Exit", &mask);
    if (!CHY_FAILED(hr))
        assert_int_equal(mask, CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CERTREVOKED |
                                   CHY_EXITEVENT_CRLISSUED | CHY_EXITEVENT_CERTIMPORTED);
    return hr;
}

static chy_hresult notify(chy_long event, chy_long context)
{
    return fake_exit_notify("exit-ldap", "ExitLDAP.Exit", event, context);
}

#define issued() notify(CHY_EXITEVENT_CERTISSUED, 1)
#define NO_SERVER CHY_HR(0x8007203au)

static void assert_said(const char *words)
{
    if (!strstr(fake.log, words)) fail_msg("no \"%s\" in: %s", words, fake.log);
}

/* ---- a certificate ---- */

static size_t tlv(uint8_t *out, uint8_t tag, const void *p, size_t n)
{
    size_t head = 2;
    out[0] = tag;
    out[1] = (uint8_t)n;
    if (n > 0x7f) {
        out[1] = 0x82;
        out[2] = (uint8_t)(n >> 8);
        out[3] = (uint8_t)n;
        head = 4;
    }
    memcpy(out + head, p, n);
    return head + n;
}

static size_t make_name(uint8_t *out, const char *cn)
{
    uint8_t value[300], part[300], set[300], rdn[300];
    size_t n = 0;
    memcpy(value, "\x06\x03\x55\x04\x03", 5);
    n = 5 + tlv(value + 5, 0x0c, cn, strlen(cn));
    n = tlv(part, 0x30, value, n);
    n = tlv(set, 0x31, part, n);
    memcpy(rdn, set, n);
    return tlv(out, 0x30, rdn, n);
}

/* Version, serial number, algorithm, issuer, validity, subject, key; a CA's has basic constraints.
 */
static size_t make_cert(uint8_t *out, const char *subject, const char *not_after, bool is_ca)
{
    uint8_t tbs[1500], all[1500], times[64];
    size_t n = 0, k;
    n += tlv(tbs + n, 0xa0, "\x02\x01\x02", 3);
    n += tlv(tbs + n, 0x02, "\x01\x02\x03", 3);
    n += tlv(tbs + n, 0x30, "", 0);
    n += make_name(tbs + n, "Issuer");
    k = tlv(times, 0x17, "260101000000Z", 13);
    k += tlv(times + k, strlen(not_after) == 15 ? 0x18 : 0x17, not_after, strlen(not_after));
    n += tlv(tbs + n, 0x30, times, k);
    n += make_name(tbs + n, subject);
    n += tlv(tbs + n, 0x30, "", 0);
    if (is_ca) {
        static const uint8_t ca[] = {0xa3, 0x10, 0x30, 0x0e, 0x30, 0x0c, 0x06, 0x03, 0x55,
                                     0x1d, 0x13, 0x04, 0x05, 0x30, 0x03, 0x01, 0x01, 0xff};
        memcpy(tbs + n, ca, sizeof ca);
        n += sizeof ca;
    }
    k = tlv(all, 0x30, tbs, n);
    k += tlv(all + k, 0x30, "", 0);
    k += tlv(all + k, 0x03, "\0", 1);
    return tlv(out, 0x30, all, k);
}

static void give_cert(const char *cn)
{
    uint8_t cert[2000];
    size_t n = make_cert(cert, "x", "491231235959Z", false);
    fake_property(&fake.request[0], "RawCertificate", cert, n);
    fake_property(&fake.request[0], "CommonName", cn, strlen(cn));
}

static void by_name(const char *pattern)
{
    fake_set_text("URI", NOWHERE);
    fake_set_text("UserDN", pattern);
}

static void by_filter(const char *pattern)
{
    fake_unset("UserDN");
    fake_set_text("URI", NOWHERE);
    fake_set_text("UserSearchBase", "ou=people,dc=test");
    fake_set_text("UserFilter", pattern);
}

/* ---- tests ---- */

static void nothing_is_published_nowhere(void **state)
{
    (void)state;
    assert_int_equal(initialize(), CHY_S_OK);
    assert_said("exit-ldap: no URI, nothing is published");
    fake_set_text("UserDN", "cn=%{CommonName}");
    assert_int_equal(issued(), CHY_S_OK);
    assert_string_equal(fake.log, "");
    fake_unset("UserDN");
    fake_set_text("URI", NOWHERE);
    assert_int_equal(initialize(), CHY_S_OK);
    assert_said("exit-ldap: no UserDN, UserFilter, CADN or CRLDN, nothing is published");
    assert_int_equal(issued(), CHY_S_OK);
}

static void each_bad_setting_is_named(void **state)
{
    (void)state;
    static const char *const t[][3] = {
        {"URI", "http://a", "no LDAP URL"},
        {"URI", "ldap://a/dc=test", "more than scheme, host and port"},
        {"BindDN", "nobody", "is no distinguished name"},
        {"BaseDN", "", NULL},
        {"BaseDN", "dc=a,,dc=b", "is no distinguished name"},
        {"SASLMechanism", "GSSAPI", "is not EXTERNAL"},
        {"PasswordFile", "secret", "absolute path"},
        {"PasswordFile", "/nonexistent", "is not there"},
        {"ClientKeyFile", "/nonexistent", "is not there"},
        {"CACertFile", "/nonexistent", "cannot be read"},
        {"ClientCertFile", "cert.pem", "absolute path"},
        {"Publish", "user,everything", "none of user, ca, crl, delta, arl, cross"},
        {"UserScope", "base", "neither sub nor one"},
        {"MissingUser", "ignore", "neither fail nor skip"},
        {"CrossCertFiles", "a.der", "absolute path"},
        {"UserDN", "%{CommonName}", "no distinguished name"},
        {"UserDN", "cn=x,%{CommonName}", "no distinguished name"},
        {"UserDN", "%{CommonName}=x", "no distinguished name"},
        {"UserDN", "cn=%{CommonName},", "no distinguished name"},
        {"UserDN", "cn=%{Nonsense}", "field that is not known"},
        {"UserDN", "cn=%{attribute:}", "field that is not known"},
        {"UserDN", "cn=%{CommonName", "field that is not known"},
        {"UserDN", "cn=%7", "field that is not known"},
        {"UserDN", "cn=%", "field that is not known"},
        {"UserDN", "cn=%{}", "field that is not known"},
        {"UserDN", "cn=%6", "elsewhere than between commas"},
        {"UserDN", "cn=%{Subject}", "elsewhere than between commas"},
        {"UserDN", "cn=x,%{Subject}+cn=y", "elsewhere than between commas"},
        {"UserFilter", "mail=%{SAN.email}", "no filter in parentheses"},
        {"UserFilter", "(mail=%{SAN.email}", "no filter in parentheses"},
        {"UserFilter", "(mail=x))(a=b)", "no filter in parentheses"},
        {"UserFilter", "(mail=x)(a=b)", "no filter in parentheses"},
        {"UserFilter", "(%{CommonName}=x)", "outside of a value"},
        {"UserFilter", "(&%{CommonName}(a=b))", "outside of a value"},
        {"UserAttributes", "sn", "not NAME=VALUE"},
        {"UserAttributes", "=x", "not NAME=VALUE"},
        {"UserAttributes", "%{CommonName}=x", "in front of the '='"},
        {"CADN", "cn=%{CommonName}", "none of %1"},
        {"CADN", "cn=%5", "none of %1"},
        {"CADN", "cn=x%10", "none of %1"},
        {"CRLDN", "ldap:///cn=%7", "no distinguished name"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        fake_set_text(t[i][0], t[i][1]);
        fake.log[0] = 0;
        chy_hresult hr = initialize();
        if (!t[i][2]) assert_int_equal(hr, CHY_S_OK);
        if (t[i][2] && hr != CHY_E_INVALIDARG) fail_msg("%s %s: %s", t[i][0], t[i][1], fake.log);
        if (t[i][2]) assert_said(t[i][0]);
        if (t[i][2]) assert_said(t[i][2]);
        fake_unset(t[i][0]);
    }
    fake_set_text("PasswordFile", open_file);
    assert_int_equal(initialize(), CHY_E_INVALIDARG);
    assert_said("setting PasswordFile names a file that others may read");
    fake_unset("PasswordFile");
    fake_set_text("ClientKeyFile", open_file);
    assert_int_equal(initialize(), CHY_E_INVALIDARG);
    assert_said("setting ClientKeyFile names a file that others may read");
}

static void numbers_have_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        chy_long good, bad;
    } t[] = {{"Timeout", 300, 301}, {"Timeout", 1, 0},       {"StartTLS", 1, 2},
             {"RequireTLS", 0, -1}, {"RemoveExpired", 1, 7}, {"RemoveRevoked", 0, 2}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        fake_set_long(t[i].name, t[i].good);
        assert_int_equal(initialize(), CHY_S_OK);
        fake_set_long(t[i].name, t[i].bad);
        if (initialize() != CHY_E_INVALIDARG) fail_msg("%s", t[i].name);
        fake_unset(t[i].name);
    }
}

/* A list of settings that do not fit together, "NAME=VALUE", and what is said. */
static void settings_have_to_agree(void **state)
{
    (void)state;
    static const char *const t[][4] = {
        {"Publish=user", NULL, NULL, "neither UserDN nor UserFilter"},
        {"Publish=ca", NULL, NULL, "no CADN"},
        {"Publish=cross", "CRLDN=cn=x", NULL, "no CADN"},
        {"Publish=arl", NULL, NULL, "neither CRLDN nor CADN"},
        {"UserDN=cn=x", "UserFilter=(cn=x)", NULL, "beside UserFilter"},
        {"UserFilter=(cn=x)", NULL, NULL, "UserSearchBase is needed"},
        {"CrossCertFiles=/a", "CADN=cn=x", NULL, "does not name cross"},
        {"CADN=cn=x,%6", NULL, NULL, "BaseDN is needed"},
        {"URI=ldap://a", "StartTLS=0", NULL, "set RequireTLS to 0"},
        {"URI=ldaps://a ldap://b", "StartTLS=0", NULL, "set RequireTLS to 0"},
        {"URI=ldaps://a", "SASLMechanism=EXTERNAL", NULL, "needs a ClientCertFile"},
        {"URI=ldapi://a", "SASLMechanism=EXTERNAL", "BindDN=cn=x", "beside SASLMechanism"},
        {"BindDN=cn=x", NULL, NULL, "PasswordFile is needed"},
        {"URI=ldapi://a", "SASLMechanism=EXTERNAL", NULL, NULL},
        {"URI=ldaps://a", "StartTLS=0", NULL, NULL},
        {"URI=ldap://a", "StartTLS=0", "RequireTLS=0", NULL}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        fake_reset();
        fake_unset("RequestDisposition");
        for (size_t k = 0; k < 3 && t[i][k]; k++) {
            char name[40];
            const char *is = strchr(t[i][k], '=');
            snprintf(name, sizeof name, "%.*s", (int)(is - t[i][k]), t[i][k]);
            if (strstr(name, "TLS"))
                fake_set_long(name, strtol(is + 1, NULL, 10) != 0);
            else
                fake_set_text(name, is + 1);
        }
        chy_hresult hr = initialize();
        if (hr != (t[i][3] ? CHY_E_INVALIDARG : CHY_S_OK)) fail_msg("%zu: %s", i, fake.log);
        if (t[i][3]) assert_said(t[i][3]);
    }
}

static void nothing_ends_a_value_of_a_name(void **state)
{
    (void)state;
    static const char *const t[][2] = {
        {"ann", "cn=ann,ou=people,dc=test"},
        {"ann,ou=admins", "cn=ann\\2Cou\\3Dadmins,ou=people,dc=test"},
        {"a+uid=root", "cn=a\\2Buid\\3Droot,ou=people,dc=test"},
        {"#0401", "cn=\\230401,ou=people,dc=test"},
        {" a b ", "cn=\\20a b\\20,ou=people,dc=test"},
        {"a\\,b", "cn=a\\5C\\2Cb,ou=people,dc=test"},
        {"a\"b;c<d>e", "cn=a\\22b\\3Bc\\3Cd\\3Ee,ou=people,dc=test"},
        {"\xc3\xbc", "cn=\\C3\\BC,ou=people,dc=test"},
        {"\x01\x7f\xff", "cn=\\01\\7F\\FF,ou=people,dc=test"},
        {"%6%{Subject}", "cn=\\256\\25\\7BSubject\\7D,ou=people,dc=test"}};
    by_name("cn=%{CommonName},ou=people,%6");
    fake_set_text("BaseDN", "dc=test");
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char expected[300];
        give_cert(t[i][0]);
        assert_int_equal(issued(), NO_SERVER);
        snprintf(expected, sizeof expected, "exit-ldap: %s: userCertificate;binary: ", t[i][1]);
        assert_said(expected);
    }
}

static void nothing_ends_a_value_of_a_filter(void **state)
{
    (void)state;
    static const char *const t[][2] = {{"ann", "(&(cn=ann)(a=b))"},
                                       {"*", "(&(cn=\\2A)(a=b))"},
                                       {"a)(uid=*", "(&(cn=a\\29\\28uid\\3D\\2A)(a=b))"},
                                       {"\\2a", "(&(cn=\\5C2a)(a=b))"},
                                       {"a\x80", "(&(cn=a\\80)(a=b))"},
                                       {"!|&", "(&(cn=\\21\\7C\\26)(a=b))"}};
    by_filter("(&(cn=%{CommonName})(a=b))");
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char expected[300];
        give_cert(t[i][0]);
        assert_int_equal(issued(), NO_SERVER);
        snprintf(expected, sizeof expected, "exit-ldap: %s below ou=people,dc=test: ", t[i][1]);
        assert_said(expected);
    }
}

static void what_has_no_value_names_nothing(void **state)
{
    (void)state;
    by_name("cn=%{CommonName},dc=test");
    give_cert("");
    assert_int_equal(issued(), CHY_CERTSRV_E_PROPERTY_EMPTY);
    assert_said("%{CommonName} has no value: no certificate is published");
    give_cert("a\nb");
    assert_int_equal(issued(), CHY_CERTSRV_E_PROPERTY_EMPTY);
    assert_said("%{CommonName} has several values");
    char text[1100];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    give_cert(text);
    assert_int_equal(issued(), CHY_CERTSRV_E_PROPERTY_EMPTY);
    assert_said("%{CommonName} is too long");
    fake_property(&fake.request[0], "CommonName", "a\0b", 3);
    assert_int_equal(issued(), CHY_CERTSRV_E_PROPERTY_EMPTY);
    fake_set_text("MissingUser", "skip");
    assert_int_equal(issued(), CHY_S_OK);
    fake.fails = "CommonName";
    fake.fail_code = CHY_E_UNEXPECTED;
    assert_int_equal(issued(), CHY_E_UNEXPECTED); /* that is no want of a value */
}

static void names_come_from_all_over(void **state)
{
    (void)state;
    struct fake_request *r = &fake.request[0];
    give_cert("ann");
    fake_attribute(r, "Desk", "4,2");
    fake_property(r, "RequesterName", "CORP\\ann", 8);
    fake_san(r, CHY_EXTENSION_ORIGIN_POLICY, "dns:a.test email:one@b.test email:two@b.test");
    by_filter("(|(mail=%{SAN.email})(host=%{SAN.dns})(desk=%{attribute:Desk})(id=%{RequestID})"
              "(who=%{RequesterName})(c=%%))");
    assert_int_equal(issued(), NO_SERVER);
    assert_said("(|(mail=one@b.test)(host=a.test)(desk=4\\2C2)(id=10)(who=CORP\\5Cann)(c=%))");
    fake_attribute(r, "Desk", NULL);
    assert_int_equal(issued(), CHY_CERTSRV_E_PROPERTY_EMPTY);
    assert_said("%{attribute:Desk} has no value");
    by_filter("(uri=%{SAN.uri})");
    assert_int_equal(issued(), CHY_CERTSRV_E_PROPERTY_EMPTY);
    static const char *const broken[] = {"",         "30",   "3003820161ff",
                                         "30028205", "0400", "308400000001"};
    by_filter("(host=%{SAN.dns})");
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        fake_set_ext_hex(r, OID_SAN, CHY_EXTENSION_ORIGIN_POLICY, broken[i]);
        chy_hresult hr = issued();
        assert_true(hr == CHY_CERTSRV_E_PROPERTY_EMPTY || hr == NO_SERVER);
    }
}

/* A requester who asks for another's name without getting it gets no place in their entry. */
static void what_was_only_asked_for_names_nobody(void **state)
{
    (void)state;
    static const char *const patterns[] = {"(mail=%{SAN.email})", "(host=%{SAN.dns})",
                                           "(uri=%{SAN.uri})", "(upn=%{UPN})"};
    const char *asked = "email:chief@b.test dns:a.test uri:x://chief upn:chief@b.test";
    give_cert("mallory");
    fake_property(&fake.request[0], "UPN", "chief@b.test", 12);
    fake_san(&fake.request[0], FROM_REQUEST, asked);
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        by_filter(patterns[i]);
        assert_int_equal(issued(), CHY_CERTSRV_E_PROPERTY_EMPTY);
        assert_said("has no value: no certificate is published");
        assert_null(strstr(fake.log, "chief"));
    }
    fake_san(&fake.request[0], CHY_EXTENSION_ORIGIN_POLICY, asked);
    assert_int_equal(issued(), NO_SERVER);
    assert_said("(upn=chief@b.test) below ou=people,dc=test: ");
}

static void a_subject_is_a_name(void **state)
{
    (void)state;
    uint8_t name[300];
    give_cert("ann");
    by_name("%{Subject},%6");
    fake_set_text("BaseDN", "dc=test");
    size_t n = make_name(name, "a,b=\"c\"");
    fake_property(&fake.request[0], "RawName", name, n);
    assert_int_equal(issued(), NO_SERVER);
    assert_said("exit-ldap: CN=a\\2Cb\\3D\\22c\\22,dc=test: ");
    /* A type that no directory has by name, and text of another kind, stand there as octets. */
    static const uint8_t odd[] = {0x30, 0x1f, 0x31, 0x0d, 0x30, 0x0b, 0x06, 0x04, 0x2a, 0x03, 0x81,
                                  0x0c, 0x04, 0x03, 'a',  ',',  'b',  0x31, 0x0e, 0x30, 0x0c, 0x06,
                                  0x03, 0x55, 0x04, 0x0a, 0x1e, 0x05, 0,    'x',  0,    'y',  'z'};
    for (n = 0; n <= sizeof odd; n++) {
        fake_property(&fake.request[0], "RawName", odd, n);
        chy_hresult hr = issued();
        if (n < sizeof odd) assert_int_equal(hr, CHY_CERTSRV_E_PROPERTY_EMPTY);
    }
    assert_said("exit-ldap: O=#1E05007800797A,1.2.3.140=#0403612C62,dc=test: ");
    fake_property(&fake.request[0], "RawName", "\x30\0", 2);
    assert_int_equal(issued(), CHY_CERTSRV_E_PROPERTY_EMPTY);
}

static void what_is_no_certificate_goes_nowhere(void **state)
{
    (void)state;
    uint8_t cert[2000], broken[2000];
    size_t n = make_cert(cert, "x", "20491231235959Z", false);
    by_name("cn=x");
    for (size_t k = 1; k < n; k++) {
        fake_property(&fake.request[0], "RawCertificate", cert, k);
        assert_int_equal(issued(), CHY_ERROR_INVALID_DATA);
    }
    assert_said("RawCertificate is no certificate");
    for (size_t k = 0; k < n; k++) {
        memcpy(broken, cert, n);
        broken[k] ^= 0x85;
        fake_property(&fake.request[0], "RawCertificate", broken, n);
        (void)issued();
    }
    fake_property(&fake.request[0], "RawCertificate", cert, n);
    assert_int_equal(issued(), NO_SERVER);
    n = make_cert(cert, "Below", "20491231235959Z", true);
    fake_property(&fake.request[0], "RawCertificate", cert, n);
    assert_int_equal(issued(), CHY_S_OK); /* a CA is no user */
    fake_set_text("CADN", "cn=ca");
    fake_set_list("Publish", "user,cross");
    assert_int_equal(issued(), NO_SERVER);
    assert_said("exit-ldap: cn=ca: crossCertificatePair;binary: ");
    n = make_cert(cert, "Issuer", "20491231235959Z", true);
    fake_property(&fake.request[0], "RawCertificate", cert, n);
    assert_int_equal(issued(), CHY_S_OK); /* what it issued to itself makes no pair */
    fake_property(&fake.request[0], "RawCertificate", NULL, 0);
    assert_int_equal(issued(), CHY_CERTSRV_E_PROPERTY_EMPTY);
}

static void a_revoked_one_is_not_added(void **state)
{
    (void)state;
    give_cert("ann");
    by_name("cn=%{CommonName}");
    assert_int_equal(notify(CHY_EXITEVENT_CERTREVOKED, 1), CHY_S_OK);
    fake_set_long("RemoveRevoked", 1);
    assert_int_equal(notify(CHY_EXITEVENT_CERTREVOKED, 1), NO_SERVER);
    fake_set_list("UserTemplates", "people");
    assert_int_equal(issued(), CHY_S_OK);
    fake_property(&fake.request[0], "CertificateTemplate", "People", 6);
    assert_int_equal(issued(), NO_SERVER);
}

/* Takes connections and never says a word. */
static int listen_only(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

/* Where nothing is said before the first operation, only that one tells a dead server. */
static void a_silent_server_does_not_hide_the_next(void **state)
{
    (void)state;
    char uris[100];
    chy_long mask;
    int port, fd = listen_only(&port);
    give_cert("ann");
    by_name("cn=%{CommonName}");
    snprintf(uris, sizeof uris, "ldap://127.0.0.1:%d," NOWHERE, port);
    fake_set_list("URI", uris);
    fake_set_long("StartTLS", 0);
    fake_set_long("RequireTLS", 0);
    fake_set_long("Timeout", 1);
    chy_object o = fake_create("exit-ldap", "ExitLDAP.Exit");
    const chy_exit_vtbl *e = fake_exit_table(&o);
    assert_int_equal(e->initialize(o.self, "c", &mask), CHY_S_OK);
    assert_true(CHY_FAILED(e->notify(o.self, CHY_EXITEVENT_CERTISSUED, 1)));
    assert_null(strstr(fake.log, NOWHERE));
    assert_true(CHY_FAILED(e->notify(o.self, CHY_EXITEVENT_CERTISSUED, 1)));
    assert_said(NOWHERE " cannot be used");
    e->release(o.self);
    close(fd);
}

static void nobody_is_waited_for_longer_than_there_is_time(void **state)
{
    (void)state;
    char uri[64];
    struct timespec before, after;
    int port, fd = listen_only(&port);
    give_cert("ann");
    for (int tls = 0; tls < 2; tls++) {
        snprintf(uri, sizeof uri, "%s://127.0.0.1:%d", tls ? "ldaps" : "ldap", port);
        by_name("cn=%{CommonName}");
        fake_set_text("URI", uri);
        fake.time_left = 1200; /* some is spared for the way back */
        clock_gettime(CLOCK_MONOTONIC, &before);
        assert_true(CHY_FAILED(issued()));
        clock_gettime(CLOCK_MONOTONIC, &after);
        assert_in_range(after.tv_sec - before.tv_sec, 0, 5);
        fake.time_left = 100;
        assert_int_equal(issued(), CHY_ERROR_TIMEOUT);
        fake.time_left = 0;
        fake_set_long("Timeout", 1);
        assert_true(CHY_FAILED(issued()));
        fake_unset("Timeout");
    }
    close(fd);
}

static void a_resolver_that_hangs_is_left_behind(void **state)
{
    (void)state;
    struct timespec before, after;
    give_cert("ann");
    by_name("cn=%{CommonName}");
    fake_set_text("URI", "ldap://localhost:1");
    assert_int_equal(issued(), NO_SERVER);
    __atomic_store_n(&resolver_hangs, 1, __ATOMIC_RELEASE);
    fake.time_left = 1200;
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(issued(), CHY_ERROR_TIMEOUT);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_in_range(after.tv_sec - before.tv_sec, 0, 5);
    assert_int_equal(__atomic_load_n(&resolvers, __ATOMIC_ACQUIRE), 1);
    fake_set_text("URI", NOWHERE); /* an address is no name */
    assert_int_equal(issued(), NO_SERVER);
    fake.time_left = 0;
    __atomic_store_n(&resolver_hangs, 0, __ATOMIC_RELEASE);
    for (int i = 0; i < 1000 && __atomic_load_n(&resolvers, __ATOMIC_ACQUIRE); i++)
        usleep(10000);
    assert_int_equal(__atomic_load_n(&resolvers, __ATOMIC_ACQUIRE), 0);
    fake_set_text("URI", "ldap://localhost:1");
    assert_int_equal(issued(), NO_SERVER);
}

static void entries_of_a_ca(void **state)
{
    (void)state;
    fake_ca("fDeltaCRLsDisabled", "0");
    fake_ca("CRLState.0", "3");
    fake_ca("CRLSuffix.0", "(0)");
    fake_ca("RawCRL.0", "no CRL");
    fake_ca("SanitizedShortName", "Test, CA");
    fake_ca("MachineDNSName", "host.corp.test");
    fake_set_text("URI", NOWHERE);
    fake_set_text("CRLDN", "cn=%7%8%9,cn=%2,cn=%1,dc=test");
    assert_int_equal(notify(CHY_EXITEVENT_CRLISSUED, 0), CHY_ERROR_INVALID_DATA);
    assert_said("RawCRL.0: not published: 0x8007000d");
    fake_set_text("CADN", "cn=%7,dc=test");
    fake_ca("RawCACertificate.0", "no certificate");
    assert_int_equal(notify(CHY_EXITEVENT_CRLISSUED, 0), CHY_ERROR_INVALID_DATA);
    assert_said("RawCACertificate is no certificate");
    fake_ca("CertCount", "-1");
    assert_int_equal(notify(CHY_EXITEVENT_CRLISSUED, 0), CHY_E_UNEXPECTED);
    assert_int_equal(notify(CHY_EXITEVENT_CRLISSUED, 1), CHY_S_OK); /* that is no CRL's context */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, reset, tidy)
    const struct CMUnitTest tests[] = {T(nothing_is_published_nowhere),
                                       T(each_bad_setting_is_named),
                                       T(numbers_have_bounds),
                                       T(settings_have_to_agree),
                                       T(nothing_ends_a_value_of_a_name),
                                       T(nothing_ends_a_value_of_a_filter),
                                       T(what_has_no_value_names_nothing),
                                       T(names_come_from_all_over),
                                       T(what_was_only_asked_for_names_nobody),
                                       T(a_subject_is_a_name),
                                       T(what_is_no_certificate_goes_nowhere),
                                       T(a_resolver_that_hangs_is_left_behind),
                                       T(a_revoked_one_is_not_added),
                                       T(a_silent_server_does_not_hide_the_next),
                                       T(nobody_is_waited_for_longer_than_there_is_time),
                                       T(entries_of_a_ca)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
