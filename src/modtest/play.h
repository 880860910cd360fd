/* A play: a text of calls into a module and of what is to come of them, and the stage on which it
 * runs: one module, its settings, the properties of a CA that is not there, one request at a time.
 * Thread: one. */
#ifndef CHY_MODTEST_PLAY_H
#define CHY_MODTEST_PLAY_H

#include "ca/request.h"
#include "module/module.h"

enum {
    CHY_PLAY_MAX_WORDS = 64,
    CHY_PLAY_LINE_MAX = 16 << 10,
    CHY_PLAY_FILE_MAX = 4 << 20,
    CHY_PLAY_MAX_VALUES = 256,
    CHY_PLAY_MAX_LOGS = 256,
    CHY_PLAY_MAX_NAMES = 64,
    CHY_PLAY_MAX_EXTS = 32,
    CHY_PLAY_ARENA_MAX = 32 << 20
};

/* What the command line says. */
struct chy_play_options {
    const char *module; /* absolute path; NULL: the play names it */
    enum chy_binding binding;
    unsigned timeout_ms;
    const char *const *set; /* NAME=VALUE, NULL-ended: in front of the play's own settings */
};

/* What is reported while a play runs: one line for each, over a pipe. */
enum chy_play_event {
    CHY_PLAY_AT = 'A',      /* about to do this line */
    CHY_PLAY_MET = 'O',     /* an expectation */
    CHY_PLAY_NOT_MET = 'N', /* with what was instead */
    CHY_PLAY_WRONG = 'E',   /* the play itself cannot go on */
    CHY_PLAY_LOG = 'L',     /* the module said something */
    CHY_PLAY_LATE = 'T'     /* a call overran its deadline */
};

struct chy_play_value {
    const char *name;
    chy_variant v; /* in the arena */
};

/* One line, its words with variables put in. */
struct chy_play_line {
    const char *word[CHY_PLAY_MAX_WORDS];
    bool quoted[CHY_PLAY_MAX_WORDS];
    size_t n;
};

/* A request as it is described, and what became of it. */
struct chy_play_request {
    struct chy_buf csr;
    const char *subject, *key, *requester, *caller;
    struct chy_general_name name[CHY_PLAY_MAX_NAMES];
    size_t n_names;
    struct chy_buf attributes;
    struct {
        const char *oid;
        int32_t flags;
        struct chy_span value;
    } ext[CHY_PLAY_MAX_EXTS];
    size_t n_ext;
    bool may_enrol, is_new;
    int32_t id, reason;
    chy_time submitted;
    struct chy_request *made; /* NULL: still being described */
};

enum chy_play_call { CHY_PLAY_NOTHING, CHY_PLAY_VERIFY, CHY_PLAY_OTHER };

struct chy_play {
    const struct chy_play_options *options;
    const char *file;
    char here[4096], dir[64];
    size_t line;
    int report; /* the pipe */
    struct chy_arena arena;
    struct chy_clock clock;
    chy_time now; /* CHY_TIME_DEFAULT: the machine's */

    const char *module;
    enum chy_binding binding;
    unsigned timeout_ms;
    struct chy_modules *modules;
    struct chy_instance *instance; /* NULL: not started */
    bool is_policy;
    chy_long events; /* what an exit module wants */
    struct chy_authority *authority;
    struct chy_play_value setting[CHY_PLAY_MAX_VALUES], ca[CHY_PLAY_MAX_VALUES];
    size_t n_settings, n_ca;

    struct chy_play_request *request; /* NULL: none was described */
    int32_t last_id;
    chy_long event; /* that Notify is told of */
    const char *event_name;
    const char *event_id; /* NULL: made of the request and the event */
    chy_long event_attempt;

    enum chy_play_call call; /* the last */
    chy_hresult result;      /* of it; of a verify the status */
    enum chy_verdict verdict;
    struct chy_err said;      /* why it failed */
    char refused[480];        /* the module issues, but a CA would not */
    pthread_mutex_t log_lock; /* a module may speak on threads of its own */
    char *log[CHY_PLAY_MAX_LOGS];
    size_t n_logs;
};

