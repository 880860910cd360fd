"""`chancery` as its users run it: every verb against a real daemon, by socket and by TLS, for people and for machines."""
import glob
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

import daemon
from daemon import Case, Certificate, make_csr

DONE, OTHER, USAGE, DENIED, PENDING, NOT_FOUND, NOT_ALLOWED, UNREACHABLE = 0, 1, 2, 3, 4, 5, 6, 7


class Cli(Case):
    def setUp(self):
        self.d = self.start()
        self.env = {"PATH": os.environ["PATH"], "CHANCERY_SOCKET": self.d.info["socket"]}

    def run_cli(self, *argv, status=DONE, cwd=None, data=None, env=None):
        done = subprocess.run([daemon.CHANCERY, *argv], env=env or self.env, cwd=cwd, input=data, stdin=None if data else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, status, (argv, done.stdout, done.stderr))
        if status in (DONE, PENDING, DENIED):
            self.assertNotIn(b"chancery:", done.stdout)
        else:
            self.assertTrue(done.stderr.startswith(b"chancery: "), done.stderr)
        return done

    def text(self, *argv, **options):
        return self.run_cli(*argv, **options).stdout.decode()

    def json(self, *argv, **options):
        return json.loads(self.run_cli(*argv, "--json", **options).stdout)


class Reading(Cli):
    def test_ca(self):
        self.assertIn(self.d.info["ca_name"], self.text("ca", "list"))
        self.assertIn(self.d.info["ca_name"], self.text("ca", "show"))
        with open(self.d.info["ca_cert"]) as f:
            self.assertEqual(Certificate(self.text("ca", "cert")).der, Certificate(f.read()).der)
        self.assertEqual(self.text("ca", "cert", "--chain").count("BEGIN CERTIFICATE"), 1)
        self.assertEqual(self.json("ca", "list")["cas"][0]["name"], self.d.info["ca_name"])
        self.run_cli("ca", "show", "--ca", "Nobody", status=NOT_FOUND)

    def test_lists_can_be_narrowed(self):
        for i in range(5):
            self.run_cli("request", "submit", "-", data=make_csr(("DNS:n%d.test" % i,), "/CN=n%d.test" % i))
        rows = self.json("cert", "list", "--sort", "request_id")
        self.assertEqual([r["common_name"] for r in rows["certificates"][-5:]], ["n%d.test" % i for i in range(5)])
        two = self.json("cert", "list", "--sort", "-request_id", "--limit", "2")
        self.assertEqual([r["common_name"] for r in two["certificates"]], ["n4.test", "n3.test"])
        self.assertEqual(self.json("request", "list", "--where", "common_name = n3.test")["requests"][0]["common_name"], "n3.test")
        self.assertIn("n3.test", self.text("request", "list", "--where", "common_name ~ n3"))
        serial = two["certificates"][0]["serial"]
        self.assertEqual(self.json("cert", "show", serial)["serial"], serial)
        self.run_cli("cert", "show", "00" * 20, status=NOT_FOUND)
        self.run_cli("cert", "list", "--where", "no_column = 1", status=OTHER)

    def test_config(self):
        path = "PolicyModules/policy-default/RequestDisposition"
        self.assertEqual(self.text("config", "get", path).strip(), "1")
        self.run_cli("config", "set", path, "257")
        self.assertEqual(self.text("config", "get", path).strip(), "257")
        self.assertIn(path, self.text("config", "list"))
        self.run_cli("config", "get", "No/Such/Path", status=NOT_FOUND)
        self.run_cli("config", "set", "ClockSkewMinutes", "soon", status=OTHER)

    def test_modules(self):
        self.assertIn("exit-publish", self.text("module", "list"))
        self.assertEqual(self.json("module", "show", "policy-default")["kind"], "policy")
        self.run_cli("module", "show", "nobody", status=NOT_FOUND)
        folder = self.temp()
        shutil.copy(glob.glob(os.path.join(daemon.MODULES, "example-exit.so"))[0], os.path.join(folder, "mine.so"))
        os.chmod(os.path.join(folder, "mine.so"), 0o644)
        self.assertIn("example-exit", self.text("module", "check", "mine.so", cwd=folder))
        self.assertTrue(self.json("module", "check", os.path.join(folder, "mine.so"))["loads"])
        os.chmod(os.path.join(folder, "mine.so"), 0o666)
        self.run_cli("module", "check", "mine.so", cwd=folder, status=OTHER)
        self.run_cli("module", "check", "no-such.so", cwd=folder, status=OTHER)


