/* The oracle: random certificates, built as the product builds them, judged by independent
 * programs. Thread: one. */
#ifndef TEST_ORACLE_H
#define TEST_ORACLE_H

#include <openssl/x509.h>

#include "base/sys.h"
#include "base/text.h"
#include "key/key.h"
#include "pki/lint.h"

/* Says what went wrong, with the seed and the number of the certificate, and ends the program. */
void oracle_die(const char *fmt, ...) CHY_PRINTF(1, 2) __attribute__((noreturn));
#define MUST(cond, ...)                                                                            \
    do {                                                                                           \
        if (!(cond)) oracle_die(__VA_ARGS__);                                                      \
    } while (0)

/* splitmix64: the contents of every certificate follow from the seed alone. */
struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *r);
unsigned rng_below(struct rng *r, unsigned n);
bool rng_chance(struct rng *r, unsigned percent);

struct authority {
    struct chy_key *key;
    struct chy_signer *signer;
    const struct chy_sig_alg *sig_alg;
    struct chy_buf name, cert;
    uint8_t key_id[20];
    struct chy_lint_issuer lint;
    struct chy_name_constraints constraints;
    bool constrained; /* to names under example.com and 10.0.0.0/8 */
    X509 *x509;
};
enum { AUTHORITIES = 8, SUBJECT_KEYS = 10, CONSTRAINED = AUTHORITIES - 1 };

/* Roots of every kind of key, and one intermediate with name constraints below the first. */
void authorities_make(struct authority *a);
void authorities_free(struct authority *a);
const struct authority *authority_pick(const struct authority *a, struct rng *r);

enum { SAMPLE_EXTS = 20 };
struct sample {
    struct chy_buf subject, value[SAMPLE_EXTS], tbs, cert;
    struct chy_ext ext[SAMPLE_EXTS];
    size_t n_ext;
    uint8_t serial[CHY_SERIAL_LEN];
    chy_time not_before, not_after;
    int n_attrs, n_alt_names;
    bool is_ca;
    double lint_us;
};
void sample_init(struct sample *s);
void sample_reset(struct sample *s);
void sample_free(struct sample *s);
/* Invents the parts. */
void sample_invent(struct sample *s, struct rng *r, const struct authority *by,
                   const struct chy_spki *key);
/* Builds, lints, signs, assembles: the product's own way. */
void sample_issue(struct sample *s, const struct authority *by, const struct chy_spki *key);

/* OpenSSL's library: reads it, writes it again to the same octets, verifies it, reads its parts. */
void judge(const struct sample *s, const struct authority *by);

/* The tools: files are written into a temporary folder and verified in batches. */
struct tools;
struct tools *tools_open(const struct authority *a);
void tools_add(struct tools *t, const struct sample *s, const struct authority *by);
void tools_verify(struct tools *t);
void tools_close(struct tools *t);

#endif
