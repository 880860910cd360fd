"""Another policy module over the requests of the past: what would have come out differently."""
import hashlib
import json
import os
import sqlite3
import threading
import time

import daemon
from daemon import CHANCERY, MODULES, Case, Daemon, make_ca, make_csr, run

CLIENT_AUTH = "300a06082b06010505070302"
DEFAULT = os.path.join(MODULES, "policy-default.so")
# Behaves by the first word of the common name; everything else it issues as policy-default's tls-server does not.
ODD = r"""
#include <chancery/easy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
struct rules { char how[32], file[256]; };
static chy_hresult init(chy_task *task)
{
    struct rules *r = task->state;
    chy_hresult hr = chy_setting_text(task->host, "How", "well", r->how, sizeof r->how);
    if (CHY_SUCCEEDED(hr)) hr = chy_setting_text(task->host, "File", "", r->file, sizeof r->file);
    if (!strcmp(r->how, "abort")) abort();
    if (!strcmp(r->how, "hang")) for (;;) pause();
    if (!strcmp(r->how, "refuse")) return CHY_E_ACCESSDENIED;
    return hr;
}
static chy_long verify(chy_task *task)
{
    const struct rules *r = task->state;
    char name[256] = "", colour[64] = "";
    chy_long id = 0;
    if (CHY_FAILED(chy_request_text(task, "CommonName", name, sizeof name)))
        return chy_deny(task, CHY_E_ACCESSDENIED, "no name");
    if (!strncmp(name, "crash", 5) || !strcmp(r->how, "crash")) abort();
    if (!strncmp(name, "hang", 4)) for (;;) pause();
    if (!strncmp(name, "exit", 4)) _exit(0);
    if (!strncmp(name, "odd", 3)) return 77;
    if (!strncmp(name, "print", 5)) { puts("noise"); fputs("noise", stderr); fflush(NULL); }
    if (!strncmp(name, "write", 5)) {
        FILE *f = fopen(r->file, "w");
        if (f) { fputs("written", f); fclose(f); }
    }
    if (CHY_SUCCEEDED(chy_attribute_text(task, "Colour", "", colour, sizeof colour)) && !strcmp(colour, "red"))
        return chy_deny(task, CHY_E_ACCESSDENIED, "red is out of fashion");
    chy_request_long(task, "RequestID", &id);
    chy_set_subject(task, name);
    chy_set_dns_name(task, name);
    chy_set_key_usage(task, CHY_KU_DIGITAL_SIGNATURE);
    chy_set_purpose(task, CHY_EKU_CLIENT_AUTH);
    return !strncmp(name, "wait", 4) ? CHY_VR_PENDING : CHY_VR_INSTANT_OK;
}
CHY_POLICY_MODULE("odd", "Odd.Policy", "1.0", "Behaves by the name", struct rules, init, verify);
"""