class Requesting(Cli):
    def test_submit(self):
        csr = self.file(make_csr(), "request.pem")
        out = os.path.join(self.temp(), "cert.pem")
        self.run_cli("request", "submit", csr, "--profile", "tls-server", "--out", out)
        with open(out) as f:
            self.assert_verifies(f.read(), self.d.info["ca_cert"])
        der = self.file(make_csr(form="DER"), "request.der")
        self.assertIn("BEGIN CERTIFICATE", self.text("request", "submit", der))
        self.assertEqual(self.json("request", "submit", csr)["disposition"], "issued")
        self.run_cli("request", "submit", self.file(b"garbage"), status=OTHER)
        self.run_cli("request", "submit", "/no/such/file", status=NOT_FOUND)
        self.run_cli("request", "submit", csr, "--profile", "no-such-profile", status=DENIED)

    def test_new(self):
        folder = self.temp()
        key, out = os.path.join(folder, "k.pem"), os.path.join(folder, "c.pem")
        self.run_cli("request", "new", "--subject", "CN=new.test", "--dns", "new.test", "--dns", "b.test", "--ip", "127.0.0.1",
                     "--key", "p384", "--out-key", key, "--out", out)
        self.assertEqual(os.stat(key).st_mode & 0o777, 0o600)
        with open(out) as f:
            made = Certificate(f.read())
        self.assertTrue(made.has("DNS:new.test, DNS:b.test, IP Address:127.0.0.1", "secp384r1"))
        public = daemon.run("openssl", "pkey", "-in", key, "-pubout").stdout
        self.assertEqual(public, daemon.run("openssl", "x509", "-in", out, "-pubkey", "-noout").stdout)
        with open(key, "rb") as f:
            before = f.read()
        self.run_cli("request", "new", "--subject", "CN=new.test", "--dns", "new.test", "--out-key", key, "--out", out, status=OTHER)
        with open(key, "rb") as f:
            self.assertEqual(f.read(), before)

    def test_officer(self):
        self.run_cli("config", "set", "PolicyModules/policy-default/RequestDisposition", "257")
        csr = self.file(make_csr(), "request.pem")
        id = str(self.json("request", "submit", csr, status=PENDING)["request_id"])
        self.run_cli("request", "retrieve", id, status=PENDING)
        self.run_cli("request", "set-attr", id, "Ticket:4711")
        self.run_cli("request", "set-ext", id, "1.2.3.4", "--hex", "0500")
        self.assertEqual(self.json("request", "show", id)["attributes"]["Ticket"], "4711")
        self.run_cli("request", "resubmit", id)
        made = Certificate(self.text("request", "retrieve", id))
        self.assertIn("1.2.3.4", made.text)
        id = str(self.json("request", "submit", csr, status=PENDING)["request_id"])
        self.run_cli("request", "deny", id)
        self.run_cli("request", "retrieve", id, status=DENIED)
        self.run_cli("request", "show", "4711", status=NOT_FOUND)
        self.run_cli("request", "show", "many", status=USAGE)


