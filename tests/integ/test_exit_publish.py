"""exit-publish with the real daemon: files, index, the CA's chain, the command, expired files, and its page in docs/."""
import hashlib
import html.parser
import json
import os
import re
import shlex
import stat
import subprocess
import unittest

import daemon
from daemon import CHANCERY, Case, Certificate, Daemon, main, make_ca, make_csr, run, until

PAGE = os.path.join(daemon.TREE, "docs/modules/exit-publish.md")
SOURCE = os.path.join(daemon.TREE, "modules/exit-publish/settings.c")
MINE = "ExitModules/exit-publish/"


class Links(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found += [v for k, v in attributes if tag == "a" and k == "href"]


class Published(Case):
    def setUp(self):
        self.path, self.out = self.temp(), self.temp()
        self.ca_dir = make_ca(self.path, "--key", "p256")
        self.certs, self.crls = os.path.join(self.out, "certs"), os.path.join(self.out, "crls")
        self.log = os.path.join(self.out, "log")

    def begin(self, **settings):
        d = Daemon.of_dir(self.path)
        self.addCleanup(d.close)
        self.addCleanup(d.stop)
        for name, value in dict(Folder=self.certs, Always=1, FolderMode="0755", **settings).items():
            d.set(MINE + name, value)
        d.policy("RequestDisposition", 1)
        return d

    def read(self, *path):
        with open(os.path.join(self.out, *path), "rb") as f:
            return f.read()

    def wait(self, *path):
        at = os.path.join(self.out, *path)
        self.assertTrue(until(lambda: os.path.exists(at), 60), at)
        return at

    def new_crl(self, d):
        self.assertIn(d.ask("POST", "/api/v1/crl", "{}", {"Content-Type": "application/json"}).status, (200, 201))


class Index(Published):
    def test_from_the_first_page_to_each_file(self):
        d = self.begin(Index=1, Format="pem", NamePattern="%c.pem", CRLDirectory=self.certs, CACertDirectory=self.crls)
        issued = {}
        for i in range(3):
            a = d.submit(make_csr(names=("DNS:n%d.example.test" % i,), subject="/CN=n%d.example.test" % i))
            self.assertEqual(a.status, 201, a)
            issued[a.json["request_id"]] = a.json
        last = max(issued)
        self.assertTrue(until(lambda: os.path.exists(os.path.join(self.certs, "index/p00000000.json"))
                              and len(json.loads(self.read("certs/index/p00000000.json"))["certificates"]) == 3))
        self.new_crl(d)
        self.wait("certs/index/crls.html")
        seen, todo = set(), [os.path.join(self.certs, "index.html")]
        while todo:
            page = todo.pop()
            if page in seen:
                continue
            seen.add(page)
            self.assertTrue(os.path.exists(page), page)
            if page.endswith(".html"):
                todo += [os.path.normpath(os.path.join(os.path.dirname(page), link.replace("%20", " ")))
                         for link in Links(self.read(page).decode()).found]
        names = {os.path.relpath(p, self.certs) for p in seen}
        self.assertTrue({"n%d.example.test-%d.pem" % (i, n) for i, n in enumerate(sorted(issued))} <= names, names)
        self.assertIn("Test CA.crl", names)
        top = json.loads(self.read("certs/index.json"))
        book = json.loads(self.read("certs", top["books"][0]["file"]))
        page = json.loads(self.read("certs/index", book["pages"][0]["file"]))
        for row in page["certificates"]:
            c = Certificate(issued[row["request_id"]]["certificate"])
            self.assertEqual(Certificate(self.read("certs", row["file"])).der, c.der)
            self.assertEqual((row["serial"], row["sha256"]), (c.serial, hashlib.sha256(c.der).hexdigest()))
        (crl,) = [c for c in json.loads(self.read("certs", top["crls"]))["crls"] if c["kind"] == "base"]
        shown = [c for c in d.ask("GET", "/api/v1/crl").json["crls"] if c["kind"] == "base"][0]
        self.assertEqual(crl["number"], shown["number"])
        self.assertEqual(crl["next_update"][:19], shown["next_update"][:19])
        chain = self.wait("crls/Test CA-chain.pem")
        self.assertEqual(Certificate(self.read("crls/Test CA.crt")).der, Certificate(self.read(chain)).der)
        run("openssl", "verify", "-CAfile", chain, os.path.join(self.certs, "n2.example.test-%d.pem" % last))
        self.assertEqual(stat.S_IMODE(os.stat(self.certs).st_mode), 0o755)


class Command(Published):
    def script(self, text):
        path = os.path.join(self.out, "command")
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path

    def test_each_event(self):
        d = self.begin(CRLDirectory=self.crls, PostPublishCommand=[
            self.script('echo "$CHANCERY_EVENT $CHANCERY_REQUEST_ID $(echo "$CHANCERY_FILES" | head -n 1)" >>"$1"'), self.log])
        a = d.submit(make_csr()).json
        self.new_crl(d)
        said = lambda: self.read("log").decode() if os.path.exists(self.log) else ""
        self.assertTrue(until(lambda: "certissued" in said() and "crlissued" in said(), 60), d.stderr())
        self.assertIn("certissued %d %s/%d.cer\n" % (a["request_id"], self.certs, a["request_id"]), said())
        self.assertIn("crlissued  %s/Test CA.crl\n" % self.crls, said())

    def test_one_that_fails_is_run_again(self):
        d = self.begin(PostPublishCommand=[
            self.script('echo "$CHANCERY_EVENT_ID" >>"$1"; [ $(wc -l <"$1") -ge 3 ] || { echo no such host; exit 1; }'), self.log])
        self.assertEqual(d.submit(make_csr()).status, 201)
        said = lambda: self.read("log").decode().split() if os.path.exists(self.log) else []
        self.assertTrue(until(lambda: len(said()) >= 3, 60), d.stderr())
        self.assertEqual(len(set(said())), 1, said())
        self.assertIn("exited with status 1: no such host", d.stderr())

    def test_a_setting_that_is_refused(self):
        d = self.begin()
        d.set(MINE + "PostPublishCommand", ["sh", "-c", "true"])
        self.assertTrue(until(lambda: "does not begin with an absolute path" in d.stderr(), 60), d.stderr())


@unittest.skipIf(os.geteuid(), "mounting needs root")
class Full(Published):
    def test_a_disk_that_is_full(self):
        os.mkdir(self.certs)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", self.certs], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("nothing can be mounted here")
        self.addCleanup(run, "umount", "-l", self.certs)
        with open(os.path.join(self.certs, "other"), "wb", buffering=0) as f:
            try:
                while f.write(bytes(4096)):
                    pass
            except OSError:
                pass
        d = self.begin()
        issued = d.submit(make_csr()).json
        self.assertTrue(until(lambda: "request %d: nothing written" % issued["request_id"] in d.stderr(), 60), d.stderr())
        self.assertEqual(os.listdir(self.certs), ["other"])
        os.unlink(os.path.join(self.certs, "other"))
        at = self.wait("certs", "%d.cer" % issued["request_id"])
        self.assertEqual(Certificate(self.read(at)).der, Certificate(issued["certificate"]).der)


class Page(Published):
    def test_the_first_minute(self):
        with open(PAGE) as f:
            lines = f.read().split("## The first minute")[1].split("\n## ")[0].splitlines()
        commands = [shlex.split(line.replace("/srv/pki", self.out)) for line in lines if line.startswith("    ")]
        for name in ("certs", "crl"):
            os.mkdir(os.path.join(self.out, name))
        with Daemon.of_dir(self.path) as d:
            d.policy("RequestDisposition", 1)
            for argv in commands:
                if argv[0] == "chancery":
                    argv[-1] = self.file(make_csr()) if argv[-1] == "server.csr" else argv[-1]
                    run(CHANCERY, *argv[1:], "--socket", d.socket)
            for name in ("index.html", "index.json", "index/crls.html"):
                self.wait("certs", name)
            for name in ("Test CA.crl", "Test CA.crt", "Test CA-chain.pem"):
                self.wait("crl", name)
            self.assertEqual(len([n for n in os.listdir(os.path.join(self.out, "certs")) if n.endswith(".cer")]), 1)

    def test_settings_of_the_page_are_those_of_the_code(self):
        with open(SOURCE) as f:
            code = set(re.findall(r'\.name = "(\w+)"', f.read()))
        with open(PAGE) as f:
            table = f.read().split("## Settings")[1].split("\n## ")[0]
        self.assertEqual(set(re.findall(r"^\| `(\w+)` \|", table, re.M)), code)


if __name__ == "__main__":
    main()
