"""Programs as policy and exit modules: the helpers, the examples and the page of modules/exec under the real daemon."""
import http.server
import json
import os
import pwd
import re
import sys
import threading
import time
import unittest

import daemon
from daemon import Daemon, make_csr, until
from programs import EXEC, Exec

DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


class Examples(Exec):
    def test_each_has_less_than_thirty_lines(self):
        for name in os.listdir(os.path.join(EXEC, "examples")):
            with open(os.path.join(EXEC, "examples", name)) as f:
                self.assertLess(len(f.readlines()), 30, name)

    def test_python_policy(self):
        self.begin(*self.policy(*self.python("deny-weekend.py"), ClosedDays=["none"]))
        c = self.issued(self.for_name("www.example.test"))
        self.assertTrue(c.has("DNS:www.example.test", "TLS Web Server Authentication", "Digital Signature"), c.text)
        self.assertTrue(c.has("X509v3 Key Usage: critical"))
        self.assertLessEqual(c.not_after, time.time() + 30 * 86400)
        self.assertGreater(c.not_after, time.time() + 29 * 86400 - 120)
        wild = self.for_name("*.example.test")
        self.assertEqual(wild.status, 202, wild)
        self.assertIn("a wildcard waits", wild.json["message"])
        self.assertTrue(self.issued(self.resubmit(wild)).has("DNS:*.example.test"))
        other = self.d.submit(make_csr(("DNS:a.example.test", "IP:192.0.2.1"), "/CN=a.example.test"))
        self.assert_problem(other, 403)
        self.assertIn("DNS names and nothing else", other.body.decode())
        self.d.set("PolicyModules/policy-exec/Program/ClosedDays", DAYS)
        closed = self.for_name("www.example.test")
        self.assert_problem(closed, 403)
        self.assertIn("come back on a working day", closed.body.decode())

    def test_shell_policy(self):
        self.begin(*self.policy(*self.shell("team-policy.sh"), Domain="example.test"))
        c = self.issued(self.for_name("www.example.test", attributes={"Team": "blue"}))
        self.assertTrue(c.has("DNS:www.example.test", "TLS Web Server Authentication", "Digital Signature"), c.text)
        self.assertIn("O=Team blue", c.subject)
        self.assertIn("O=Team unknown", self.issued(self.for_name("ftp.example.test")).subject)
        sly = {"call": "ICertPolicy.Initialize", "settings": "{}", "oid": "2.5.29.19", "Team": "x.Initialize"}
        self.assertIn("O=Team x.Initialize", self.issued(self.for_name("ftp.example.test", attributes=sly)).subject)
        self.assertIn("O=Team \\\"a\\\\b\\\" $(id)", self.issued(self.for_name("ftp.example.test", attributes={"Team": '"a\\b" $(id)'})).subject)
        wild = self.for_name("*.example.test")
        self.assertEqual(wild.status, 202, wild)
        self.issued(self.resubmit(wild))
        other = self.for_name("www.example.invalid")
        self.assert_problem(other, 403)
        self.assertIn("www.example.invalid is no DNS name below example.test", other.body.decode())

    def test_python_exit(self):
        heard, refused = [], []

        class Hook(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                heard.append((body["text"], self.headers["Idempotency-Key"]))
                self.send_response(200 if refused else 503)
                refused.append(True)
                self.end_headers()

            def log_message(self, *args):
                pass
        server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.begin(*self.exit(*self.python("tell-chat.py"), Url="http://127.0.0.1:%d/" % server.server_port))
        self.d.policy("RequestDisposition", 1)
        c = self.issued(self.for_name("www.example.test"))
        self.assertTrue(until(lambda: len(heard) == 2, 60), self.d.stderr())
        self.assertEqual("issued to CN=www.example.test (%s)" % c.serial, heard[0][0])
        self.assertGreater(len(heard[0][1]), 8)
        self.assertEqual(heard[0], heard[1], "what was refused comes again, as the same event")

    def test_shell_exit(self):
        journal = os.path.join(self.place, "journal")
        self.begin(*self.exit(*self.shell("keep-journal.sh"), Journal=journal))
        self.d.policy("RequestDisposition", 1)
        answer = self.for_name("www.example.test")
        c = self.issued(answer)

        def lines():
            try:
                with open(journal) as f:
                    return [line.split() for line in f]
            except FileNotFoundError:
                return []
        self.assertTrue(until(lines, 60), self.d.stderr())
        (line,) = lines()
        self.assertEqual(line[1:], ["certissued", str(answer.json["request_id"]), c.serial])
        self.assertGreater(len(line[0]), 8)
        revoked = self.d.ask("POST", "/api/v1/certificates/%s/revoke" % c.serial, '{"reason": 1}', {"Content-Type": "application/json"})
        self.assertEqual(revoked.status, 200, revoked)
        self.assertTrue(until(lambda: len(lines()) == 2, 60), self.d.stderr())
        self.assertEqual(lines()[1][1:], ["certrevoked", str(answer.json["request_id"]), c.serial])
        self.assertNotEqual(lines()[1][0], line[0])


REPLAY = r"""
import datetime, json, sys
TIME = "%Y-%m-%dT%H:%M:%SZ"
with open(sys.argv[1]) as f:
    script = f.read().splitlines()
heard = open(sys.argv[2], "a")
for text in script:
    if text.startswith("<"):
        line = json.loads(text[2:])
        if "NotAfter" in line.get("properties", {}):
            begin = datetime.datetime.strptime(asked["certificate"]["NotBefore"], TIME)
            line["properties"]["NotAfter"] = (begin + datetime.timedelta(days=30)).strftime(TIME)
        print(json.dumps(line), flush=True)
    else:
        got = sys.stdin.readline()
        if "VerifyRequest" in got:
            asked = json.loads(got)
        heard.write(got)
        heard.flush()
"""

VOLATILE = {"milliseconds", "RawCACertificate", "RawCertificate", "SerialNumber", "CertificateHash", "SubjectKeyIdentifier",
            "SubmittedWhen", "ResolvedWhen", "NotBefore", "NotAfter", "RequesterName", "CallerName", "MachineDNSName", "EventID", "EventTime"}


def settled(value):
    """What is the same in every conversation."""
    if isinstance(value, list):
        return [settled(v) for v in value]
    if not isinstance(value, dict):
        return value
    known = {k: "…" if k in VOLATILE else settled(v) for k, v in value.items()}
    if known.get("oid") in ("2.5.29.14", "2.5.29.35"):
        known["value"] = "…"
    return known


DIES = r"""
import os, sys
from chancery_module import exit_module

@exit_module("certissued", "crlissued", "shutdown")
def notify(event):
    with open(event.settings["File"], "a") as f:
        print(event.name, event.event_id, event.attempt, event.id, file=f)
    if event.attempt == 1 and event.id:
        os._exit(1)
    if event.attempt == 2 and event.id:
        raise RuntimeError("not yet")
"""


class Events(Exec):
    def test_a_program_that_dies_is_told_again(self):
        path = os.path.join(self.place, "told")
        self.begin(*self.exit(sys.executable, "-B", self.program(DIES), File=path))
        self.d.policy("RequestDisposition", 1)

        def told(name):
            with open(path) as f:
                return [line.split()[1:] for line in f if line.startswith(name)]
        id = str(self.for_name("www.example.test").json["request_id"])
        self.assertTrue(until(lambda: os.path.exists(path) and len(told("certissued")) == 3, 60), self.d.stderr())
        one, two, three = told("certissued")
        self.assertEqual([one[1:], two[1:], three[1:]], [["1", id], ["2", id], ["3", id]])
        self.assertEqual({one[0], two[0], three[0]}, {one[0]})
        self.assertIn("RuntimeError: not yet", self.d.stderr())
        self.assertEqual(self.d.ask("POST", "/api/v1/crl", "{}", {"Content-Type": "application/json"}).status, 200)
        self.assertTrue(until(lambda: told("crlissued"), 60), self.d.stderr())
        self.assertEqual(told("crlissued")[0][1:], ["1", "None"])
        self.d.stop()
        self.assertEqual(len(told("shutdown")), 1)


NAMES = """
import json
from chancery_module import exit_module, policy
"""
GRANTS = NAMES + """
@policy
def verify(request):
    request.attributes.get("grant") and request.keep("2.5.29.17")
    return request.issue(json.dumps(request.names))
"""
TELLS = NAMES + """
@exit_module("certissued")
def notify(event):
    with open(event.settings["File"], "a") as f:
        print(json.dumps([event.names, event.certificate_property("UPN")]), file=f)
"""


class Names(Exec):
    def test_of_what_was_issued_only_those_that_were_granted(self):
        path = os.path.join(self.place, "told")
        self.begin(*self.policy(sys.executable, "-B", self.program(GRANTS, "grants.py")),
                   *self.exit(sys.executable, "-B", self.program(TELLS, "tells.py"), File=path))
        csr = make_csr(("DNS:www.example.test", "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:chief@example.test"), "/CN=www.example.test")
        asked = [{"type": "dns", "value": "www.example.test"}, {"type": "upn", "value": "chief@example.test"}]
        for attributes, granted in (({}, [[], None]), ({"grant": "1"}, [asked, "chief@example.test"])):
            answer = self.d.submit(csr, attributes=attributes)
            self.assertEqual(answer.status, 201, answer)
            self.assertEqual(json.loads(answer.json["message"].split(": ", 1)[1]), asked)
            with self.subTest(attributes):
                self.assertTrue(until(lambda: os.path.exists(path), 60), self.d.stderr())
                with open(path) as f:
                    self.assertTrue(until(lambda: os.path.getsize(path), 60))
                    self.assertEqual(json.loads(f.read()), granted)
                os.unlink(path)


@unittest.skipUnless(os.environ.get("CHANCERY_SLOW"), "the slow lane's")
class Check(Exec):
    """`chancery module check`: callbacks that fail as they like, many threads, refreshes, and what a call leaves behind."""

    def check(self, module, *settings):
        argv = [a for s in settings for a in ("--set", s)]
        done = daemon.run(daemon.CHANCERY, "module", "check", "--calls", "200", *argv,
                          os.path.join(daemon.MODULES, module + ".so"), check=False)
        said = done.stdout.decode() + done.stderr.decode()
        self.assertEqual(done.returncode, 0, said)
        self.assertIn("all is well", said)

    def test_policy(self):
        self.check("policy-exec", "Command=" + " ".join(self.python("deny-weekend.py")), "Environment=PYTHONPATH=" + self.place,
                   "Program/ClosedDays=none")

    def test_exit(self):
        told = self.program("from chancery_module import exit_module\n@exit_module('certissued')\ndef notify(event):\n    event.der\n")
        self.check("exit-exec", "Command=%s -B %s" % (sys.executable, told), "Environment=PYTHONPATH=" + self.place)


class Page(Exec):
    """docs/modules/exec.md says what is so."""

    def setUp(self):
        super().setUp()
        with open(os.path.join(daemon.TREE, "docs/modules/exec.md")) as f:
            self.page = f.read()

    def heard(self, name):
        with open(os.path.join(self.place, name)) as f:
            return [settled(json.loads(line)) for line in f]

    def test_conversation(self):
        replay, told = self.program(REPLAY), {}
        blocks = re.findall(r"```conversation\n(.*?)```", self.page, re.S)
        for name, block in zip(("policy", "exit"), blocks):
            self.program(block, name)
            told[name] = [settled(json.loads(line[2:])) for line in block.splitlines() if line.startswith(">")]
        argv = {n: [sys.executable, replay, os.path.join(self.place, n), os.path.join(self.place, n + ".heard")] for n in told}
        self.begin(*self.policy(*argv["policy"], Domain="example.test", Days=["Sat", "Sun"], Limit=3), *self.exit(*argv["exit"]))
        c = self.issued(self.for_name("www.example.test", attributes={"Ticket": "4711"}))
        self.assertIn("OU=Web,O=Example", c.subject)
        self.assertEqual(self.d.ask("POST", "/api/v1/crl", "{}", {"Content-Type": "application/json"}).status, 200)
        self.assertTrue(until(lambda: len(self.heard("exit.heard")) == len(told["exit"]), 60), self.d.stderr())
        for name in told:
            self.assertEqual(self.heard(name + ".heard"), told[name])

    def test_first_minute(self):
        source = re.search(r"```python\n(.*?)```", self.page, re.S).group(1)
        shell = re.search(r"```sh\n(.*?)```", self.page, re.S).group(1)
        shell = re.sub(r"^\. /usr/lib\S+/", '. "$CHANCERY_HELPERS"/', shell).replace("logger -t pki", "echo")
        self.begin(*self.policy(sys.executable, "-B", self.program(source)),
                   *self.exit("/bin/sh", self.program(shell, "tell.sh")))
        c = self.issued(self.for_name("www.corp.example"))
        self.assertEqual(self.for_name("www.example.test").status, 403)
        self.assertTrue(until(lambda: "certissued %s CN=www.corp.example" % c.serial in self.d.stderr(), 60), self.d.stderr())

    def test_settings_and_methods(self):
        with open(os.path.join(EXEC, "settings.c")) as f:
            code = re.findall(r'\{\.name = "(\w+)/?"', f.read())
        self.assertEqual(sorted(re.findall(r"^\| `(\w+)(?:/…)?` \| (?:list|text|number|any)", self.page, re.M)), sorted(code))
        with open(os.path.join(EXEC, "callback.c")) as f:
            methods = re.findall(r'^    \{"(\w+)", ', f.read(), re.M)
        self.assertEqual(len(methods), 13)
        self.assertEqual([m for m in methods if "`%s`" % m not in self.page], [])
        with open(os.path.join(EXEC, "describe.c")) as f:
            names = re.findall(r'(?:REQUEST|CERT)_\w+\("(\w+)"\)', f.read())
        self.assertGreater(len(names), 30)
        self.assertEqual([n for n in names if "`%s`" % n not in self.page], [])


ASK = r"""
import base64, json
from chancery_module import Failed, policy

@policy
def verify(request):
    call, found = request.call, {}
    def code(*args):
        try:
            return call(*args)
        except Failed as e:
            return "0x%08x" % (e.code & 0xFFFFFFFF)
    found["typed"] = [call("GetRequestProperty", "RequestID", "LONG") == request.id, call("GetRequestProperty", "requestid", 1) == request.id]
    found["untyped"] = [type(call("GetRequestProperty", n)).__name__ for n in ("RequestID", "SubmittedWhen", "RawRequest", "CallerName")]
    found["attribute"] = [call("GetRequestAttribute", "ticket"), code("GetRequestAttribute", "none")]
    call("EnumerateExtensionsSetup", 0)
    oids = []
    while (oid := call("EnumerateExtensions")) is not None:
        oids.append(oid)
    call("EnumerateExtensionsClose")
    found["extensions"] = oids == list(request.extensions)
    call("EnumerateAttributesSetup", 0)
    found["attributes"] = [call("EnumerateAttributes"), call("EnumerateAttributes")]
    call("EnumerateAttributesClose")
    san = call("GetCertificateExtension", "2.5.29.17", "BINARY")
    found["flags"] = call("GetCertificateExtensionFlags") & 0xF0003
    call("SetCertificateExtension", "2.5.29.17", "BINARY", 1, san)
    call("SetCertificateProperty", "Locality", "STRING", "Wien")
    call("SetCertificateProperty", "NotAfter", "DATE", request.certificate["NotAfter"])
    if "bad" in request.attributes:
        name, *args = json.loads(request.attributes["bad"])
        found["bad"] = code(name, *args)
        return request.issue() if name.startswith("SetCertificate") else request.deny(json.dumps(found))
    return request.issue(json.dumps(found))
"""


class Callbacks(Exec):
    def test_every_method(self):
        self.begin(*self.policy(sys.executable, "-B", self.program(ASK)))
        answer = self.for_name("www.example.test", attributes={"Ticket": "4711"})
        c = self.issued(answer)
        self.assertIn("L=Wien", c.subject)
        self.assertTrue(c.has("X509v3 Subject Alternative Name: critical"), c.text)
        found = json.loads(answer.json["message"].split(": ", 1)[1])
        self.assertEqual(found, {"typed": [True, True], "untyped": ["int", "str", "str", "str"], "attribute": ["4711", "0x80094004"],
                                 "extensions": True, "attributes": ["Ticket", None], "flags": 0x10002})
        for bad, number in ((["SetContext", 0], "0x80020006"), (["Release"], "0x80020006"), (["GetRequestProperty"], "0x8002000e"),
                            (["GetRequestProperty", 5], "0x80020005"), (["GetRequestProperty", "RequestID", "TEXT"], "0x80070057"),
                            (["GetRequestProperty", "RequestID", "STRING"], "0x80070057"),
                            (["EnumerateExtensions", 1], "0x8002000e"), (["GetCertificateExtension", "no oid"], "0x")):
            answer = self.for_name("www.example.test", attributes={"Ticket": "1", "bad": json.dumps(bad)})
            self.assertEqual(answer.status, 403, (bad, answer, self.d.stderr()))
            self.assertIn('"bad": "%s' % number, answer.json["message"], bad)
        for bad in (["SetCertificateProperty", "NotAfter", "DATE", "tomorrow"], ["SetCertificateProperty", "NotAfter", "DATE", "2999-01-01T00:00:00Z"],
                    ["SetCertificateProperty", "NotAfter"], ["SetCertificateExtension", "1.2.3", "BINARY", 0, "no base64"]):
            answer = self.for_name("www.example.test", attributes={"Ticket": "1", "bad": json.dumps(bad)})
            self.assertEqual(answer.status, 403, (bad, answer))


class Settings(Exec):
    def refuses(self, why, *settings):
        with Daemon.of_dir(self.path) as d:
            for path, value in settings:
                d.set(path, value)
        with Daemon.of_dir(self.path) as d:
            self.assertEqual(d.ask("GET", "/readyz").status, 503)
            self.assertIn(why, d.stderr())

    def test_commands_that_are_none(self):
        (_, argv), env, active = self.policy("/bin/true")
        command = "PolicyModules/policy-exec/Command"
        self.refuses("setting Command is missing", active)
        self.refuses("does not begin with an absolute path", (command, ["python3", "x"]))
        self.refuses("does not begin with a program that may be run", (command, ["/nowhere/x"]))
        open_to_all = self.program("#!/bin/sh\n")
        os.chmod(open_to_all, 0o777)
        self.refuses("may write", (command, ["/bin/sh", open_to_all]))
        os.chmod(open_to_all, 0o644)
        self.refuses("the program ended without an answer", (command, ["/bin/sh", open_to_all]))
        self.refuses("NAME=VALUE", ("PolicyModules/policy-exec/Environment", ["no name"]))

    def test_old_program_goes_on(self):
        """Settings that no program comes up with change nothing; with good ones the next call has another program."""
        place = "PolicyModules/policy-exec/"
        self.begin(*self.policy(*self.shell("team-policy.sh"), Domain="example.test"))
        self.issued(self.for_name("www.example.test"))
        for name, value in (("Command", ["/bin/false"]), ("Concurrency", 65), ("Environment", ["no name"])):
            self.d.ask("PUT", "/api/v1/config/" + place + name, json.dumps({"value": value}), {"Content-Type": "application/json"})
            self.assertEqual(self.for_name("www.example.test").status, 201, name)
            self.assertEqual(self.for_name("www.other.test").status, 403)
        self.assertIn("setting Concurrency is not from 1 to 64", self.d.stderr())
        self.d.unset(place + "Concurrency")
        self.d.set(place + "Environment", ["CHANCERY_HELPERS=" + self.place])
        self.d.set(place + "Program/Domain", "other.test")
        self.d.set(place + "Command", self.shell("team-policy.sh"))
        self.assertEqual(self.for_name("www.example.test").status, 403)
        self.assertEqual(self.for_name("www.other.test").status, 201)

    def test_events_by_setting(self):
        journal = os.path.join(self.place, "journal")
        self.begin(*self.exit(*self.shell("keep-journal.sh"), Journal=journal),
                   ("ExitModules/exit-exec/EventMask", ["certdenied"]), ("PolicyModules/policy-default/RequestDisposition", 1))
        self.issued(self.for_name("www.example.test"))
        denied = self.d.submit(make_csr(("DNS:not a name",), "/CN=x"))
        self.assertEqual(denied.status, 403, denied)
        self.assertTrue(until(lambda: os.path.exists(journal), 60), self.d.stderr())
        with open(journal) as f:
            self.assertEqual([line.split()[1] for line in f], ["certdenied"])

    def test_behind_the_default_policy(self):
        """In a chain the program only says no; the profiles shape the certificate."""
        judge = self.program("""
from chancery_module import policy
@policy
def verify(request):
    return request.issue() if "example.test" in request.settings["Domains"] and request.dns_names == ["www.example.test"] else request.deny("no")
""")
        place = "PolicyModules/policy-chain/policy-exec/"
        self.begin(("PolicyModules/policy-chain/Modules", ["policy-default", "policy-exec"]), ("PolicyModules/Active", "policy-chain"),
                   ("PolicyModules/policy-chain/policy-default/RequestDisposition", 1), (place + "Command", [sys.executable, "-B", judge]),
                   (place + "Environment", ["PYTHONPATH=" + self.place]), (place + "Program/Domains", ["example.test"]))
        c = self.issued(self.for_name("www.example.test"))
        self.assertTrue(c.has("DNS:www.example.test", "TLS Web Server Authentication"), c.text)
        self.assertEqual(self.for_name("ftp.example.test").status, 403)

    @unittest.skipUnless(os.geteuid() == 0, "only root becomes somebody else")
    def test_user(self):
        os.chmod(self.place, 0o755)
        who = self.program(r"""
. "$CHANCERY_HELPERS/chancery_module.sh"
verify() { deny "$(awk '/^Uid|^Gid|^Groups|^CapEff/ { $1 = ""; printf "%s,", $0 }' /proc/self/status)"; }
serve_policy
""")
        self.begin(*self.policy("/bin/sh", who), ("PolicyModules/policy-exec/User", "nobody"))
        user, group = pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid
        found = self.for_name("www.example.test").json["detail"]
        ids = [" ".join([str(user)] * 4), " ".join([str(group)] * 4), str(group), "0" * 16]
        self.assertIn(", ".join(ids), found)

    def test_several_at_once(self):
        slow = self.program("""
import time
from chancery_module import policy
@policy
def verify(request):
    request.keep("2.5.29.17")
    time.sleep(1)
    return request.issue()
""")
        self.begin(*self.policy(sys.executable, "-B", slow), ("PolicyModules/policy-exec/Concurrency", 3))
        answers = []
        began = time.monotonic()
        csr = make_csr()
        work = [threading.Thread(target=lambda: answers.append(self.d.submit(csr).status)) for _ in range(3)]
        for t in work:
            t.start()
        for t in work:
            t.join()
        self.assertEqual(answers, [201] * 3)
        self.assertGreater(time.monotonic() - began, 1)
        busy = self.d.module("policy-exec")
        self.assertEqual(busy["failures"], 0, busy)


if __name__ == "__main__":
    daemon.main()
