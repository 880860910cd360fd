"""exit-webhook: events of the real daemon at a real HTTPS server, and what its page in docs/ says."""
import base64
import os
import re
import shlex
import subprocess

import daemon
from daemon import CHANCERY, Case, Certificate, Daemon, free_port, main, make_ca, make_csr, run, until
from receiver import OTHER, SECRET, Receiver, verify

PAGE = os.path.join(daemon.TREE, "docs/modules/exit-webhook.md")
SOURCE = os.path.join(daemon.TREE, "modules/exit-webhook/settings.c")
MINE = "ExitModules/exit-webhook/"


class Hook(Case):
    def setUp(self):
        self.path = self.temp()
        make_ca(self.path, "--key", "p256")
        self.receiver = Receiver(self.temp())
        self.addCleanup(self.receiver.close)

    def begin(self, where="status-200", **settings):
        settings.setdefault("URL", "https://localhost:%d/%s" % (self.receiver.https, where))
        settings.setdefault("CACertFile", self.receiver.file("ca.pem"))
        settings.setdefault("SecretFile", self.receiver.file("secret"))
        with Daemon.of_dir(self.path) as d:
            for name, value in settings.items():
                d.set(MINE + name, value)
            d.set("ExitModules/Active", ["exit-webhook"])
            d.policy("RequestDisposition", 1)
        d = Daemon.of_dir(self.path)
        self.addCleanup(d.close)
        self.addCleanup(d.stop)
        self.assertTrue(d.module("exit-webhook")["loaded"], d.stderr())
        return d

    def posts(self, event=None, n=1):
        """The posts of this event, as soon as there are so many."""
        def have():
            with self.receiver.lock:
                return [p for p in self.receiver.posts if event in (None, p.headers["Chancery-Event"])]
        self.assertTrue(until(lambda: len(have()) >= n, 60), "%d of %s" % (len(have()), event))
        return have()


