"""`chancery` as its users run it: every verb against a real daemon, by socket and by TLS, for people and for machines."""
import glob
import json
import os
import shutil
import subprocess
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
