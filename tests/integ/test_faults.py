"""What breaks around the daemon, and that it goes on: storage (P11), the clock (P17), modules (P7, P15)."""
import glob
import json
import os
import re
import signal
import sqlite3
import subprocess
import threading
import time

import daemon
from daemon import Case, Certificate, Daemon, make_ca, make_csr, run, until

# A policy module that answers what the setting Mode says: the disposition it writes and the status that it returns.
ODD_POLICY = r"""
#include <chancery/easy_module.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct odd { chy_host host; };

static chy_hresult initialize(void *self, const char *config) { (void)self, (void)config; return CHY_S_OK; }

static chy_hresult verify(void *self, const char *config, chy_long context, chy_long is_new, chy_long flags, chy_long *d)
{
    struct odd *o = self;
    chy_variant v = {0};
    char mode[64] = "", *end;
    (void)config, (void)context, (void)is_new, (void)flags;
    if (o->host.vt->get_setting(o->host.self, "Mode", &v) == CHY_S_OK && v.vt == CHY_VT_STR && v.u.s.n < sizeof mode)
        memcpy(mode, v.u.s.p, v.u.s.n);
    o->host.vt->variant_clear(&v);
    if (!strcmp(mode, "hang")) for (;;) sleep(1);
    if (!strcmp(mode, "silent")) return CHY_S_OK;
    *d = (chy_long)strtol(mode, &end, 10);
    return *end ? (chy_hresult)strtol(end, NULL, 10) : CHY_S_OK;
}

static chy_hresult description(void *self, chy_str *out)
{
    struct odd *o = self;
    out->n = 3;
    out->p = o->host.vt->alloc(4);
    memcpy(out->p, "odd", 4);
    return CHY_S_OK;
}

static chy_hresult shut_down(void *self) { (void)self; return CHY_S_OK; }
static void release(void *self) { free(self); }

static const chy_policy_vtbl table = {
    .h = {sizeof table, CHY_ABI_VERSION, CHY_IID_POLICY, CHY_IF_CONCURRENT}, .release = release, .initialize = initialize,
    .verify_request = verify, .get_description = description, .shut_down = shut_down};

static chy_hresult create(const chy_host *host, const char *class_name, chy_object *out)
{
    struct odd *o = strcmp(class_name, "Odd.Policy") ? NULL : calloc(1, sizeof *o);
    if (!o) return CHY_REGDB_E_CLASSNOTREG;
    o->host = *host;
    *out = (chy_object){&table.h, o};
    return CHY_S_OK;
}

static const char *const classes[] = {"Odd.Policy", NULL};
static const chy_module_info info = {CHY_MODULE_MAGIC, sizeof info, CHY_ABI_VERSION, 0, "odd", "1.0", classes, create};
const chy_module_info *chy_module_entry(void) { return &info; }
"""

HANGING_EXIT = r"""
#include <chancery/easy.h>
#include <unistd.h>

struct none { int unused; };
static chy_hresult init(chy_task *task, chy_long *events) { (void)task; *events = CHY_EXITEVENT_CERTISSUED; return CHY_S_OK; }
static chy_hresult notify(chy_task *task, chy_long event) { (void)task, (void)event; for (;;) sleep(1); }
CHY_EXIT_MODULE("slow", "Slow.Exit", "1.0", "Never comes back", struct none, init, notify);
"""


