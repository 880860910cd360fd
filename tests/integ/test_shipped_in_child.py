"""Each shipped module in a process of its own, under the real daemon: what it needs to be granted, and that it then does its work."""
import os
import pwd
import re
import sys

import daemon
from daemon import CHANCERY, MODULES, Certificate, Daemon, make_csr, run, until
from directory import BY_NAME, CERT, CRL, CRL_POINTS, Directory
from mailserver import MINE, PASSWORD, USER, Mailing, certificate
from programs import Exec
from receiver import SECRET
from test_exit_publish import Published
from test_exit_webhook import Hook
from test_policy_rules import CHAIN, RULES, Chained, other

ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody") if ROOT else None


def give(*paths):
    """To the child's user, with what is in them; the way there is open to it."""
    for path in paths:
        for at, folders, files in os.walk(path):
            for name in [at] + [os.path.join(at, f) for f in files]:
                if ROOT:
                    os.chown(name, NOBODY.pw_uid, NOBODY.pw_gid)
        if not os.path.isdir(path) and ROOT:
            os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
        os.chmod(path if os.path.isdir(path) else os.path.dirname(path), 0o755)


def place(d, module, **settings):
    """Modules/NAME/…; they count from the next start."""
    settings.update(Host="process", **({"User": "nobody"} if ROOT else {}))
    for name, value in settings.items():
        d.set("Modules/%s/%s" % (module, name), value)


class InChild:
    """What is so of all of them."""

    def assert_child(self, d, module):
        m = d.module(module)
        self.assertEqual((m["host"], m["state"], m["restarts"], m["deadline_kills"]), ("process", "up", 0, 0), d.stderr()[-3000:])
        self.assertNotEqual(m["pid"], d.proc.pid)
        self.assertTrue(m["loaded"], m)
        with open("/proc/%d/status" % m["pid"]) as f:
            status = f.read()
        self.assertRegex(status, r"Seccomp:\s2\n")
        self.assertEqual(re.search(r"Uid:\s+(\d+)", status).group(1), str(NOBODY.pw_uid if ROOT else os.geteuid()))
        return m

    def assert_reloads(self, d, module):
        said = run(CHANCERY, "--socket", d.socket, "module", "reload", module).stdout.decode()
        self.assertIn("in a new process", said)

class Policies(InChild, Chained):
    """policy-default and policy-rules as members of policy-chain; the first alone is in test_isolation."""

    @classmethod
    def configure(cls, d):
        super().configure(d)
        place(d, "policy-chain", ReadPaths=[MODULES])

    def test_chain(self):
        self.assert_child(self.d, "policy-chain")
        answer = self.d.submit(make_csr(["DNS:www.example.test", "IP:10.1.2.3"]))
        self.assertTrue(self.issued(answer).has("IP Address:10.1.2.3", "TLS Web Server Authentication"))
        self.denied(self.d.submit(other()), 'policy-rules: dns "www.other.test" fits no pattern')
        said = run(CHANCERY, "--socket", self.d.socket, "request", "explain", str(answer.json["request_id"])).stdout.decode()
        self.assertRegex(said, r"policy-chain \S+ \(SHA-256 [0-9a-f]{16}…, in a process of its own\) was asked")
        self.rule("Rules/*/San/dns/Allow", ["*.other.test"])
        self.issued(self.d.submit(other()))
        self.assert_reloads(self.d, "policy-chain")
        self.issued(self.d.submit(other()))
        self.assert_child(self.d, "policy-chain")

    def test_quota(self):
        state, names = self.temp(), self.file(b"bad.example.test\n")
        give(state, names)
        self.rule("StateDirectory", state)
        self.rule("Rules/*/Names/DenyFile", names)
        self.rule("Rules/*/Quota/Count", 2)
        place(self.d, "policy-chain", ReadPaths=[MODULES, names], WritePaths=[state])
        self.d.stop()
        self.start_again()
        self.denied(self.d.submit(make_csr(["DNS:bad.example.test"], "/CN=bad.example.test")), "bad.example.test")
        for _ in range(2):
            self.issued(self.d.submit(make_csr()))
        self.denied(self.d.submit(make_csr()), "Quota")
        self.assert_reloads(self.d, "policy-chain")  # the counts are the old process's until it has gone
        self.denied(self.d.submit(make_csr()), "Quota")
        self.assertEqual(os.path.getsize(os.path.join(state, "quota.log")), 80)
        self.assert_child(self.d, "policy-chain")


class Webhook(InChild, Hook):
    def test_webhook(self):
        secret, ca = self.receiver.file("secret"), self.receiver.file("ca.pem")
        give(secret)
        with Daemon.of_dir(self.path) as d:
            place(d, "exit-webhook", Network=1, ReadPaths=[secret, ca])
        d = self.begin("after-1-500", Events=["certissued"])
        issued = d.submit(make_csr())
        posts = self.posts("certissued", 2)
        self.assertEqual([p.headers["Chancery-Attempt"] for p in posts], ["1", "2"])
        self.assertEqual(len({p.json["id"] for p in posts}), 1)
        self.assertTrue(all(p.signed(SECRET) for p in posts))
        self.assertEqual(posts[1].json["certificate"]["pem"], issued.json["certificate"])
        self.assert_child(d, "exit-webhook")
        self.assert_reloads(d, "exit-webhook")
        serial = d.submit(make_csr()).json["serial"]
        self.assertEqual(self.posts("certissued", 3)[2].json["certificate"]["serial"], serial)