class Replay(Case):
    @classmethod
    def setUpClass(cls):
        cls.path = daemon.folder()
        cls.addClassCleanup(daemon.shutil.rmtree, cls.path, ignore_errors=True)
        cls.ca_dir = make_ca(cls.path, "--issue")
        cls.odd = os.path.join(cls.path, "odd.so")
        source = os.path.join(cls.path, "odd.c")
        with open(source, "w") as f:
            f.write(ODD)
        run("cc", "-std=c17", "-D_GNU_SOURCE", "-fPIC", "-shared", "-I", daemon.INCLUDE, "-o", cls.odd, source)
        os.chmod(cls.odd, 0o755)
        cls.d = Daemon.of_dir(cls.path)
        cls.addClassCleanup(cls.d.close)
        cls.addClassCleanup(cls.d.stop)
        for setting, value in (("Pending", 1), ("AllowedSubject", "CommonName"), ("SanTypes", "dns")):
            cls.d.policy("Profiles/waits/" + setting, value)

    def setUp(self):
        time.sleep(0.01)
        self.began = time.time()

    def ask_for(self, name, **more):
        return self.d.submit(make_csr(("DNS:" + name,), "/CN=" + name), **more).json

    def replay(self, module, *options, since=None):
        argv = [CHANCERY, "policy", "replay", "--module", module, "--dir", self.path]
        argv += ["--since", time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since or self.began)) + ".%06dZ" %
                 int((since or self.began) % 1 * 1e6)]
        return run(*argv, *options, check=False)

    def differences(self, module, *options, status=1):
        got = self.replay(module, *options, "--json")
        self.assertEqual(got.returncode, status, got)
        found = json.loads(got.stdout)
        return {d["request_id"]: d for d in found["differences"]}, found

    def pending(self, *deeds):
        id = self.ask_for("www.example.test", query="?profile=waits")["request_id"]
        for change in deeds:
            answer = self.d.ask("PATCH", "/api/v1/requests/%d" % id, json.dumps(change), {"Content-Type": "application/json"})
            self.assertEqual(answer.status, 202, answer)
        self.assertEqual(self.d.ask("POST", "/api/v1/requests/%d/resubmit" % id).json["disposition"], "issued")
        return id

    def content(self):
        db = sqlite3.connect("file:%s?mode=ro" % os.path.join(self.ca_dir, "ca.db"), uri=True)
        tables = [n for n, in db.execute("SELECT name FROM sqlite_schema WHERE type='table' ORDER BY name")]
        found = {t: db.execute("SELECT * FROM %s ORDER BY 1" % t).fetchall() for t in tables}
        db.close()
        return found

    def test_the_module_that_decided_decides_alike(self):
        self.ask_for("www.example.test")
        self.d.submit(make_csr(["email:a@example.test"], "/"))
        self.d.submit(make_csr(kind="rsa1024"))
        self.pending({"attributes": {"Colour": "red"}}, {"extension": {"oid": "2.5.29.37", "hex": CLIENT_AUTH}})
        serial = self.ask_for("revoked.example.test")["serial"]
        self.assertEqual(self.d.ask("POST", "/api/v1/certificates/%s/revoke" % serial, "{}",
                                    {"Content-Type": "application/json"}).status, 200)
        _, found = self.differences(DEFAULT, status=0)
        self.assertEqual((found["requests"], found["same"], found["skipped"], found["failed"]), (5, 4, 1, 0))
        self.assertEqual(found["module"], "policy-default")
        self.assertEqual(found["other_settings"], 0)

    def test_zz_nothing_is_written_and_no_daemon_is_needed(self):
        """The last one: it stops the daemon."""
        self.ask_for("www.example.test")
        self.d.stop()
        key = os.path.join(self.ca_dir, "key.pem")
        os.rename(key, key + ".away")
        before = self.content()
        with open(os.path.join(self.ca_dir, "ca.db"), "rb") as f:
            octets = hashlib.sha256(f.read()).digest()
        try:
            got = self.replay(self.odd)
        finally:
            os.rename(key + ".away", key)
        self.assertEqual(got.returncode, 1, got)
        with open(os.path.join(self.ca_dir, "ca.db"), "rb") as f:
            self.assertEqual(hashlib.sha256(f.read()).digest(), octets)
        self.assertEqual(self.content(), before)
        with Daemon.of_dir(self.path) as d:
            self.assertEqual(d.submit(make_csr()).status, 201)

    def test_beside_a_daemon_that_goes_on(self):
        for i in range(5):
            self.ask_for("w%d.example.test" % i)
        stop, issued = threading.Event(), []

        def submit():
            while not stop.is_set():
                issued.append(self.d.submit(make_csr()).status)
        t = threading.Thread(target=submit)
        t.start()
        try:
            for _ in range(2):
                self.assertEqual(self.replay(DEFAULT).returncode, 0)
        finally:
            stop.set()
            t.join()
        self.assertEqual(set(issued), {201})

    def test_what_is_different_is_shown(self):
        id = self.ask_for("www.example.test")["request_id"]
        found, _ = self.differences(DEFAULT, "--set", "Profiles/tls-server/ValidityDays=30")
        (c,) = found[id]["changes"]
        self.assertEqual((c["what"], c["name"]), ("validity", "NotAfter"))
        self.assertEqual((found[id]["was"]["disposition"], found[id]["would"]["disposition"]), ("issued", "issued"))
        found, _ = self.differences(self.odd)
        changes = {c["name"]: (c["before"] and c["before"]["text"], c["after"] and c["after"]["text"]) for c in found[id]["changes"]}
        self.assertEqual(changes.pop("NotAfter")[0], self.d.ask("GET", "/api/v1/requests/%d" % id).json["not_after"])
        self.assertEqual(changes, {"extKeyUsage": ("serverAuth", "clientAuth")})
        text = self.replay(self.odd).stdout.decode()
        self.assertIn("request %d: issued, with another certificate\n" % id, text)
        self.assertIn("    extKeyUsage: serverAuth (granted) → clientAuth (granted)\n", text)
        self.assertIn("1 requests: 0 the same, 1 different, 0 failed, 0 skipped\n", text)

    def test_as_of_its_own_time_and_settings(self):
        id = self.ask_for("www.example.test")["request_id"]
        self.d.policy("Profiles/tls-server/ValidityDays", 30)
        try:
            found, all_of_it = self.differences(DEFAULT)
            self.assertTrue(found[id]["other_settings"])
            self.assertEqual(all_of_it["other_settings"], 1)
            self.assertIn("(the settings have changed since)", self.replay(DEFAULT).stdout.decode())
        finally:
            self.d.unset("PolicyModules/policy-default/Profiles/tls-server/ValidityDays")
        time.sleep(2.2)  # more than what two times may differ
        self.assertEqual(self.replay(DEFAULT).returncode, 0)

    def test_a_pending_request_is_lived_through(self):
        red = self.pending({"attributes": {"Colour": "red"}})
        blue = self.pending({"attributes": {"Colour": "blue"}})
        found, _ = self.differences(self.odd)
        # It would not have waited: that is where the two part.
        self.assertEqual([(found[i]["was"]["number"], found[i]["would"]["disposition"]) for i in (red, blue)],
                         [(0, "issued"), (0, "issued")])
        id = self.ask_for("wait.example.test", query="?profile=waits")["request_id"]
        self.d.ask("PATCH", "/api/v1/requests/%d" % id, json.dumps({"attributes": {"Colour": "red"}}),
                   {"Content-Type": "application/json"})
        self.assertEqual(self.d.ask("POST", "/api/v1/requests/%d/resubmit" % id).json["disposition"], "issued")
        found, _ = self.differences(self.odd)
        self.assertEqual((found[id]["was"]["number"], found[id]["was"]["disposition"], found[id]["would"]["disposition"]),
                         (2, "issued", "denied"))
        self.assertIn("red is out of fashion", found[id]["would"]["message"])

    def test_a_broken_candidate_costs_its_answer(self):
        target = os.path.join(self.temp(), "file")
        ids = {n: self.ask_for(n + ".example.test")["request_id"]
               for n in ("first", "crash", "good", "hang", "odd", "exit", "print", "write", "last")}
        found, counts = self.differences(self.odd, "--deadline", "300", "--set", "File=" + target)
        self.assertEqual({n: found[i]["outcome"] for n, i in ids.items()},
                         {"first": "different", "crash": "failed", "good": "different", "hang": "failed", "odd": "different",
                          "exit": "failed", "print": "different", "write": "different", "last": "different"})
        self.assertIn("signal 6", found[ids["crash"]]["why"])
        self.assertIn("deadline of 300 ms", found[ids["hang"]]["why"])
        self.assertEqual(found[ids["odd"]]["would"]["disposition"], "failed")
        self.assertEqual(os.path.getsize(target) if os.path.exists(target) else 0, 0)
        self.assertEqual(counts["failed"], 3)
        self.assertEqual(self.replay(self.odd, "--deadline", "300").stderr, b"")

    def test_one_that_always_fails_is_given_up(self):
        for i in range(6):
            self.ask_for("w%d.example.test" % i)
        got = self.replay(self.odd, "--set", "How=crash")
        self.assertEqual(got.returncode, 1)
        self.assertIn(b"failed 5 times one after the other", got.stderr)

    def test_one_that_does_not_load(self):
        for how, word in (("abort", b"while it was loaded"), ("refuse", b"Initialize failed"),
                          ("hang", b"deadline of 300 ms while it was loaded")):
            got = self.replay(self.odd, "--set", "How=" + how, "--deadline", "300")
            self.assertEqual(got.returncode, 2, got)
            self.assertIn(word, got.stderr)
        got = self.replay(os.path.join(MODULES, "exit-publish.so"))
        self.assertEqual((got.returncode, b"has no class" in got.stderr), (2, True), got)
        got = self.replay(self.file(b"no module", "x.so"))
        self.assertEqual(got.returncode, 2, got)

    def test_which_requests(self):
        before = time.time()
        time.sleep(0.01)
        self.ask_for("www.example.test")
        for since, n in (("1h", None), ("%d" % (before + 3600), 0)):
            got = run(CHANCERY, "policy", "replay", "--module", DEFAULT, "--dir", self.ca_dir, "--since", since, "--json")
            requests = json.loads(got.stdout)["requests"]
            self.assertTrue(requests == n if n is not None else requests >= 1, requests)
        for wrong in (["--since", "soon"], ["--dir", "/nowhere"], ["--set", "x"], ["--deadline", "0"], ["--ca", "Another"]):
            argv = [CHANCERY, "policy", "replay", "--module", DEFAULT] + (["--dir", self.path] if "--dir" not in wrong else [])
            self.assertEqual(run(*argv, *wrong, check=False).returncode, 2, wrong)
        self.assertEqual(run(CHANCERY, "policy", "replay", "--dir", self.path, check=False).returncode, 2)
        got = run(CHANCERY, "policy", "replay", "--module", DEFAULT, "--dir", self.path, "--ca", "Test CA", check=False)
        self.assertIn(got.returncode, (0, 1), got)


if __name__ == "__main__":
    daemon.main()