class Served(Case):
    options = ("--issue",)

    def setUp(self):
        self.path = self.folder()
        self.ca_dir = make_ca(self.path, *self.options)
        self.csr = make_csr()

    def folder(self):
        return self.temp()

    def begin(self, fault="", **more):
        d = Daemon.of_dir(self.path, env={"CHANCERY_FAULT": fault}, **more)
        self.addCleanup(d.close)
        self.addCleanup(d.stop)
        return d

    def configure(self, *settings):
        with Daemon.of_dir(self.path) as d:
            for path, value in settings:
                d.set(path, value)

    def module(self, name, source):
        folder = self.temp()
        with open(os.path.join(folder, name + ".c"), "w") as f:
            f.write(source)
        made = os.path.join(folder, name + ".so")
        run("cc", "-std=c17", "-D_GNU_SOURCE", "-fPIC", "-shared", "-I", daemon.INCLUDE, "-o", made, f.name)
        os.chmod(made, 0o755)
        return made

    def ready(self, d):
        a = d.ask("GET", "/readyz")
        self.assertIn(a.status, (200, 503))
        self.assertEqual(a.json["ready"], a.status == 200)
        return a.status == 200

    def trouble(self, d):
        a = d.ask("GET", "/readyz")
        self.assertEqual(a.status, 503, a)
        return a.json["cas"][0]["trouble"]

    def database(self):
        (name,) = glob.glob(self.ca_dir + "/*.db")
        return sqlite3.connect(name)


class Storage(Served):
    def check_status_pages(self, d, told):
        self.assertTrue(self.trouble(d))
        self.assertEqual(d.ask("GET", "/healthz").status, 200)
        self.assertEqual(d.ask("GET", "/metrics").status, 200)
        self.assertIn("chancery_ready{", d.ask("GET", "/metrics").body.decode())
        for id, certificate in told.items():
            a = d.ask("GET", "/api/v1/requests/%d/certificate" % id)
            self.assertEqual((a.status, a.body.decode()), (200, certificate))
        self.assert_problem(d.submit(self.csr), 503)

    def issue_until_it_fails(self, d, told, most):
        for _ in range(most):
            a = d.submit(self.csr)
            if a.status != 201:
                self.assert_problem(a, 503)
                return
            told[a.json["request_id"]] = a.json["certificate"]
        self.fail("%d were issued all the same" % most)

    def check_healed(self, d, told):
        self.assertTrue(until(lambda: self.ready(d), 30), d.stderr())
        a = d.submit(self.csr)
        self.assertEqual(a.status, 201, a)
        self.assertNotIn(a.json["request_id"], told)
        told[a.json["request_id"]] = a.json["certificate"]
        for id, certificate in told.items():
            self.assertEqual(d.ask("GET", "/api/v1/requests/%d/certificate" % id).body.decode(), certificate)
        self.assertEqual(d.ask("GET", "/api/v1/requests?where=disposition%20%3D%20active").json["requests"], [])
        d.stop()
        with self.database() as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            self.assertEqual(db.execute("SELECT count(*) FROM intent").fetchone(), (0,))
            self.assertEqual(db.execute("SELECT * FROM outbox").fetchall(), [])
        db.close()

    def test_commit_fails_at_each_point_of_a_request(self):
        for at in range(1, 7):
            with self.subTest(at):
                told = {}
                # Seven looks of the CA at its disk take 0.6 s: time enough to see it in trouble.
                d = self.begin(",".join("store.commit_fails:%d:fail" % i for i in range(at + 6, at + 13)))
                self.issue_until_it_fails(d, told, 30)
                self.check_status_pages(d, told)
                self.check_healed(d, told)

    def test_stopped_while_it_fails(self):
        """The next life finishes what this one had approved."""
        told = {}
        d = self.begin(",".join("store.commit_fails:%d:fail" % i for i in range(8, 20)))
        self.issue_until_it_fails(d, told, 30)
        d.stop()
        self.check_healed(self.begin(), told)

    def test_configuration_is_not_changed_while_it_fails(self):
        d = self.begin(",".join("store.commit_fails:%d:fail" % i for i in range(1, 4)))
        a = d.ask("PUT", "/api/v1/config/ClockSkewMinutes", '{"value":3}', {"Content-Type": "application/json"})
        self.assert_problem(a, 503)
        self.assertEqual(d.ask("GET", "/api/v1/config/ClockSkewMinutes").json["value"], 10)
        self.check_healed(d, {})

    def test_it_fails_while_the_policy_is_asked(self):
        """Nothing is wrong with the request: it is not denied, and nothing of it is kept."""
        d = self.begin(",".join(["intake.after_policy:1:sleep2000"] + ["store.commit_fails:%d:fail" % i for i in range(4, 16)]))
        answers = []
        submitted = threading.Thread(target=lambda: answers.append(d.submit(self.csr)))
        submitted.start()
        time.sleep(0.3)
        json_body = {"Content-Type": "application/json"}
        stored = [d.ask("PUT", "/api/v1/config/ClockSkewMinutes", '{"value":%d}' % (3 + i), json_body).status for i in range(3)]
        self.assertIn(503, stored)
        submitted.join()
        self.assert_problem(answers[0], 503)
        self.assertIn("the CA does not issue", answers[0].json["detail"])
        self.assertTrue(until(lambda: self.ready(d), 30), d.stderr())
        self.assertEqual(d.ask("GET", "/api/v1/requests").json["requests"], [])
        self.check_healed(d, {})


