"""Modules in a process of their own: whatever one does there costs the call in which it does it."""
import os
import pwd
import re
import shutil
import tempfile
import threading
import time
import unittest

from daemon import BIN, CHANCERY, CHANCERYD, MODULES, TREE, Case, Daemon, make_ca, make_csr, run, until

SINS = os.path.normpath(os.path.join(BIN, "../tests/sins"))
POLICY = "Modules/sin-policy/"
with open(CHANCERYD, "rb") as program:
    code = program.read()
    SANITIZED = b"__asan_init" in code or b"__tsan_init" in code

# What becomes of the call: the message of the request. Each in a child, with the next request issued.
IN_A_CHILD = [
    ("abort", r"signal 6 \(SIGABRT\)"),
    ("segv", r"signal 11 \(SIGSEGV\)"),
    ("exit", r"ended itself with status 0"),
    ("hang", r"overran its deadline"),
    ("spin", r"overran its deadline"),
    ("leak", r"it was stopped|signal"),
    ("fork", r"fork: Operation not permitted"),
    ("exec", r"exec: Operation not permitted"),
    ("socket", r"socket: Operation not permitted"),
    ("local-socket", r"local socket: Operation not permitted"),
    ("datagram", r"datagram: Operation not permitted"),
    ("memory-file", r"memory file: Function not implemented"),
    ("kill", r"kill: Operation not permitted"),
    ("ptrace", r"signal 31 \(SIGSYS\)"),
    ("mount", r"signal 31 \(SIGSYS\)"),
    ("key", r"Secret: Permission denied"),
    ("write", r"Free: Permission denied"),
    ("etc", r"shadow: Permission denied"),
    ("descriptors", r"descriptors: few; environment: none"),
    ("garbage", r"what nobody understands"),
    ("twice", r"what nobody understands"),
    ("close", r"closed its socket|nobody understands|ended itself"),
    ("sizes", r"sizes: 0x8|signal"),
    ("stale", r"stale: 0x00000000"),
    ("stale", r"stale: 0x80070006"),
    ("threads", r"threads: 4"),
    ("chatter", r"chatter: said"),
]
# What a module may do in the daemon and leave it whole. The others end it, or take the module out of use.
IN_THE_DAEMON = [("stale", r"stale: 0x00000000"), ("stale", r"stale: 0x80070006"), ("sizes", r"sizes: 0x8"),
                 ("chatter", r"chatter: said"), ("fork", r"fork: it worked")]


SLOW = "CHANCERY_SLOW" in os.environ
LIKE_OTHERS = ("segv", "spin", "mount", "twice", "garbage", "socket", "etc")  # shown with the slow tests


