#include "der.h"

#include <string.h>

enum { SEQUENCE = 0x30, UTC_TIME = 0x17, GENERALIZED_TIME = 0x18, OCTETS = 0x04, INTEGER = 0x02 };

bool der_same(struct der a, struct der b)
{
    return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

bool der_next(struct der *at, uint8_t *tag, struct der *content)
{
    if (at->n < 2 || (at->p[0] & 0x1f) == 0x1f) return false;
    size_t n = at->p[1], head = 2;
    if (n & 0x80) {
        size_t more = n & 0x7f;
        if (more == 0 || more > 4 || at->n < 2 + more) return false;
        for (n = 0; head < 2 + more; head++)
            n = n << 8 | at->p[head];
    }
    if (n > at->n - head) return false;
    *tag = at->p[0];
    *content = (struct der){at->p + head, n};
    at->p += head + n;
    at->n -= head + n;
    return true;
}

static bool expect(struct der *at, uint8_t tag, struct der *content)
{
    uint8_t found;
    return der_next(at, &found, content) && found == tag;
}

static bool next_is(const struct der *at, uint8_t tag)
{
    return at->n && at->p[0] == tag;
}

/* Takes an element with its head: for comparing. */
static bool take_whole(struct der *at, uint8_t tag, struct der *whole)
{
    struct der content;
    const uint8_t *from = at->p;
    if (!expect(at, tag, &content)) return false;
    *whole = (struct der){from, (size_t)(at->p - from)};
    return true;
}

static bool is_time(const struct der *at)
{
    return next_is(at, UTC_TIME) || next_is(at, GENERALIZED_TIME);
}

/* RFC 5280 4.1.2.5: the two forms that there are in DER; a year of two digits is 1950 to 2049. */
static bool take_time(struct der *at, char out[DER_TIME + 1])
{
    uint8_t tag;
    struct der t;
    if (!der_next(at, &tag, &t)) return false;
    size_t missing = tag == UTC_TIME ? 2 : 0;
    if ((tag != UTC_TIME && tag != GENERALIZED_TIME) || t.n != DER_TIME - missing) return false;
    for (size_t i = 0; i < t.n - 1; i++)
        if (t.p[i] < '0' || t.p[i] > '9') return false;
    if (t.p[t.n - 1] != 'Z') return false;
    if (missing) memcpy(out, t.p[0] < '5' ? "20" : "19", 2);
    memcpy(out + missing, t.p, t.n);
    out[DER_TIME] = 0;
    return true;
}

/* The content of the outer SEQUENCE's first element: what is signed. */
static bool signed_part(struct der whole, struct der *tbs)
{
    struct der outer;
    return expect(&whole, SEQUENCE, &outer) && whole.n == 0 && expect(&outer, SEQUENCE, tbs);
}

struct extension {
    struct der oid, value;
};

static bool next_extension(struct der *at, struct extension *out)
{
    struct der e, critical;
    if (!expect(at, SEQUENCE, &e) || !expect(&e, 0x06, &out->oid)) return false;
    if (next_is(&e, 0x01) && !expect(&e, 0x01, &critical)) return false;
    return expect(&e, OCTETS, &out->value);
}

/* id-ce and one arc: 2.5.29.x */
static bool is_ce(const struct extension *e, uint8_t arc)
{
    return e->oid.n == 3 && e->oid.p[0] == 0x55 && e->oid.p[1] == 0x1d && e->oid.p[2] == arc;
}

static bool is_true(struct der *at, uint8_t tag)
{
    struct der v;
    return next_is(at, tag) && expect(at, tag, &v) && v.n == 1 && v.p[0] != 0;
}

static bool read_cert_extensions(struct der tbs, struct cert_facts *out)
{
    struct der wrapped, list, content;
    struct extension e;
    uint8_t tag;
    while (tbs.n && !next_is(&tbs, 0xa3))
        if (!der_next(&tbs, &tag, &content)) return false;
    if (!tbs.n) return true;
    if (!expect(&tbs, 0xa3, &wrapped) || !expect(&wrapped, SEQUENCE, &list)) return false;
    while (list.n) {
        if (!next_extension(&list, &e)) return false;
        if (is_ce(&e, 19) && expect(&e.value, SEQUENCE, &content))
            out->is_ca = is_true(&content, 0x01);
    }
    return true;
}

bool cert_read(struct der cert, struct cert_facts *out)
{
    struct der tbs, skipped, validity;
    char not_before[DER_TIME + 1];
    *out = (struct cert_facts){.is_ca = false};
    if (!signed_part(cert, &tbs)) return false;
    if (next_is(&tbs, 0xa0) && !expect(&tbs, 0xa0, &skipped)) return false;
    return expect(&tbs, INTEGER, &skipped) && expect(&tbs, SEQUENCE, &skipped) &&
           take_whole(&tbs, SEQUENCE, &out->issuer) && expect(&tbs, SEQUENCE, &validity) &&
           take_time(&validity, not_before) && take_time(&validity, out->not_after) &&
           take_whole(&tbs, SEQUENCE, &out->subject) && read_cert_extensions(tbs, out);
}

/* RFC 5280 5.2.5: the flags stand behind the name of the distribution point. */
static void read_scope(struct der value, struct crl_facts *out)
{
    struct der fields, skipped;
    out->scope = value;
    if (!expect(&value, SEQUENCE, &fields)) return;
    if (next_is(&fields, 0xa0) && !expect(&fields, 0xa0, &skipped)) return;
    out->users_only = is_true(&fields, 0x81);
}

static bool read_crl_extensions(struct der list, struct crl_facts *out)
{
    struct der fields;
    struct extension e;
    while (list.n) {
        if (!next_extension(&list, &e)) return false;
        if (is_ce(&e, 20) && !expect(&e.value, INTEGER, &out->number)) return false;
        if (is_ce(&e, 27)) out->is_delta = true;
        if (is_ce(&e, 28)) read_scope(e.value, out);
        if (is_ce(&e, 35) && expect(&e.value, SEQUENCE, &fields) && next_is(&fields, 0x80) &&
            !expect(&fields, 0x80, &out->key_id))
            return false;
    }
    return true;
}

bool crl_read(struct der crl, struct crl_facts *out)
{
    struct der tbs, skipped, wrapped, list;
    *out = (struct crl_facts){.is_delta = false};
    if (!signed_part(crl, &tbs)) return false;
    if (next_is(&tbs, INTEGER) && !expect(&tbs, INTEGER, &skipped)) return false;
    if (!expect(&tbs, SEQUENCE, &skipped) || !take_whole(&tbs, SEQUENCE, &out->issuer) ||
        !take_time(&tbs, out->this_update))
        return false;
    if (is_time(&tbs) && !take_time(&tbs, out->next_update)) return false;
    if (next_is(&tbs, SEQUENCE) && !expect(&tbs, SEQUENCE, &skipped)) return false;
    if (!tbs.n) return true;
    return expect(&tbs, 0xa0, &wrapped) && expect(&wrapped, SEQUENCE, &list) &&
           read_crl_extensions(list, out);
}

static struct der without_zeros(struct der number)
{
    while (number.n && number.p[0] == 0)
        number.p++, number.n--;
    return number;
}

/* RFC 5280 5.2.3: numbers rise with every CRL of one scope; without them the times decide. */
int crl_compare(const struct crl_facts *a, const struct crl_facts *b)
{
    struct der x = without_zeros(a->number), y = without_zeros(b->number);
    if (!a->number.n || !b->number.n) return strcmp(a->this_update, b->this_update);
    if (x.n != y.n) return x.n < y.n ? -1 : 1;
    return x.n ? memcmp(x.p, y.p, x.n) : 0;
}
