/* One error value for the whole project: an AD CS number and a sentence that names the subject, the
 * rule and the fact. Lives on the caller's stack; no allocation on an error path.
 * Thread: any. */
#ifndef CHY_BASE_ERR_H
#define CHY_BASE_ERR_H

#include <chancery/codes.h>
#include <chancery/types.h>

struct chy_err {
    chy_hresult code; /* CHY_S_OK while nothing failed */
    char text[480];   /* for people; never holds a secret */
};

/* Sets the error (err may be NULL) and returns code, so that `return chy_fail(err, …)` reads well.
 * The first error wins: a set error is not overwritten. */
chy_hresult chy_fail(struct chy_err *err, chy_hresult code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "context: " in front of what is set; returns err's code. */
chy_hresult chy_wrap(struct chy_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* As chy_fail, with strerror(errno) at the end; the code is chosen from errno. */
chy_hresult chy_fail_errno(struct chy_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* As chy_fail, after a call of OpenSSL that failed: its reason at the end, and the thread's queue
 * of errors left empty. When memory was what it lacked, that is the error, not the code given here.
 * E_OUTOFMEMORY as the code is for calls that can lack nothing else; a reason that is given makes
 * it NTE_FAIL. */
chy_hresult chy_fail_openssl(struct chy_err *err, chy_hresult code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* As chy_fail with E_OUTOFMEMORY. */
chy_hresult chy_fail_nomem(struct chy_err *err, const char *what);
void chy_err_clear(struct chy_err *err);

/* What a code is called and how each face shows it. */
struct chy_code_info {
    chy_hresult code;
    const char *name; /* "CERTSRV_E_PROPERTY_EMPTY" */
    const char *slug; /* "property-empty": our code in JSON */
    const char *text; /* a sentence for people */
    int http_status;
    int exit_status; /* of the command line tool */
};

/* Never NULL: an unknown code gets the entry of E_FAIL's kind with its own number kept by the
 * caller. */
const struct chy_code_info *chy_code_info(chy_hresult code);
/* Without case, with or without CHY_ in front; NULL: there is none of that name. */
const struct chy_code_info *chy_code_by_name(const char *name);

#endif