class Mailer(InChild, Mailing):
    def test_mail(self):
        cert = certificate(os.path.join(self.temp(), "server.pem"), "DNS:localhost", "IP:127.0.0.1")
        server, state, password = self.server(cert, auth=True), self.temp(), self.password()
        give(state, password, cert)
        with Daemon.of_dir(self.path) as d:
            place(d, "exit-mail", Network=1, ReadPaths=[password, cert], WritePaths=[state])
        d = self.begin(server, To="pki@example.test", TLS="starttls", CAFile=cert, User=USER.decode(), PasswordFile=password,
                       StateDirectory=state)
        server.down()
        first = self.issue()
        self.assertTrue(until(lambda: "not sent yet" in d.stderr()), d.stderr())
        server.up()
        (m,) = server.wait(1)
        self.assertEqual((m.user, m.tls), (USER, True))
        self.assertIn(first["serial"], m.body)
        with open(os.path.join(state, "reminders")) as f:
            self.assertIn(first["serial"], f.read())
        d.set(MINE + "DigestMinutes", "1s")  # sent by a thread of the module's own
        self.issue()
        (m,) = server.wait(1, event="Digest")
        self.assertEqual(m["Subject"], "Test CA: 1 event")
        self.assert_reloads(d, "exit-mail")
        d.set(MINE + "DigestMinutes", 0)
        third = self.issue()
        self.assertIn(third["serial"], server.wait(2, event="Issued")[1].body)
        self.assert_child(d, "exit-mail")
        self.assertNotIn(PASSWORD.decode(), d.stderr())


class Publisher(InChild, Published):
    def test_publish(self):
        os.mkdir(self.certs)
        os.mkdir(self.crls)
        give(self.out, self.certs, self.crls)
        with Daemon.of_dir(self.path) as d:
            place(d, "exit-publish", WritePaths=[self.out])
            for name, value in dict(Index=1, CRLDirectory=self.crls, CACertDirectory=self.crls).items():
                d.set("ExitModules/exit-publish/" + name, value)
        d = self.begin()
        issued = d.submit(make_csr()).json
        self.new_crl(d)
        at = self.wait("certs", "%d.cer" % issued["request_id"])
        self.assertEqual(Certificate(self.read(at)).der, Certificate(issued["certificate"]).der)
        for path in (("crls", "Test CA.crl"), ("crls", "Test CA-chain.pem"), ("certs", "index.html"), ("certs", "index/crls.html")):
            self.wait(*path)
        self.assert_child(d, "exit-publish")
        # It may start nothing: what it was to start, it says, and the event stays owed.
        d.set("ExitModules/exit-publish/PostPublishCommand", ["/bin/true"])
        d.submit(make_csr())
        self.assertTrue(until(lambda: "could not be started: Operation not permitted" in d.stderr()), d.stderr()[-3000:])
        self.assertGreater(d.module("exit-publish")["events_retrying"], 0)
        self.assert_child(d, "exit-publish")


class Publishing(InChild, Directory):
    def test_ldap(self):
        files = [self.s.path("tls-ca.pem"), self.s.path("password")]
        give(files[1])
        place(self.d, "exit-ldap", Network=1, ReadPaths=files)
        self.d.stop()
        self.d = Daemon.of_dir(self.path)
        self.addCleanup(self.d.close)
        self.addCleanup(self.d.stop)
        ann = self.s.person("ann")
        self.ldap(BY_NAME, CRL_POINTS)
        _, first = self.issue("/CN=ann")
        self.assert_values(ann, CERT, first)
        self.post("/crl")
        self.assertTrue(until(lambda: self.all_with(CRL)), self.d.stderr()[-3000:])
        self.s.stop()
        _, second = self.issue("/CN=ann")
        self.assert_said("Can't contact LDAP server")
        self.s.start()
        self.assert_values(ann, CERT, first, second)
        self.assert_child(self.d, "exit-ldap")


class Programs(InChild, Exec):
    def test_programs_stay_in_the_daemon(self):
        with Daemon.of_dir(self.path) as d:
            place(d, "policy-exec", ReadPaths=[self.place])
            place(d, "exit-exec", ReadPaths=[self.place])
        give(self.place)
        settings = self.policy(*self.shell("team-policy.sh"), Domain="example.test") + self.exit(*self.shell("keep-journal.sh"))
        d = self.begin(*settings)
        for name in ("policy-exec", "exit-exec"):
            self.assertIn(name + ": /bin/sh: no process can be started: Operation not permitted", d.stderr())
            self.assertFalse(d.module(name)["loaded"])
        # What did not initialise is asked nothing, now and after its process was tried again.
        self.assertEqual(self.for_name("www.example.test").status, 503)
        self.assertTrue(until(lambda: d.module("policy-exec")["state"] == "quarantined", 60), d.stderr()[-3000:])
        self.assertIn("Initialize failed with 0x80070426", d.ask("GET", "/readyz").body.decode())
        self.assertEqual(self.for_name("www.example.test").status, 503)


if __name__ == "__main__":
    daemon.main()