class Life(Hook):
    def test_of_a_certificate(self):
        d = self.begin(IncludeAttributes=1)
        issued = d.submit(make_csr(), attributes={"CertificateTemplate": "tls-server", "Cost-Center": "4711"})
        self.assertEqual(issued.status, 201, issued)
        serial = issued.json["serial"]
        (post,) = self.posts("certissued")
        told = post.json
        self.assertTrue(post.signed(SECRET))
        self.assertFalse(verify(post.headers["Chancery-Signature"], post.body + b" ", SECRET))
        self.assertFalse(verify(post.headers["Chancery-Signature"], post.body, SECRET, now=1))
        self.assertEqual(told["event"], "certissued")
        self.assertEqual(told["ca"]["name"], "Test CA")
        self.assertEqual(told["request"]["request_id"], issued.json["request_id"])
        self.assertEqual(told["request"]["disposition"], "issued")
        self.assertEqual(told["request"]["attributes"]["Cost-Center"], "4711")
        c = Certificate(told["certificate"]["pem"])
        self.assertEqual((c.serial, told["certificate"]["serial"]), (serial, serial))
        self.assertEqual(told["certificate"]["pem"], issued.json["certificate"])
        shown = d.ask("GET", "/api/v1/certificates/" + serial).json
        for name in ("not_before", "not_after", "subject"):
            self.assertEqual(told["certificate"][name], shown[name])
        for name in ("requester_name", "submitted_when", "resolved_when", "template_name", "message"):
            self.assertEqual(told["request"].get(name), shown[name] or None, name)
        a = d.ask("POST", "/api/v1/certificates/%s/revoke" % serial, '{"reason": "superseded"}',
                  {"Content-Type": "application/json"})
        self.assertEqual(a.status, 200, a)
        (post,) = self.posts("certrevoked")
        self.assertEqual(post.json["request"]["disposition"], "revoked")
        self.assertEqual(post.json["certificate"]["revoked_reason"], 4)
        self.assertRegex(post.json["certificate"]["revoked_when"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$")

    def test_of_a_hold_that_ends(self):
        d = self.begin()
        serial = d.submit(make_csr()).json["serial"]
        for what, body, event in (("revoke", '{"reason": "certificateHold"}', "certrevoked"), ("release", "{}", "certunrevoked")):
            a = d.ask("POST", "/api/v1/certificates/%s/%s" % (serial, what), body, {"Content-Type": "application/json"})
            self.assertEqual(a.status, 200, a)
            (post,) = self.posts(event)
            self.assertEqual(post.json["certificate"]["serial"], serial)

    def test_of_a_hold_that_began_and_ended_before_it_was_told(self):
        d = self.begin()
        serial = d.submit(make_csr()).json["serial"]
        self.posts("certissued")
        d.set("Modules/exit-webhook/Paused", 1)
        for what, body in (("revoke", '{"reason": "certificateHold"}'), ("release", "{}")):
            a = d.ask("POST", "/api/v1/certificates/%s/%s" % (serial, what), body, {"Content-Type": "application/json"})
            self.assertEqual(a.status, 200, a)
        d.set("Modules/exit-webhook/Paused", 0)
        self.posts("certunrevoked")
        self.assertEqual([p.json["event"] for p in self.posts()], ["certissued", "certrevoked", "certunrevoked"])

    def test_of_what_waits_and_is_denied(self):
        d = self.begin(Events=["certpending", "certdenied"])
        d.policy("RequestDisposition", 0)
        a = d.submit(make_csr())
        self.assertEqual(a.status, 202, a)
        (post,) = self.posts("certpending")
        self.assertEqual(post.json["request"]["disposition"], "pending")
        self.assertNotIn("certificate", post.json)
        d.ask("POST", "/api/v1/requests/%d/deny" % a.json["request_id"])
        (post,) = self.posts("certdenied")
        self.assertEqual(post.json["request"]["disposition"], "denied")
        self.assertNotEqual(post.json["request"]["status"], 0)
        d.policy("RequestDisposition", 1)
        self.assertEqual(d.submit(make_csr()).status, 201)
        d.stop()
        self.assertEqual(len(self.posts()), 2)

    def test_of_a_crl(self):
        d = self.begin()
        a = d.ask("POST", "/api/v1/crl", "{}", {"Content-Type": "application/json"})
        self.assertIn(a.status, (200, 201), a)
        shown = {(c["kind"], c["shard"]): c for c in d.ask("GET", "/api/v1/crl").json["crls"]}
        told = {}
        def newest():
            for p in self.posts("crlissued"):
                told.update({(c["kind"], c["shard"]): c for c in p.json["crls"]})
            return told.get(("base", 0), {}).get("number") == shown[("base", 0)]["number"]
        self.assertTrue(until(newest), (told, shown))
        for key, c in shown.items():
            for name in ("number", "this_update", "next_update", "size", "key_index"):
                self.assertEqual(told[key][name], c[name], (key, name))

    def test_cloud_event(self):
        d = self.begin(Format="cloudevents-binary", IncludeCertificate="der")
        issued = d.submit(make_csr()).json
        (post,) = self.posts("certissued")
        h = post.headers
        self.assertEqual((h["ce-specversion"], h["ce-type"], h["ce-subject"]),
                         ("1.0", "chancery.certissued", issued["serial"]))
        self.assertRegex(h["ce-source"], "^//[^/]+/ca/Test%2520CA$")
        self.assertEqual(h["ce-id"], post.json["id"])
        self.assertEqual(base64.b64decode(post.json["certificate"]["der"]), Certificate(issued["certificate"]).der)
        self.assertTrue(post.signed(SECRET))


class Again(Hook):
    """What the receiver does not take comes again, with the same key."""
    def test_a_server_that_fails_for_a_while(self):
        d = self.begin("after-2-500", Events=["certissued"])
        serial = d.submit(make_csr()).json["serial"]
        posts = self.posts("certissued", 3)
        self.assertEqual({p.json["certificate"]["serial"] for p in posts}, {serial})
        self.assertEqual(len({p.headers["Idempotency-Key"] for p in posts}), 1)
        self.assertEqual([p.headers["Chancery-Attempt"] for p in posts], ["1", "2", "3"])
        self.assertEqual(len({p.body for p in posts}), 1)
        self.assertTrue(all(p.signed(SECRET) for p in posts))

    def test_a_server_that_is_down(self):
        port = free_port()
        d = self.begin(URL="https://localhost:%d/status-200" % port, Events=["certissued", "certrevoked"])
        serial = d.submit(make_csr()).json["serial"]
        a = d.ask("POST", "/api/v1/certificates/%s/revoke" % serial, "{}", {"Content-Type": "application/json"})
        self.assertEqual(a.status, 200, a)
        def owed():
            return [(e["event"], e["event_id"], e["attempts"]) for e in d.ask("GET", "/api/v1/modules/exit-webhook/events").json["events"]]
        self.assertTrue(until(lambda: "localhost: Failed to connect" in d.stderr() and owed()[0][2], 60), d.stderr())
        names, ids, _ = zip(*owed())
        d.stop()
        self.receiver.serve("server", port=port)
        with Daemon.of_dir(self.path):
            self.posts("certrevoked")
        posts = self.posts()
        self.assertEqual([p.headers["Chancery-Event"] for p in posts], ["certissued", "certrevoked"])
        self.assertEqual(names, ("certissued", "certrevoked"))
        self.assertEqual([p.headers["Idempotency-Key"] for p in posts], list(ids))
        self.assertGreater(int(posts[0].headers["Chancery-Attempt"]), 1)


class Page(Hook):
    def page(self):
        with open(PAGE) as f:
            return f.read()

    def test_the_first_minute(self):
        lines = self.page().split("## The first minute")[1].split("\n## ")[0].splitlines()
        with Daemon.of_dir(self.path) as d:
            d.policy("RequestDisposition", 1)
            d.set(MINE + "CACertFile", self.receiver.file("ca.pem"))
            for line in lines:
                if line.startswith("    chancery "):
                    line = line.replace("/etc/chancery/webhook.secret", self.receiver.file("secret"))
                    line = line.replace("https://hooks.corp.example", "https://localhost:%d/status-200?" % self.receiver.https)
                    run(CHANCERY, *shlex.split(line)[1:], "--socket", d.socket)
        with Daemon.of_dir(self.path) as d:
            self.assertEqual(d.submit(make_csr()).status, 201)
            (post,) = self.posts("certissued")
            self.assertTrue(post.signed(SECRET))

    def test_settings_of_the_page_are_those_of_the_code(self):
        with open(SOURCE) as f:
            code = set(re.findall(r'\.name = "(\w+)"', f.read()))
        table = self.page().split("## Settings")[1].split("\n## ")[0]
        self.assertEqual(set(re.findall(r"^\| `(\w+)` \|", table, re.M)), code)

    def test_verification_with_openssl_and_python(self):
        d = self.begin(SecretFile=[self.receiver.file("other"), self.receiver.file("secret")])
        d.submit(make_csr())
        (post,) = self.posts("certissued")
        self.assertTrue(post.signed(OTHER) and post.signed(SECRET))
        shell = re.search(r"```sh\n(.*?)```", self.page(), re.S).group(1)
        python = re.search(r"```python\n(.*?)```", self.page(), re.S).group(1)
        folder = self.temp()
        with open(os.path.join(folder, "body"), "wb") as f:
            f.write(post.body)
        env = dict(os.environ, signature=post.headers["Chancery-Signature"], secret=self.receiver.file("secret"))
        check = lambda: subprocess.run(["sh", "-c", shell], cwd=folder, env=env, stdout=subprocess.PIPE).stdout
        self.assertEqual(check(), b"genuine\n")
        scope = {}
        exec(python, scope)
        self.assertTrue(scope["genuine"](post.headers["Chancery-Signature"], post.body, SECRET))
        self.assertFalse(scope["genuine"](post.headers["Chancery-Signature"], post.body + b"x", SECRET))
        with open(os.path.join(folder, "body"), "ab") as f:
            f.write(b"x")
        self.assertEqual(check(), b"")


if __name__ == "__main__":
    main()