class Revoking(Cli):
    def issue(self, name="www.example.test"):
        data = make_csr(("DNS:" + name,), "/CN=" + name)
        return self.json("request", "submit", "-", data=data)["serial"]

    def on_terminal(self, answer, *argv):
        """What is said to who sits at a terminal and answers so; and the exit status."""
        ours, theirs = pty.openpty()
        p = subprocess.Popen([daemon.CHANCERY, *argv], env=self.env, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
        os.close(theirs)
        os.write(ours, answer.encode())
        said = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                piece = os.read(ours, 4096)
            except OSError:
                break
            if not piece:
                break
            said += piece
        os.close(ours)
        return said.decode(), p.wait(60)

    def test_one(self):
        serial = self.issue()
        said = self.text("cert", "revoke", serial, "--reason", "key-compromise", "--date", "2026-01-01", "--invalidity", "2025-12-31")
        self.assertIn("revoked, keyCompromise, as of 2026-01-01", said)
        shown = self.text("cert", "show", serial)
        for text in ("keyCompromise", "revoked as of  2026-01-01 00:00", "invalid since  2025-12-31", "history"):
            self.assertIn(text, shown)
        self.assertEqual(self.json("cert", "show", serial)["history"][0]["reason"], 1)
        self.run_cli("cert", "release", serial, status=OTHER)
        self.run_cli("cert", "revoke", serial, "--reason", "nonsense", status=OTHER)
        self.run_cli("cert", "revoke", "00ff", status=NOT_FOUND)
        self.run_cli("cert", "release", "00ff", status=NOT_FOUND)
        self.run_cli("cert", "revoke", "xyz", status=USAGE)
        self.run_cli("cert", "revoke", status=USAGE)

    def test_hold(self):
        serial = self.issue()
        self.assertEqual(self.json("cert", "revoke", serial, "--reason", "6")["revoked_reason_name"], "certificateHold")
        self.assertIn("issued", self.text("cert", "release", serial))
        self.assertEqual([h["reason"] for h in self.json("cert", "show", serial)["history"]], [6, -1])

    def test_who_may(self):
        env = {"PATH": os.environ["PATH"], "CHANCERY_URL": self.d.info["http"]}
        serial = self.issue()
        for argv in (("cert", "revoke", serial), ("cert", "revoke", "--where", "request_id > 0", "--yes"), ("crl", "publish"), ("ca", "renew")):
            with self.subTest(argv):
                self.run_cli(*argv, env=env, status=NOT_ALLOWED)

    def test_many(self):
        made = [self.issue("m%d.test" % i) for i in range(6)]
        where = ("--where", "common_name ~ m", "--reason", "superseded")
        self.assertIn("6 certificates would be revoked", self.text("cert", "revoke", *where, "--dry-run"))
        self.assertEqual(self.json("cert", "revoke", *where, "--dry-run"), {"matched": 6})
        self.assertIn(b"--yes", self.run_cli("cert", "revoke", *where, status=USAGE).stderr)
        self.assertEqual(self.json("cert", "show", made[0])["disposition"], "issued")
        self.assertEqual(self.json("cert", "revoke", *where, "--yes"), {"matched": 6, "changed": 6, "unchanged": 0, "complete": True})
        self.assertIn("0 revoked, 6 left as they were", self.text("cert", "revoke", *where, "--yes"))
        self.assertEqual({self.json("cert", "show", m)["revoked_reason"] for m in made}, {4})
        self.run_cli("cert", "revoke", "--where", "", "--yes", status=OTHER)
        self.run_cli("cert", "revoke", "--where", "no_column = 1", "--yes", status=OTHER)

    def test_many_asks_first(self):
        serial = self.issue("asked.test")
        where = ("cert", "revoke", "--where", "common_name = asked.test")
        said, status = self.on_terminal("n\n", *where)
        self.assertIn("1 certificate matches. Revoke it? [y/N]", said)
        self.assertEqual(status, OTHER)
        self.assertEqual(self.json("cert", "show", serial)["disposition"], "issued")
        said, status = self.on_terminal("y\n", *where)
        self.assertEqual(status, DONE)
        self.assertRegex(said, r"1 of 1, \d+/s, 0 s left")
        self.assertIn("1 revoked, 0 left", said)
        self.assertEqual(self.json("cert", "show", serial)["disposition"], "revoked")

    def slow_daemon(self, total, piece):
        """A daemon that takes its time: answers are made here, so that an interrupt meets a known place."""
        path = os.path.join(self.temp(), "slow.sock")
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen(1)
        self.addCleanup(server.close)
        asked = threading.Event()
        bodies = []

        def serve():
            c, _ = server.accept()
            with c, c.makefile("rb") as f:
                while True:
                    head = b""
                    while not head.endswith(b"\r\n\r\n"):
                        line = f.readline()
                        if not line:
                            return
                        head += line
                    length = int(re.search(rb"Content-Length: (\d+)", head).group(1))
                    body = json.loads(f.read(length))
                    bodies.append(body)
                    if body["dry_run"]:
                        answer = {"matched": total}
                    else:
                        asked.set()
                        time.sleep(0.5)
                        answer = {"changed": piece, "unchanged": 0, "after": body["after"] + piece}
                    text = json.dumps(answer).encode()
                    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        threading.Thread(target=serve, daemon=True).start()
        return path, asked, bodies

    def test_an_interrupt_ends_it_between_two_slices(self):
        path, asked, bodies = self.slow_daemon(100000, 1000)
        p = subprocess.Popen([daemon.CHANCERY, "--socket", path, "cert", "revoke", "--where", "request_id > 0", "--yes"],
                             env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertTrue(asked.wait(30))
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=30)
        self.assertEqual(p.returncode, OTHER)
        done = 1000 * sum(not b["dry_run"] for b in bodies)
        self.assertIn(b"%d revoked" % done, out)
        self.assertIn(b"interrupted after %d of 100000" % done, err)
        self.assertEqual([b["after"] for b in bodies if not b["dry_run"]], list(range(0, done, 1000)))


class Crls(Cli):
    def test_crls(self):
        (crl,) = self.json("crl", "show")["crls"]
        shown = self.text("crl", "show")
        for text in ("NAME", "NEXT UPDATE", crl["name"], str(crl["number"]), "current"):
            self.assertIn(text, shown)
        self.assertIn("next publish", self.text("crl", "show", crl["name"]))
        self.assertEqual(self.json("crl", "show", crl["name"])["number"], crl["number"])
        self.run_cli("crl", "show", "no-such.crl", status=NOT_FOUND)
        self.assertIn("1 made", self.text("crl", "publish"))
        made = self.json("crl", "publish", "--shard", "0", "--next-update", "2030-01-01")
        self.assertGreater(made["number"], crl["number"] + 1)
        again = self.text("crl", "publish", "--republish")
        self.assertTrue(again.startswith("1 written again\n"), again)
        self.assertIn("current", again)
        self.run_cli("crl", "publish", "--delta", status=OTHER)
        self.run_cli("crl", "publish", "--shard", "9", status=OTHER)
        self.run_cli("crl", "publish", "--next-update", "2020-01-01", status=OTHER)

    def test_get(self):
        out = os.path.join(self.temp(), "a.crl")
        self.run_cli("crl", "get", "--out", out)
        with open(out, "rb") as f:
            der = f.read()
        self.assertEqual(self.run_cli("crl", "get").stdout, der)
        pem = self.text("crl", "get", "--pem", "--shard", "0", "--key", "0")
        self.assertTrue(pem.startswith("-----BEGIN X509 CRL-----"))
        self.assertEqual(daemon.run("openssl", "crl", "-outform", "DER", data=pem.encode()).stdout, der)
        self.run_cli("crl", "get", "--delta", status=NOT_FOUND)
        self.run_cli("crl", "get", "--shard", "3", status=NOT_FOUND)
        self.run_cli("crl", "get", "--key", "8", status=NOT_FOUND)

    def test_renew(self):
        self.assertIn("CRLs", self.text("ca", "show"))
        self.assertIn("valid until", self.text("ca", "renew"))
        made = self.json("ca", "renew", "--new-key", "--key", "p384", "--days", "2")
        self.assertEqual((made["index"], made["key_index"], made["key"]), (2, 2, "p384"))
        shown = self.text("ca", "show")
        self.assertIn("2 (p384)", shown)
        self.assertEqual(len(self.json("ca", "show")["certificates"]), 3)
        self.run_cli("ca", "renew", "--new-key", "--key", "rot13", status=OTHER)
        self.run_cli("ca", "renew", "--parent", "/no/such/folder", status=OTHER)


class Reaching(Cli):
    def test_by_tls(self):
        env = {"PATH": os.environ["PATH"]}
        where = ("--url", self.d.info["url"], "--ca-cert", self.d.info["ca_cert"])
        self.assertIn(self.d.info["ca_name"], self.text("ca", "list", *where, "--token", self.d.info["token"], env=env))
        env.update(CHANCERY_URL=self.d.info["url"], CHANCERY_CA_CERT=self.d.info["ca_cert"], CHANCERY_TOKEN=self.d.info["token"])
        self.assertIn(self.d.info["ca_name"], self.text("ca", "list", env=env))
        env["CHANCERY_TOKEN"] = "wrong"
        self.run_cli("config", "list", env=env, status=NOT_ALLOWED)

    def test_another_ca_is_not_trusted(self):
        other = self.start()
        self.run_cli("ca", "list", "--url", self.d.info["url"], "--ca-cert", other.info["ca_cert"], "--token", self.d.info["token"],
                     env={"PATH": os.environ["PATH"]}, status=UNREACHABLE)

    def test_nobody_there(self):
        self.run_cli("ca", "list", env={"PATH": os.environ["PATH"], "CHANCERY_SOCKET": "/no/such.sock"}, status=UNREACHABLE)

    def test_usage(self):
        self.assertEqual(subprocess.run([daemon.CHANCERY], stderr=subprocess.PIPE).returncode, USAGE)
        for argv in (["ca"], ["nothing"], ["ca", "list", "--no-such"], ["request", "submit"]):
            with self.subTest(argv):
                self.run_cli(*argv, status=USAGE)


class Making(Cli):
    def test_a_chain_of_cas(self):
        path = self.temp()
        self.run_cli("ca", "init", "--dir", path, "--name", "Root", "--key", "p384", "--days", "3650")
        self.run_cli("ca", "init", "--dir", path, "--name", "Issuing", "--parent", "Root", "--days", "365", "--issue")
        self.run_cli("ca", "init", "--dir", path, "--name", "Issuing", status=OTHER)
        with daemon.Daemon.of_dir(path) as d:
            env = {"PATH": os.environ["PATH"], "CHANCERY_SOCKET": d.socket}
            self.assertEqual({c["name"] for c in self.json("ca", "list", env=env)["cas"]}, {"Root", "Issuing"})
            chain = self.text("ca", "cert", "--chain", "--ca", "Issuing", env=env)
            self.assertEqual(chain.count("BEGIN CERTIFICATE"), 2)
            leaf = self.text("request", "submit", "-", "--ca", "Issuing", "--profile", "tls-server", data=make_csr(), env=env)
            root = self.file(self.text("ca", "cert", "--ca", "Root", env=env).encode())
            daemon.run("openssl", "verify", "-x509_strict", "-CAfile", root, "-untrusted", self.file(chain.encode()), self.file(leaf.encode()))


if __name__ == "__main__":
    unittest.main()