class FullDisk(Storage):
    """A file system of its own, filled to the last block."""
    test_commit_fails_at_each_point_of_a_request = None
    test_stopped_while_it_fails = None
    test_configuration_is_not_changed_while_it_fails = None
    test_it_fails_while_the_policy_is_asked = None

    def folder(self):
        path = self.temp()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=0700", "none", path], stderr=subprocess.PIPE)
        if mounted.returncode:
            self.skipTest("no file system can be mounted here: " + mounted.stderr.decode().strip())
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=True)
        return path

    def fill(self):
        ballast = os.path.join(self.path, "ballast")
        with open(ballast, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass
        return ballast

    def test_full_and_free_again(self):
        told = {}
        d = self.begin()
        self.assertEqual(d.submit(self.csr).status, 201)
        for _ in range(2):
            ballast = self.fill()
            self.issue_until_it_fails(d, told, 4000)
            self.check_status_pages(d, told)
            time.sleep(1.5)  # a probe finds it still full
            self.check_status_pages(d, told)
            os.unlink(ballast)
            self.assertTrue(until(lambda: self.ready(d), 30), d.stderr())
        self.check_healed(d, told)

    def test_killed_while_full(self):
        told = {}
        d = self.begin()
        ballast = self.fill()
        self.issue_until_it_fails(d, told, 4000)
        d.close()
        d.proc.stdout.close()
        os.unlink(ballast)
        self.check_healed(self.begin(), told)


class Clock(Served):
    def next_life(self, d, change):
        """It ends, its database is changed, and it begins again."""
        d.stop()
        with self.database() as db:
            db.execute("UPDATE request SET " + change)
        db.close()
        return self.begin()

    def test_clock_before_what_the_database_knows(self):
        d = self.begin()
        self.assertEqual(d.submit(self.csr).status, 201)
        d = self.next_life(d, "submitted_when = submitted_when + 3600000000")
        self.assertIn("clock", self.trouble(d))
        self.assert_problem(d.submit(self.csr), 503, "server-suspended")
        self.assertEqual(d.ask("GET", "/healthz").status, 200)
        self.assertEqual(d.ask("GET", "/api/v1/requests/1/certificate").status, 200)
        d = self.next_life(d, "submitted_when = submitted_when - 3600000000")
        self.assertEqual(d.submit(self.csr).status, 201)

    def test_the_clock_was_wrong_and_is_right_now(self):
        """One request of the year 2099 suspends the CA no longer than until somebody says what time it is."""
        d = self.begin()
        self.assertEqual(d.submit(self.csr).status, 201)
        d = self.next_life(d, "submitted_when = 4070908800000000")
        number = int(re.search(r"ClockAccepted to that request's number, (\d+)", self.trouble(d)).group(1))
        d.set("ClockAccepted", number - 1)
        self.assertIn("ClockAccepted", self.trouble(d))
        d.set("ClockAccepted", number)
        self.assertTrue(until(lambda: d.ask("GET", "/readyz").status == 200), d.stderr())
        self.assertEqual(d.submit(self.csr).status, 201)
        # Of later requests nothing was said.
        d = self.next_life(d, "submitted_when = submitted_when + 3600000000 WHERE id = (SELECT max(id) FROM request)")
        self.assertIn("clock", self.trouble(d))

    def test_jump_while_it_runs(self):
        stamp = os.path.join(self.temp(), "offset")
        with open(stamp, "w") as f:
            f.write("+0")
        (library,) = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        d = Daemon.of_dir(self.path, env={"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": stamp, "FAKETIME_NO_CACHE": "1",
                                          "DONT_FAKE_MONOTONIC": "1", "ASAN_OPTIONS": "verify_asan_link_order=0"})
        self.addCleanup(d.close)
        self.assertEqual(d.submit(self.csr).status, 201)
        with open(stamp, "w") as f:
            f.write("+1d")
        self.assert_problem(d.submit(self.csr), 503, "server-suspended")
        self.assertIn("clock", self.trouble(d))
        with open(stamp, "w") as f:
            f.write("+0")
        self.assertEqual(d.submit(self.csr).status, 201)


class Policy(Served):
    source = ODD_POLICY

    def odd(self, mode, *settings):
        self.configure(("PolicyModules/Active", self.module("odd", self.source)), ("PolicyModules/odd/Mode", mode), *settings)
        return self.begin()

    def test_garbage_never_issues(self):
        d = self.odd("1")
        good = d.submit(make_csr(["DNS:www.example.test"], "/CN=www.example.test"))
        self.assertEqual(good.status, 201, good)  # else what follows would show nothing
        for mode in ("silent", "3", "4", "20", "9", "17", "256", "257", "65537", "2147483647", "-1", "-2147483648", "1,1", "1,2",
                     "1 -2147467259", "1 1", "1 2147483647", "1 -1", "0 1", "2"):
            with self.subTest(mode):
                d.set("PolicyModules/odd/Mode", mode.replace(",", " "))
                a = d.submit(self.csr)
                self.assertGreaterEqual(a.status, 400, a)
                self.assertNotIn("certificate", a.json)
                row = d.ask("GET", "/api/v1/requests/%d" % a.json["request_id"]).json
                self.assertIn(row["disposition"], ("failed", "denied"))
                self.assertIsNone(row["serial"])
        d.set("PolicyModules/odd/Mode", "0")
        self.assertEqual(d.submit(self.csr).status, 202)
        self.assertTrue(self.ready(d))

    def test_failure_may_pend_instead(self):
        d = self.odd("17", ("PolicyFailureDisposition", "pend"))
        a = d.submit(self.csr)
        self.assertEqual((a.status, a.json["disposition"]), (202, "pending"), a)
        d.set("PolicyModules/odd/Mode", "1")
        self.assertEqual(d.ask("POST", "/api/v1/requests/%d/resubmit" % a.json["request_id"]).status, 201)

    def test_hang_costs_the_request_not_the_daemon(self):
        d = self.odd("1", ("ModuleTimeoutMilliseconds", 400))
        old = d.submit(self.csr)
        self.assertEqual(old.status, 201)
        d.set("PolicyModules/odd/Mode", "hang")
        began = time.monotonic()
        a = d.submit(self.csr)
        self.assertLess(time.monotonic() - began, 10)
        self.assert_problem(a, a.status, "timeout")
        self.assertIn(a.status, (500, 503))
        self.assertEqual(d.ask("GET", "/api/v1/requests/%d" % a.json["request_id"]).json["disposition"], "failed")
        self.assertEqual(d.ask("GET", "/healthz").status, 200)
        self.assertEqual(d.ask("GET", "/api/v1/requests/%d" % old.json["request_id"]).status, 200)
        self.assertIn("odd", self.trouble(d))
        for _ in range(4):  # more than there are workers
            self.assertGreaterEqual(d.submit(self.csr).status, 500)
        self.assertTrue(d.module("odd")["quarantined"])
        d.stop()
        again = self.begin()
        self.assertTrue(self.ready(again))
        self.assertEqual(again.ask("GET", "/api/v1/requests/%d/certificate" % old.json["request_id"]).status, 200)

    def test_hang_does_not_keep_the_daemon_from_stopping(self):
        """Long before the deadline of the call; one call at a time, so that the next would wait for it."""
        self.source = ODD_POLICY.replace("CHY_IF_CONCURRENT", "0")
        d = self.odd("hang", ("ModuleTimeoutMilliseconds", 600000))
        lost = threading.Thread(target=lambda: self.assertRaises(Exception, d.submit, self.csr))
        lost.start()
        time.sleep(0.5)
        began = time.monotonic()
        d.stop()
        self.assertLess(time.monotonic() - began, 100)
        lost.join()

    def check_not_serving(self, d, *words):
        text = self.trouble(d)
        for word in words:
            self.assertIn(word, text)
        self.assert_problem(d.submit(self.csr), 503, "server-suspended")
        self.assertEqual(d.ask("GET", "/healthz").status, 200)
        self.assertEqual(d.ask("GET", "/api/v1/ca").status, 200)
        self.assertFalse(d.ask("GET", "/api/v1/modules").json["modules"][0]["loaded"])

    def test_missing(self):
        d = self.begin()
        id = d.submit(self.csr).json["request_id"]
        d.set("PolicyModules/Active", "nowhere")
        d.stop()
        d = self.begin()
        self.check_not_serving(d, "nowhere")
        self.assertEqual(d.ask("GET", "/api/v1/requests/%d/certificate" % id).status, 200)
        d.unset("PolicyModules/Active")
        d.stop()
        self.assertEqual(self.begin().submit(self.csr).status, 201)

    def test_none_configured(self):
        self.configure(("PolicyModules/Active", ""))
        self.check_not_serving(self.begin(), "PolicyModules/Active")

    def test_not_a_module(self):
        for name, data in (("text.so", b"hello"), ("empty.so", b"")):
            path = self.file(data, name)
            os.chmod(path, 0o755)
            self.configure(("PolicyModules/Active", path))
            with Daemon.of_dir(self.path) as d:
                self.check_not_serving(d, name)

    def test_module_that_others_may_write(self):
        path = self.module("odd", ODD_POLICY)
        os.chmod(path, 0o777)
        self.configure(("PolicyModules/Active", path))
        self.check_not_serving(self.begin(), "may write it")

    def test_wrong_abi(self):
        for old, new, word in (("CHY_MODULE_MAGIC, sizeof", "0x12345678, sizeof", "magic"),
                               ("CHY_ABI_VERSION, 0, \"odd\"", "0x00ff0000, 0, \"odd\"", "ABI"),
                               ("sizeof info, CHY", "8, CHY", "octets"),
                               ("chy_module_entry(void) {", "other_entry(void) {", "chy_module_entry"),
                               ("\"Odd.Policy\", NULL", "\"Odd.Exit\", NULL", "olicy")):
            with self.subTest(word):
                self.configure(("PolicyModules/Active", self.module("odd", ODD_POLICY.replace(old, new))))
                with Daemon.of_dir(self.path) as d:
                    self.check_not_serving(d, word)


class Exit(Served):
    def warnings(self, d):
        a = d.ask("GET", "/readyz")
        self.assertEqual(a.status, 200, a)
        return a.json["cas"][0]["warnings"]

    def test_broken_one_is_a_warning(self):
        self.configure(("ExitModules/Active", ["exit-publish", "nowhere"]))
        d = self.begin()
        self.assertIn("nowhere", self.warnings(d))
        self.assertEqual(d.submit(self.csr).status, 201)
        self.assertFalse(d.module("nowhere")["loaded"])
        self.assertTrue(d.module("exit-publish")["loaded"])

    def test_hanging_one_holds_nothing_up_and_its_events_stay_owed(self):
        out = self.temp()
        slow = self.module("slow", HANGING_EXIT)
        self.configure(("ExitModules/Active", [slow, "exit-publish"]),
                       ("ExitModules/exit-publish/Folder", out), ("ExitModules/exit-publish/Always", 1),
                       ("ModuleTimeoutMilliseconds", 300))
        d = self.begin()
        ids = [d.submit(self.csr).json["request_id"] for _ in range(5)]
        expected = sorted("%d.cer" % i for i in ids)
        self.assertTrue(until(lambda: sorted(f for f in os.listdir(out) if f[0] != ".") == expected), os.listdir(out))
        self.assertTrue(until(lambda: self.warnings(d)))
        self.assertIn("slow", self.warnings(d))
        d.stop()
        with self.database() as db:
            owed = db.execute("SELECT request_id,module FROM outbox ORDER BY seq").fetchall()
        db.close()
        self.assertEqual([i for i, _ in owed], ids)
        os.rename(self.module("slow", HANGING_EXIT.replace("for (;;) sleep(1);", "return CHY_S_OK;")), slow)
        d = self.begin()
        self.assertTrue(until(lambda: d.metric("exit_calls_total") == len(ids)), d.metric("exit_calls_total"))
        d.stop()
        with self.database() as db:
            self.assertEqual(db.execute("SELECT * FROM outbox").fetchall(), [])
        db.close()


    def test_hanging_one_does_not_keep_the_daemon_from_stopping(self):
        """Told of what is not owed, on the threads that serve requests."""
        daemons = []
        for event in ("STARTUP", "CERTRETRIEVEPENDING", "SHUTDOWN"):
            self.setUp()
            slow = self.module("slow", HANGING_EXIT.replace("CERTISSUED", event))
            self.configure(("ExitModules/Active", [slow]), ("ModuleTimeoutMilliseconds", 200))
            d = self.begin()
            for _ in range(2):
                id = d.submit(self.csr).json["request_id"]
                self.assertEqual(d.ask("GET", "/api/v1/requests/%d/certificate" % id).status, 200)
            if event != "SHUTDOWN":
                self.assertTrue(until(lambda: self.warnings(d)))
            self.assertEqual(d.submit(self.csr).status, 201)
            daemons.append(d)
        for d in daemons:
            d.send(signal.SIGTERM)
        for d in daemons:
            d.stop()


class LateBinding(Served):
    """The same module through its tables and through Invoke."""

    def answers(self, binding):
        self.configure(("ModuleBinding", binding), ("PolicyModules/Active", "example-policy"),
                       ("PolicyModules/example-policy/Domain", "example.test"),
                       ("ExitModules/Active", ["example-exit"]),
                       ("ExitModules/example-exit/File", os.path.join(self.out, binding)))
        with Daemon.of_dir(self.path) as d:
            for name in ("example-policy", "example-exit"):
                self.assertEqual(d.module(name)["binding"], binding)
            seen = []
            for subject in ("/CN=www.example.test", "/CN=www.elsewhere.test", "/O=None", "/CN=a.b.example.test"):
                a = d.submit(make_csr([], subject))
                seen.append((a.status, a.json["disposition"], a.json["message"]))
                if a.status == 201:
                    c = Certificate(a.json["certificate"])
                    seen.append((c.subject, c.issuer, c.not_after - c.not_before,
                                 c.text.split("X509v3 extensions:")[1].split("Signature Algorithm")[0]))
            self.assertTrue(until(lambda: d.metric("exit_backlog") == 0))
        with open(os.path.join(self.out, binding)) as f:
            published = [line.split("\t")[2:4] for line in f]
        return seen, published

    def test_shows_the_same(self):
        self.out = self.temp()
        direct = self.answers("direct")
        late = self.answers("late")
        self.assertEqual(direct, late)
        self.assertEqual([s[0] for s in direct[0] if isinstance(s[0], int)], [201, 403, 403, 201])
        self.assertEqual(len(direct[1]), 2)


if __name__ == "__main__":
    daemon.main()
