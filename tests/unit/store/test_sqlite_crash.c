/* Stops in the middle: whatever was acknowledged is there afterwards, and nothing is broken. */
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "rows.h"

enum { WRITES = 4000 };

struct one {
    struct sample s;
    struct chy_write w;
    int pipe;
};

static void tell(struct chy_write *w, void *arg)
{
    const struct one *o = arg;
    int32_t id = w->row->id;
    if (w->result == CHY_S_OK && write(o->pipe, &id, sizeof(id)) != sizeof(id)) _exit(2);
}

static void write_until_killed(struct fixture *f, int fd)
{
    int32_t first = 0;
    struct one *o = calloc(WRITES, sizeof(*o));
    open_store(f);
    if (!o || f->store->ops->reserve_ids(f->store, WRITES, &first, NULL) != CHY_S_OK) _exit(2);
    for (int i = 0; i < WRITES; i++) {
        fill(&o[i].s, first + i, CHY_DB_DISP_ISSUED);
        o[i].pipe = fd;
        o[i].w = (struct chy_write){
            .kind = CHY_WRITE_FINAL, .row = &o[i].s.row, .done = tell, .arg = &o[i]};
        chy_store_write(f->store, &o[i].w);
    }
    pause();
}

static void check_integrity(const struct fixture *f)
{
    char path[96];
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    snprintf(path, sizeof(path), "%s/ca.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_string_equal(sqlite3_column_text(st, 0), "ok");
    sqlite3_finalize(st);
    sqlite3_close(db);
}

/* Reads ids that were acknowledged, kills the child after `many` of them, and reads the rest. */
static size_t collect(int fd, pid_t child, size_t many, int32_t *ids)
{
    size_t n = 0;
    while (n < WRITES && read(fd, &ids[n], sizeof(*ids)) == sizeof(*ids)) {
        if (++n == many) kill(child, SIGKILL);
    }
    return n;
}

static void test_kill_when_writing_then_nothing_acknowledged_is_lost(void **state)
{
    struct fixture *f = *state;
    static int32_t ids[WRITES];
    int32_t next = 0;
    for (size_t round = 1; round <= 3; round++) {
        int fds[2];
        int status = 0;
        struct chy_row row;
        struct chy_arena a;
        chy_store_close(f->store);
        f->store = NULL;
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0) write_until_killed(f, fds[1]);
        close(fds[1]);
        size_t n = collect(fds[0], child, round * 300, ids);
        close(fds[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_true(n >= round * 300);
        open_store(f);
        chy_arena_init(&a, 1 << 20);
        for (size_t i = 0; i < n; i++) {
            assert_true(ids[i] > next);
            assert_int_equal(f->store->ops->get(f->store, ids[i], &a, &row, NULL), CHY_S_OK);
            assert_int_equal(row.raw_certificate.n, 900);
            chy_arena_reset(&a);
        }
        chy_arena_free(&a);
        check_integrity(f);
        next = ids[n - 1];
    }
}

#ifdef CHY_FAULTS
/* What the environment asks for is read once in a process: each case has a child of its own. */
static int in_child(struct fixture *f, const char *fault, int (*body)(struct fixture *))
{
    int status = 0;
    chy_store_close(f->store);
    f->store = NULL;
    pid_t child = fork();
    if (child == 0) {
        setenv("CHANCERY_FAULT", fault, 1);
        open_store(f);
        int rc = body(f);
        chy_store_close(f->store);
        _exit(rc);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    open_store(f);
    return status;
}

static int three_writes(struct fixture *f)
{
    struct sample s;
    chy_hresult got[3];
    struct chy_err err = {0};
    for (int i = 0; i < 3; i++) {
        fill(&s, i + 1, CHY_DB_DISP_ISSUED);
        got[i] = put(f, CHY_WRITE_FINAL, &s.row, &err);
    }
    return got[0] == CHY_S_OK && got[1] == CHY_ERROR_IO_DEVICE && got[2] == CHY_S_OK &&
                   strstr(err.text, "/ca.db")
               ? 0
               : 1;
}

static bool is_there(struct fixture *f, int32_t id)
{
    struct chy_row row;
    struct chy_arena a;
    chy_arena_init(&a, 1 << 20);
    chy_hresult hr = f->store->ops->get(f->store, id, &a, &row, NULL);
    chy_arena_free(&a);
    return hr == CHY_S_OK;
}

static void test_commit_fails_then_heals(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(in_child(f, "store.commit_fails:2:fail", three_writes), 0);
    assert_true(is_there(f, 1) && !is_there(f, 2) && is_there(f, 3));
    check_integrity(f);
}

static void test_kill_before_commit_then_record_is_not_there(void **state)
{
    struct fixture *f = *state;
    assert_true(WIFSIGNALED(in_child(f, "store.before_commit:2:kill", three_writes)));
    assert_true(is_there(f, 1) && !is_there(f, 2));
    check_integrity(f);
}

static void test_kill_after_commit_then_record_is_there(void **state)
{
    struct fixture *f = *state;
    assert_true(WIFSIGNALED(in_child(f, "store.after_commit:2:kill", three_writes)));
    assert_true(is_there(f, 1) && is_there(f, 2) && !is_there(f, 3));
    check_integrity(f);
}

static int reserve_twice(struct fixture *f)
{
    int32_t first = 0;
    (void)f->store->ops->reserve_ids(f->store, 100, &first, NULL);
    (void)f->store->ops->reserve_ids(f->store, 100, &first, NULL);
    return 0;
}

static void test_ids_after_a_crash_are_never_used_again(void **state)
{
    struct fixture *f = *state;
    int32_t first = 0;
    assert_true(WIFSIGNALED(in_child(f, "store.after_commit:2:kill", reserve_twice)));
    assert_int_equal(f->store->ops->reserve_ids(f->store, 1, &first, NULL), CHY_S_OK);
    assert_int_equal(first, 201);
}
#endif

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
#ifdef CHY_FAULTS
        T(test_commit_fails_then_heals),
        T(test_kill_before_commit_then_record_is_not_there),
        T(test_kill_after_commit_then_record_is_there),
        T(test_ids_after_a_crash_are_never_used_again),
#endif
        T(test_kill_when_writing_then_nothing_acknowledged_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
