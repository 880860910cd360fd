"""Why a request came out as it did: the evidence of each decision, and the story that it makes."""
import json
import os
import pwd

import daemon
from daemon import CHANCERY, Case, Daemon, make_ca, make_csr, run

CLIENT_AUTH = "300a06082b06010505070302"


class Explain(Case):
    @classmethod
    def setUpClass(cls):
        cls.path = daemon.folder()
        cls.addClassCleanup(daemon.shutil.rmtree, cls.path, ignore_errors=True)
        make_ca(cls.path, "--issue")
        cls.d = Daemon.of_dir(cls.path)
        cls.addClassCleanup(cls.d.close)
        cls.addClassCleanup(cls.d.stop)
        for setting, value in (("Pending", 1), ("AllowedSubject", "CommonName"), ("SanTypes", "dns")):
            cls.d.policy("Profiles/waits/" + setting, value)

    def evidence(self, id):
        answer = self.d.ask("GET", "/api/v1/requests/%d/evidence" % id)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def decisions(self, id):
        return self.evidence(id)["decisions"]

    def patch(self, id, **change):
        answer = self.d.ask("PATCH", "/api/v1/requests/%d" % id, json.dumps(change), {"Content-Type": "application/json"})
        self.assertEqual(answer.status, 202, answer)

    def explain(self, id, *options):
        return run(CHANCERY, "--socket", self.d.socket, "request", "explain", str(id), *options).stdout.decode()

    def test_issued(self):
        id = self.d.submit(make_csr(("DNS:www.example.test", "IP:10.0.0.1")).decode(), {"Ticket": "4711"}).json["request_id"]
        story = self.evidence(id)
        self.assertEqual(story["request"]["disposition"], "issued")
        self.assertEqual(story["asked"]["key"], "p256")
        self.assertEqual(story["asked"]["attributes"], "Ticket:4711\n")
        self.assertEqual([(e["name"], e["text"]) for e in story["asked"]["extensions"]],
                         [("subjectAltName", "dns:www.example.test, ip:10.0.0.1")])
        (d,) = story["decisions"]
        self.assertEqual((d["kind"], d["new"], d["by"], d["disposition"], d["status"]), ("policy", True, None, "issued", 0))
        module = self.d.module("policy-default")
        self.assertEqual(d["module"], {"name": "policy-default", "version": module["version"], "sha256": module["sha256"],
                                       "host": "daemon"})
        changes = {c["name"]: c for c in d["changes"]}
        san = changes["subjectAltName"]
        self.assertEqual((san["before"]["enabled"], san["after"]["enabled"]), (False, True))
        self.assertEqual(san["after"]["text"], "dns:www.example.test, ip:10.0.0.1")
        self.assertIsNone(changes["extKeyUsage"]["before"])
        self.assertEqual(changes["extKeyUsage"]["after"]["text"], "serverAuth")
        self.assertEqual(changes["NotAfter"]["after"]["text"], story["request"]["not_after"])
        self.assertTrue(daemon.until(lambda: self.evidence(id)["owed"] == []))
        self.assertGreater(d["policy_us"], 0)
        self.assertGreater(d["check_us"], 0)

    def test_the_changes_are_the_certificate(self):
        """Applied to what was asked for they give exactly what the certificate has."""
        id = self.d.submit(make_csr()).json["request_id"]
        have = {}
        for d in self.decisions(id):
            for c in d["changes"]:
                if c["what"] == "extension":
                    have.pop(c["oid"], None)
                    if c["after"]["enabled"]:
                        have[c["oid"]] = c["after"]["hex"]
        row = self.d.ask("GET", "/api/v1/requests/%d" % id).json
        self.assertEqual(have, {e["oid"]: e["value"] for e in row["extensions"] if e["enabled"] and e["origin"] == "policy"})

    def test_settings_have_a_fingerprint(self):
        first = self.decisions(self.d.submit(make_csr()).json["request_id"])[0]["settings"]
        self.assertEqual(self.decisions(self.d.submit(make_csr()).json["request_id"])[0]["settings"], first)
        self.d.policy("Profiles/other/Pending", 1)
        other = self.decisions(self.d.submit(make_csr()).json["request_id"])[0]["settings"]
        self.assertNotEqual(other, first)
        self.d.unset("PolicyModules/policy-default/Profiles/other/Pending")
        self.assertEqual(self.decisions(self.d.submit(make_csr()).json["request_id"])[0]["settings"], first)

    def test_each_officers_deed_is_a_record(self):
        id = self.d.submit(make_csr(), query="?profile=waits").json["request_id"]
        self.patch(id, attributes={"Colour": "red"})
        self.patch(id, attributes={"Colour": "blue", "Size": "1"})
        self.patch(id, extension={"oid": "2.5.29.37", "hex": CLIENT_AUTH})
        self.assertEqual(self.d.ask("POST", "/api/v1/requests/%d/resubmit" % id).json["disposition"], "issued")
        found = self.decisions(id)
        self.assertEqual([d["kind"] for d in found], ["policy", "changed", "changed", "changed", "policy"])
        self.assertEqual([d["number"] for d in found], [0, 1, 2, 3, 4])
        self.assertEqual(found[0]["disposition"], "pending")
        self.assertEqual([(c["name"], c["before"], c["after"]) for c in found[1]["changes"]], [("Colour", None, {"text": "red"})])
        self.assertEqual([(c["name"], c["before"], c["after"]) for c in found[2]["changes"]],
                         [("Colour", {"text": "red"}, {"text": "blue"}), ("Size", None, {"text": "1"})])
        (c,) = found[3]["changes"]
        self.assertEqual((c["name"], c["after"]["text"], c["after"]["origin"]), ("extKeyUsage", "clientAuth", "admin"))
        self.assertEqual((found[4]["disposition"], found[4]["new"]), ("issued", False))
        for d in found[1:]:
            self.assertTrue(d["by"].endswith("\\" + pwd.getpwuid(os.getuid()).pw_name), d["by"])
        self.assertEqual(found, sorted(found, key=lambda d: d["decided_when"]))

    def test_denied_by_an_officer_and_by_the_module(self):
        id = self.d.submit(make_csr(), query="?profile=waits").json["request_id"]
        self.d.ask("POST", "/api/v1/requests/%d/deny" % id)
        last = self.decisions(id)[-1]
        self.assertEqual((last["kind"], last["disposition"], last["module"]), ("denied", "denied", None))
        id = self.d.submit(make_csr(["email:a@example.test"], "/")).json["request_id"]
        (d,) = self.decisions(id)
        self.assertEqual((d["kind"], d["disposition"]), ("policy", "denied"))
        self.assertLess(d["status"], 0)
        self.assertIn("SanTypes", d["message"])

    def test_what_the_engine_refuses(self):
        id = self.d.submit(make_csr(kind="rsa1024")).json["request_id"]
        (d,) = self.decisions(id)
        self.assertEqual((d["kind"], d["disposition"], d["module"], d["changes"]), ("engine", "failed", None, []))
        self.assertIn("1024", d["message"])

    def test_the_story(self):
        id = self.d.submit(make_csr().decode(), {"Ticket": "4711\u009b31m"}, query="?profile=waits").json["request_id"]
        self.patch(id, extension={"oid": "2.5.29.37", "hex": CLIENT_AUTH})
        serial = self.d.ask("POST", "/api/v1/requests/%d/resubmit" % id).json["serial"]
        self.d.ask("POST", "/api/v1/certificates/%s/revoke" % serial, json.dumps({"reason": "superseded"}),
                   {"Content-Type": "application/json"})
        text = self.explain(id)
        at = 0
        for part in (" asked\n", "for CN=www.example.test, with a p256 key", "subjectAltName: dns:www.example.test",
                     "attribute Ticket:4711?31m", "policy-default ", "keyUsage: none → digitalSignature (granted, critical)",
                     "→ pending", "changed it", "extKeyUsage: none → clientAuth (granted)",
                     "released it, and policy-default", "→ issued", "revoked (superseded)", "no exit module is owed an event of it",
                     "request %d is revoked: serial %s" % (id, serial)):
            self.assertIn(part, text[at:], text)
            at += text[at:].index(part)
        self.assertEqual(json.loads(self.explain(id, "--json")), self.evidence(id))

    def test_what_exit_modules_are_owed(self):
        self.d.set("Modules/exit-publish/Paused", 1)
        self.d.set("ExitModules/exit-publish/Folder", self.temp())
        self.d.set("ExitModules/exit-publish/Always", 1)
        try:
            id = self.d.submit(make_csr()).json["request_id"]
            (e,) = self.evidence(id)["owed"]
            self.assertEqual((e["module"], e["event"], e["state"], e["attempts"]), ("exit-publish", "certissued", "waiting", 0))
            self.assertIn("exit-publish is owed certissued of ", self.explain(id))
        finally:
            self.d.set("Modules/exit-publish/Paused", 0)
        self.assertTrue(daemon.until(lambda: self.evidence(id)["owed"] == []))

    def test_who_may_read_it(self):
        id = self.d.submit(make_csr()).json["request_id"]
        self.assert_problem(self.d.ask("GET", "/api/v1/requests/999999/evidence"), 404)
        self.assert_problem(self.d.ask("GET", "/api/v1/requests/x/evidence"), 400)
        got = run(CHANCERY, "--socket", self.d.socket, "request", "explain", "999999", check=False)
        self.assertEqual(got.returncode, 5, got)
        t = Daemon.throwaway()
        self.addCleanup(t.close)
        id = t.submit(make_csr(("DNS:localhost",), "/CN=localhost")).json["request_id"]
        self.assertEqual(t.ask_http("GET", "/api/v1/requests/%d/evidence" % id).status, 200)
        self.assert_problem(t.ask_http("GET", "/api/v1/requests/%d/evidence" % id, token=False), 403)
        t.stop()


if __name__ == "__main__":
    daemon.main()