class Isolation(Case):
    def begin(self, settings, modules="sin-policy", exits=()):
        """A CA whose policy sins, in the second life of its daemon: the settings count from a start."""
        self.path = self.temp()
        self.ca = make_ca(self.path)
        self.sins = os.path.join(self.path, "sins")
        os.mkdir(self.sins, 0o700)
        for name in os.listdir(SINS):
            shutil.copy(os.path.join(SINS, name), self.sins)
        first = Daemon.of_dir(self.path)
        self.addCleanup(first.close)
        first.set("PolicyModules/Active", os.path.join(self.sins, modules + ".so"))
        first.set("ExitModules/Active", [os.path.join(self.sins, e + ".so") for e in exits])
        (key,) = [e.path for e in os.scandir(self.ca) if "key" in e.name]
        first.set("PolicyModules/sin-policy/Secret", key)
        first.set("PolicyModules/sin-policy/Free", os.path.join(self.sins, "written"))
        for name, value in settings.items():
            first.set(name, value)
        first.stop()
        return self.again()

    def again(self):
        d = Daemon.of_dir(self.path)
        self.addCleanup(d.close)
        return d

    def sin(self, d, name):
        return d.submit(self.csr, {"Sin": name})

    def setUp(self):
        self.csr = make_csr()

    def issues(self, d, seconds=30):
        """While a child is started again requests are refused: soon they are not."""
        answers = []

        def issued():
            answers.append(d.submit(self.csr))
            return answers[-1].status == 201
        self.assertTrue(until(issued, seconds), "%s\n%s" % (answers[-1], d.stderr()))
        return len(answers)

    def ready(self, d):
        return d.ask("GET", "/readyz").status == 200

    def test_every_sin_in_a_child(self):
        d = self.begin({POLICY + "Host": "process", POLICY + "Deadline": 1500})
        self.issues(d)
        module = d.module("sin-policy")
        self.assertEqual((module["host"], module["state"], module["concurrent"]), ("process", "up", False))
        self.assertIn("seccomp", module["confined"])
        for name, expected in IN_A_CHILD:
            if name == "leak" and SANITIZED:  # their shadow memory allows no limit
                continue
            if name in LIKE_OTHERS and not SLOW:
                continue
            with self.subTest(name):
                a = self.sin(d, name)
                self.assertNotEqual(a.status, 201, a)
                self.assertRegex(a.body.decode(), expected, d.stderr()[-2000:])
                self.issues(d)
        module = d.module("sin-policy")
        kills = 2 if SLOW else 1
        self.assertGreaterEqual(module["restarts"], 9 if SLOW else 5)
        self.assertEqual(module["deadline_kills"], kills)
        text = d.ask("GET", "/metrics").body.decode()
        for name, value in (("restarts_total", module["restarts"]), ("deadline_kills_total", kills), ("quarantined", 0)):
            self.assertRegex(text, r'chancery_module_%s{ca="Test CA",module="sin-policy"} %d\n' % (name, value))
        self.assertTrue(self.ready(d))
        self.assertIn('text="chatter 1"', d.stop())

    def test_what_is_granted(self):
        d = self.begin({POLICY + "Host": "process", POLICY + "Network": 1})
        out = os.path.join(self.path, "out")
        os.mkdir(out, 0o700)
        os.chmod(self.path, 0o755)
        if os.getuid() == 0:  # a path grants nothing that the child's user could not do
            d.set(POLICY + "User", "nobody")
            os.chown(out, pwd.getpwnam("nobody").pw_uid, -1)
        d.set(POLICY + "WritePaths", [out])
        d.set("PolicyModules/sin-policy/Free", os.path.join(out, "written"))
        d.stop()
        d = self.again()
        self.assertRegex(self.sin(d, "socket").body.decode(), "socket: it worked")
        self.assertRegex(self.sin(d, "local-socket").body.decode(), "local socket: Operation not permitted")
        self.assertRegex(self.sin(d, "key").body.decode(), "Secret: Permission denied")
        self.assertRegex(self.sin(d, "write").body.decode(), "Free: it worked")
        self.assertTrue(os.path.exists(os.path.join(out, "written")))
        d.stop()

    def test_the_daemon_outlives_what_it_can(self):
        d = self.begin({})
        self.assertEqual(d.module("sin-policy")["host"], "daemon")
        for name, expected in IN_THE_DAEMON:
            with self.subTest(name):
                self.assertRegex(self.sin(d, name).body.decode(), expected)
                self.issues(d)
        d.stop()

    def test_a_hang_in_the_daemon_leaves_the_rest(self):
        d = self.begin({POLICY + "Deadline": 500})
        self.issues(d)
        a = self.sin(d, "hang")
        self.assertNotEqual(a.status, 201)
        self.assertRegex(a.body.decode(), "deadline")
        self.assertTrue(until(lambda: not self.ready(d)))
        self.assertIn("out of use", d.ask("GET", "/readyz").body.decode())
        self.assertEqual(d.submit(self.csr).status, 503)
        for path in ("/healthz", "/api/v1/ca/cert", "/api/v1/requests", "/api/v1/certificates", "/api/v1/crl"):
            self.assertEqual(d.ask("GET", path).status, 200, path)
        self.assert_problem(d.ask("POST", "/api/v1/modules/sin-policy/reload"), 503, "timeout")
        d.stop()

    def test_quarantine_and_reload(self):
        d = self.begin({POLICY + "Host": "process", POLICY + "MaxFailures": 2})
        self.issues(d)
        self.assertRegex(self.sin(d, "abort").body.decode(), "signal 6")
        self.assertTrue(until(lambda: d.module("sin-policy")["state"] == "up"))
        self.assertRegex(self.sin(d, "abort").body.decode(), "signal 6")
        self.assertTrue(until(lambda: not self.ready(d)), d.stderr())
        self.assertEqual(d.module("sin-policy")["state"], "quarantined")
        self.assertEqual(d.module("sin-policy")["pid"], 0)
        self.assertIn("reload it", d.ask("GET", "/readyz").body.decode())
        self.assert_problem(d.submit(self.csr), 503)
        self.assertEqual(d.ask("GET", "/api/v1/ca/cert").status, 200)
        time.sleep(0.5)  # nothing starts it again by itself
        self.assertEqual(d.module("sin-policy")["state"], "quarantined")
        said = run(CHANCERY, "--socket", d.socket, "module", "reload", "sin-policy").stdout.decode()
        self.assertIn("in a new process", said)
        self.assertTrue(until(lambda: self.ready(d)))
        self.assertEqual(self.issues(d), 1)
        self.assertIn("module.quarantined", d.stop())

    def replace(self, source):
        """As an installation does: a new file under the old name."""
        new = os.path.join(self.sins, "new")
        if isinstance(source, bytes):
            with open(new, "wb") as f:
                f.write(source)
        else:
            shutil.copy(os.path.join(self.sins, source), new)
        os.rename(new, os.path.join(self.sins, "sin-policy.so"))

    def test_new_code_without_a_restart(self):
        d = self.begin({POLICY + "Host": "process"})
        self.issues(d)
        before = d.module("sin-policy")
        answers, stop = [], threading.Event()

        def go_on():
            while not stop.is_set():
                answers.append(d.submit(self.csr))
        threads = [threading.Thread(target=go_on) for _ in range(3)]
        for t in threads:
            t.start()
        try:
            self.replace("sin-policy-two.so")
            a = d.ask("POST", "/api/v1/modules/sin-policy/reload")
        finally:
            time.sleep(0.3)
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(a.status, 200, a)
        self.assertEqual((a.json["reloaded"], a.json["version"]), ("code", "2.0"))
        self.assertEqual({x.status for x in answers}, {201}, d.stderr()[-2000:])
        after = d.module("sin-policy")
        self.assertEqual((before["version"], after["version"]), ("1.0", "2.0"))
        self.assertNotEqual(before["sha256"], after["sha256"])
        self.assertNotEqual(before["pid"], after["pid"])
        self.assertTrue(until(lambda: not os.path.exists("/proc/%d" % before["pid"])))
        # What does not come up takes nothing away.
        for source in (b"no library\n", "sin-exit.so"):
            self.replace(source)
            a = d.ask("POST", "/api/v1/modules/sin-policy/reload")
            self.assertGreaterEqual(a.status, 400, a)
            self.assertIn("stays as it is", a.body.decode())
            self.assertEqual(d.module("sin-policy")["pid"], after["pid"])
            self.issues(d)
        self.replace("sin-policy-two.so")
        d.set("PolicyModules/sin-policy/Start", "fail")
        a = d.ask("POST", "/api/v1/modules/sin-policy/reload")
        self.assertIn("Initialize failed", a.body.decode())
        self.assertEqual(self.issues(d), 1)
        # What ends what runs as well: no start succeeds until the setting is mended.
        d.set("PolicyModules/sin-policy/Start", "abort")
        a = d.ask("POST", "/api/v1/modules/sin-policy/reload")
        self.assertIn("signal 6", a.body.decode())
        self.assertTrue(until(lambda: d.module("sin-policy")["state"] == "quarantined"))
        d.set("PolicyModules/sin-policy/Start", "")
        self.assertEqual(d.ask("POST", "/api/v1/modules/sin-policy/reload").status, 200)
        self.assertTrue(until(lambda: self.ready(d)))
        self.assertEqual(self.issues(d), 1)
        self.assertEqual(d.ask("POST", "/api/v1/modules/nobody/reload").status, 404)
        d.stop()

    def test_those_beside_it_are_asked_again(self):
        """Calls that share a process with one that ends it are made anew; that one fails."""
        d = self.begin({"Modules/sin-crowd/Host": "process", "Modules/sin-crowd/Deadline": 20000}, "sin-crowd")
        self.assertTrue(d.module("sin-crowd")["concurrent"])
        self.issues(d)
        answers, stop = [], threading.Event()

        def go_on():
            while not stop.is_set():
                answers.append(d.submit(self.csr))
        threads = [threading.Thread(target=go_on) for _ in range(3)]
        for t in threads:
            t.start()
        try:
            sins = [self.sin(d, "abort") for _ in range(3)]
        finally:
            stop.set()
            for t in threads:
                t.join()
        for a in sins:
            self.assertRegex(a.body.decode(), "signal 6")
        self.assertEqual({a.status for a in answers}, {201}, d.stderr()[-3000:])
        d.stop()

    def test_exit_module(self):
        d = self.begin({"Modules/sin-exit/Host": "process", "Modules/sin-exit/Deadline": 1000}, exits=["sin-exit"])
        name = os.path.join(self.sins, "sin-exit.so")
        self.assertEqual(d.module(name)["host"], "process")
        for n, sin in enumerate(("abort", "hang", "garbage")):
            a = d.submit(self.csr, {"ExitSin": sin})
            self.assertEqual(a.status, 201, a)
            self.assertTrue(until(lambda: d.module(name)["restarts"] == n + 1, 40), "%s\n%s" % (sin, d.stderr()[-2000:]))
            told = d.stderr().count("text=told")
            self.issues(d)
            self.assertTrue(until(lambda: d.stderr().count("text=told") > told, 40), d.stderr()[-2000:])
        d.stop()

    def test_children_end_with_the_daemon(self):
        d = self.begin({POLICY + "Host": "process"})
        self.issues(d)
        pid = d.module("sin-policy")["pid"]

        def ticks():
            with open("/proc/%d/stat" % pid) as f:
                return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
        before = ticks()
        time.sleep(0.5)
        self.assertEqual(ticks(), before)  # it waits, and does nothing else
        with open("/proc/%d/status" % pid) as f:
            status = f.read()
        self.assertRegex(status, r"NoNewPrivs:\s1\n")
        self.assertRegex(status, r"Seccomp:\s2\n")
        self.assertRegex(status, r"CapEff:\s0{16}\n")
        if os.getuid() == 0:
            self.assertNotRegex(status, r"Uid:\s0\s")
        d.kill()
        self.assertTrue(until(lambda: not os.path.exists("/proc/%d" % pid)))
        d = self.again()
        pid = d.module("sin-policy")["pid"]
        d.stop()
        self.assertFalse(os.path.exists("/proc/%d" % pid))

    def test_settings_of_a_child_count_at_once(self):
        d = self.begin({"Modules/policy-default/Host": "process", "PolicyModules/Active": "policy-default",
                        "PolicyModules/policy-default/RequestDisposition": 1})
        a = d.submit(self.csr)
        self.assertEqual(a.status, 201)
        (decision,) = d.ask("GET", "/api/v1/requests/%d/evidence" % a.json["request_id"]).json["decisions"]
        self.assertEqual((decision["module"]["name"], decision["module"]["host"]), ("policy-default", "process"))
        d.policy("RequestDisposition", 0)
        self.assertEqual(d.submit(self.csr).status, 202)
        a = d.ask("POST", "/api/v1/modules/policy-default/reload")
        self.assertEqual((a.status, a.json["reloaded"]), (200, "code"))
        self.assertEqual(d.submit(self.csr).status, 202)
        d.stop()

    def test_shipped_modules_with_what_they_need(self):
        out = tempfile.mkdtemp(dir="/dev/shm")
        self.addCleanup(shutil.rmtree, out)
        if os.getuid() == 0:
            os.chown(out, pwd.getpwnam("nobody").pw_uid, -1)
        chain = "PolicyModules/policy-chain/"
        d = self.begin({"PolicyModules/Active": "policy-chain", "Modules/policy-chain/Host": "process",
                        chain + "Modules": [os.path.join(MODULES, m + ".so") for m in ("policy-default", "policy-rules")],
                        "Modules/policy-chain/ReadPaths": [MODULES],
                        chain + "policy-default/RequestDisposition": 1, chain + "policy-rules/NoRules": "pass",
                        "ExitModules/Active": ["exit-publish"], "Modules/exit-publish/Host": "process",
                        "Modules/exit-publish/User": "nobody" if os.getuid() == 0 else "",
                        "Modules/exit-publish/WritePaths": [out], "ExitModules/exit-publish/Folder": out,
                        "ExitModules/exit-publish/CRLDirectory": out})
        for name in ("policy-chain", "exit-publish"):
            self.assertEqual(d.module(name)["host"], "process", d.stderr())
        self.issues(d)
        a = d.ask("POST", "/api/v1/crl", "{}", {"Content-Type": "application/json"})
        self.assertIn(a.status, (200, 201, 202), a)
        self.assertTrue(until(lambda: os.path.exists(os.path.join(out, "Test CA.crl"))), d.stderr())
        d.stop()

    def test_the_page(self):
        """The settings in docs/isolation.md are those that there are, with the defaults that they have."""
        with open(os.path.join(TREE, "docs/isolation.md")) as f:
            rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|", f.read(), re.M)
        with open(os.path.join(TREE, "src/ca/config.c")) as f:
            table = f.read().split("of_each_module[] = {")[1].split("};")[0]
        known = set(re.findall(r'{"(\w+)"', table))
        self.assertEqual({name for name, _, _ in rows} | {"Paused", "RetryHours", "Synchronous"}, known | {"RetryHours"})
        d = self.start()
        for name, _, default in rows:
            value = d.ask("GET", "/api/v1/config/Modules/acme/" + name).json["value"]
            said = {"none": [], "`daemon`": "daemon"}.get(default, default)
            if isinstance(value, int):
                self.assertEqual(value, int(re.match(r"\d+", default).group()), name)
            elif name != "User":
                self.assertEqual(value, said, name)
            d.set("Modules/acme/" + name, value)

    def test_reload_in_the_daemon_reads_settings(self):
        d = self.start()
        a = d.ask("POST", "/api/v1/modules/policy-default/reload")
        self.assertEqual((a.status, a.json["reloaded"]), (200, "settings"))
        self.assertEqual(d.ask_http("POST", "/api/v1/modules/policy-default/reload", token=False).status, 403)


if __name__ == "__main__":
    unittest.main()