/* play.c */
/* Runs the file; 0: it came to its end, 2: it could not (CHY_PLAY_WRONG says why). */
int chy_play_run(const char *file, const struct chy_play_options *options, int report);
void chy_play_tell(const struct chy_play *p, enum chy_play_event event, const char *text,
                   const char *detail);

/* words.c */
CHY_MUST_USE chy_hresult chy_play_split(struct chy_play *p, struct chy_span text,
                                        struct chy_play_line *out, struct chy_err *err);
/* "2026-11-21T05:58:04Z", "now", "now+90d", "now-1h". */
bool chy_play_time(const struct chy_play *p, const char *text, chy_time *out);
/* 0x80094004, -2146877420, CERTSRV_E_…. */
bool chy_play_code(const char *text, chy_hresult *out);
bool chy_play_number(const char *text, int64_t *out);
/* "hex:…", "file:PATH", or DER of a few kinds by name: octets in the arena. */
CHY_MUST_USE chy_hresult chy_play_octets(struct chy_play *p, const char *text, struct chy_span *out,
                                         struct chy_err *err);
chy_time chy_play_now(const struct chy_play *p);
const char *chy_play_path(struct chy_play *p, const char *path); /* beside the play */

/* stage.c: what the module sees */
extern const struct chy_engine_ops chy_play_ops;
CHY_MUST_USE chy_hresult chy_play_set_value(struct chy_play *p, struct chy_play_value *list,
                                            size_t *n, const struct chy_play_line *l,
                                            struct chy_err *err);
CHY_MUST_USE chy_hresult chy_play_open(struct chy_play *p, struct chy_err *err);
void chy_play_close(struct chy_play *p);
void chy_play_log_clear(struct chy_play *p);
/* All lines since then, or the last alone. */
void chy_play_log_text(struct chy_play *p, bool last, struct chy_buf *out);

/* request.c */
CHY_MUST_USE chy_hresult chy_play_describe(struct chy_play *p, const struct chy_play_line *l,
                                           struct chy_err *err);
/* Makes the request of its description, if it is not made yet. */
CHY_MUST_USE chy_hresult chy_play_make(struct chy_play *p, struct chy_err *err);
/* For an exit module: the certificate, as a generous policy would have it. */
CHY_MUST_USE chy_hresult chy_play_issue(struct chy_play *p, struct chy_err *err);
void chy_play_request_free(struct chy_play_request *q);

/* calls.c */
CHY_MUST_USE chy_hresult chy_play_start(struct chy_play *p, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_play_refresh(struct chy_play *p, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_play_verify(struct chy_play *p, const struct chy_play_line *l,
                                         struct chy_err *err);
CHY_MUST_USE chy_hresult chy_play_notify(struct chy_play *p, const struct chy_play_line *l,
                                         struct chy_err *err);
CHY_MUST_USE chy_hresult chy_play_manage(struct chy_play *p, const struct chy_play_line *l,
                                         struct chy_err *err);
CHY_MUST_USE chy_hresult chy_play_stop(struct chy_play *p, struct chy_err *err);
/* The bit of an event by its name; 0: there is none. */
chy_long chy_play_event(const char *name);

/* expect.c: S_OK with *met and, where it is not, why; else the line makes no sense */
CHY_MUST_USE chy_hresult chy_play_expect(struct chy_play *p, const struct chy_play_line *l,
                                         bool *met, struct chy_buf *why, struct chy_err *err);
/* compare.c */
/* OP VALUE of the words from `at`: =, !=, <, <=, >, >=, has, lacks. */
CHY_MUST_USE chy_hresult chy_play_compare(struct chy_play *p, const chy_variant *v,
                                          const struct chy_play_line *l, size_t at, bool *met,
                                          struct chy_buf *why, struct chy_err *err);
void chy_play_show(const chy_variant *v, struct chy_buf *out);
/* What the certificate will have or has: names, purposes, extensions. */
CHY_MUST_USE chy_hresult chy_play_expect_extension(struct chy_play *p,
                                                   const struct chy_play_line *l, bool *met,
                                                   struct chy_buf *why, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_play_expect_name(struct chy_play *p, const struct chy_play_line *l,
                                              bool *met, struct chy_buf *why, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_play_expect_purpose(struct chy_play *p, const struct chy_play_line *l,
                                                 bool *met, struct chy_buf *why,
                                                 struct chy_err *err);

#endif
