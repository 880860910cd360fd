"""Requests that wait for an officer, what the officer may do, and the events that exit modules see."""
import json
import os
import time
import urllib.parse

import daemon
from daemon import Case, Certificate, Daemon, make_ca, make_csr, run, until

PENDING_FIRST = 0x101


class Officer(Case):
    """A daemon over a folder, so that nothing is issued unless somebody says so."""

    def setUp(self):
        self.path = self.temp()
        self.ca_dir = make_ca(self.path)
        self.d = Daemon.of_dir(self.path)
        self.addCleanup(self.d.close)
        self.addCleanup(self.d.stop)
        self.d.policy("RequestDisposition", PENDING_FIRST)

    def pend(self, csr=None, **more):
        answer = self.d.submit(csr or make_csr(), **more)
        self.assertEqual(answer.status, 202, answer)
        self.assertEqual(answer.json["disposition"], "pending")
        self.assertNotIn("certificate", answer.json)
        return answer.json["request_id"]

    def post(self, id, verb):
        return self.d.ask("POST", "/api/v1/requests/%d/%s" % (id, verb))

    def patch(self, id, **change):
        return self.d.ask("PATCH", "/api/v1/requests/%d" % id, json.dumps(change), {"Content-Type": "application/json"})

    def show(self, id):
        answer = self.d.ask("GET", "/api/v1/requests/%d" % id)
        self.assertEqual(answer.status, 200, answer)
        return answer.json


class Life(Officer):
    def test_a_new_ca_issues_nothing_by_itself(self):
        self.d.unset("PolicyModules/policy-default/RequestDisposition")
        id = self.pend()
        self.assertEqual(self.show(id)["disposition"], "pending")

    def test_pending_then_issued(self):
        csr = make_csr()
        id = self.pend(csr)
        row = self.show(id)
        self.assertEqual((row["disposition"], row["serial"], row["resolved_when"] is None), ("pending", None, False))
        self.assertEqual(row["request"].encode(), csr)
        self.assertNotIn("certificate", row)
        self.assert_problem(self.d.ask("GET", "/api/v1/requests/%d/certificate" % id), 409, "bad-requeststatus")
        answer = self.post(id, "resubmit")
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual((answer.json["request_id"], answer.json["disposition"]), (id, "issued"))
        row = self.show(id)
        self.assertEqual((row["disposition"], row["serial"]), ("issued", answer.json["serial"]))
        c = self.d.ask("GET", "/api/v1/requests/%d/certificate" % id)
        self.assertEqual(c.body.decode(), row["certificate"])
        self.assert_verifies(c.body, os.path.join(self.ca_dir, "ca.pem"))

    def test_pending_then_denied(self):
        id = self.pend()
        answer = self.post(id, "deny")
        self.assert_problem(answer, 403, "admin-denied-request")
        self.assertEqual(answer.json["disposition"], "denied")
        self.assertIn("Denied by ", self.show(id)["message"])
        self.assert_problem(self.d.ask("GET", "/api/v1/requests/%d/certificate" % id), 403)
        self.assert_problem(self.post(id, "deny"), 409, "bad-requeststatus")

    def test_administrator_resubmits_what_was_denied(self):
        id = self.pend()
        self.post(id, "deny")
        answer = self.post(id, "resubmit")
        self.assertEqual((answer.status, answer.json["disposition"]), (201, "issued"), answer)
        self.assertEqual(self.show(id)["disposition"], "issued")

    def test_survives_a_restart(self):
        id = self.pend()
        self.d.stop()
        with Daemon.of_dir(self.path) as again:
            self.d = again
            self.assertEqual(self.show(id)["disposition"], "pending")
            self.assertEqual(self.post(id, "resubmit").status, 201)
            second = self.pend()
            self.assertGreater(second, id)

    def test_policy_decides_again_at_resubmission(self):
        id = self.pend()
        self.d.policy("RequestDisposition", 2)
        answer = self.post(id, "resubmit")
        self.assert_problem(answer, 403)
        self.assertEqual(self.show(id)["disposition"], "denied")

    def test_request_that_asks_for_pending(self):
        self.d.policy("RequestDisposition", 3)
        self.assertEqual(self.d.submit(make_csr()).status, 201)
        self.pend(attributes={"Disposition": "Pending"})
        self.assert_problem(self.d.submit(make_csr(), attributes={"Disposition": "Deny"}), 403)


class Changes(Officer):
    def test_attributes(self):
        id = self.pend()
        answer = self.patch(id, attributes={"CertificateTemplate": "tls-peer", "Cost-Center": "4711"})
        self.assertEqual((answer.status, answer.json["disposition"]), (202, "pending"), answer)
        row = self.show(id)
        self.assertEqual(row["attributes"]["CertificateTemplate"], "tls-peer")
        self.assertEqual(row["attributes"]["Cost-Center"], "4711")
        self.patch(id, attributes={"cost center": "4712"})
        self.assertEqual(self.show(id)["attributes"]["Cost-Center"], "4712")
        c = Certificate(self.post(id, "resubmit").json["certificate"])
        self.assertIn("TLS Web Server Authentication, TLS Web Client Authentication", c.text)

    def test_extension(self):
        id = self.pend()
        answer = self.patch(id, extension={"oid": "1.2.3.4.5", "hex": "0c026869", "critical": False})
        self.assertEqual((answer.status, answer.json["disposition"]), (202, "pending"), answer)
        shown = {e["oid"]: e for e in self.show(id)["extensions"]}
        self.assertEqual(shown["1.2.3.4.5"]["origin"], "admin")
        answer = self.post(id, "resubmit")
        self.assertEqual(answer.status, 201, answer)
        c = Certificate(answer.json["certificate"])
        self.assertRegex(c.text, r"1\.2\.3\.4\.5: *\n +\.\.hi")
        self.assert_verifies(c.pem, os.path.join(self.ca_dir, "ca.pem"))

    def test_disabled_extension_stays_out(self):
        id = self.pend()
        answer = self.patch(id, extension={"oid": "1.2.3.4.5", "hex": "0c026869", "disabled": True})
        self.assertEqual(answer.status, 202, answer)
        self.assertNotIn("1.2.3.4.5", Certificate(self.post(id, "resubmit").json["certificate"]).text)

    def test_refused(self):
        id = self.pend()
        before = self.show(id)
        for change in ({}, {"attributes": {"a": "b"}, "extension": {"oid": "1.2.3", "hex": "0500"}}, {"attributes": {"a": 1}},
                       {"attributes": {"a": "b\nc:d"}}, {"extension": {"oid": "1.2.3"}}, {"extension": {"hex": "0500"}},
                       {"extension": {"oid": "1.2.3", "hex": "zz"}}, {"extension": {"oid": "abc", "hex": "0500"}},
                       {"extension": {"oid": "1.2.3", "hex": "0500", "more": 1}}, {"disposition": "issued"},
                       {"extension": {"oid": "9.9.9", "hex": "0500"}}, {"extension": []}):
            with self.subTest(str(change)):
                self.assert_problem(self.patch(id, **change), 400)
        self.assertEqual(self.show(id), before)
        self.assert_problem(self.d.ask("PATCH", "/api/v1/requests/%d" % id, "{", {"Content-Type": "application/json"}), 400)


class WrongState(Officer):
    def test_issued(self):
        id = self.pend()
        self.assertEqual(self.post(id, "resubmit").status, 201)
        certificate = self.d.ask("GET", "/api/v1/requests/%d/certificate" % id).body
        self.assert_problem(self.post(id, "resubmit"), 409, "bad-requeststatus")
        self.assert_problem(self.post(id, "deny"), 409, "bad-requeststatus")
        self.assert_problem(self.patch(id, attributes={"a": "b"}), 409, "bad-requeststatus")
        self.assert_problem(self.patch(id, extension={"oid": "1.2.3", "hex": "0500"}), 409, "bad-requeststatus")
        self.assertEqual(self.d.ask("GET", "/api/v1/requests/%d/certificate" % id).body, certificate)

    def test_denied(self):
        id = self.pend()
        self.post(id, "deny")
        self.assert_problem(self.patch(id, attributes={"a": "b"}), 409, "bad-requeststatus")

    def test_failed(self):
        der = bytearray(make_csr(form="DER"))
        der[-1] ^= 1
        id = self.d.submit(bytes(der)).json["request_id"]
        for verb in ("resubmit", "deny"):
            self.assert_problem(self.post(id, verb), 409, "bad-requeststatus")

    def test_unknown(self):
        for id in (4242, 2147483647):
            self.assert_problem(self.d.ask("GET", "/api/v1/requests/%d" % id), 404)
            self.assert_problem(self.d.ask("GET", "/api/v1/requests/%d/certificate" % id), 404)
            self.assert_problem(self.post(id, "resubmit"), 404)
            self.assert_problem(self.post(id, "deny"), 404)
            self.assert_problem(self.patch(id, attributes={"a": "b"}), 404)
        self.assert_problem(self.d.ask("GET", "/api/v1/certificates/00ff"), 404)

    def test_no_number(self):
        for id in ("0", "-1", "x", "1x", "2147483648", "99999999999999999999", "%31%00", "+1"):
            answer = self.d.ask("GET", "/api/v1/requests/" + id)
            self.assertIn(answer.status, (400, 404), answer)
            self.assert_problem(answer, answer.status)


class Lists(Officer):
    def list(self, what, **query):
        answer = self.d.ask("GET", "/api/v1/%s?%s" % (what, urllib.parse.urlencode(query)))
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def test_where_sort_limit_after(self):
        ids = [self.pend(make_csr(["DNS:h%d.example.test" % i], "/CN=h%d.example.test" % i)) for i in range(7)]
        issued = [self.post(i, "resubmit").json["serial"] for i in ids[:3]]
        self.post(ids[3], "deny")
        self.assertEqual({r["request_id"] for r in self.list("requests", where="disposition = pending")["requests"]}, set(ids[4:]))
        self.assertEqual({r["request_id"] for r in self.list("requests", where="disposition=denied")["requests"]}, {ids[3]})
        self.assertEqual({r["serial"] for r in self.list("certificates")["certificates"]}, set(issued))
        one = self.list("certificates", where="serial = " + issued[1])["certificates"]
        self.assertEqual([r["request_id"] for r in one], [ids[1]])
        one = self.list("certificates", where="common_name = 'h2.example.test' and request_id > 0")["certificates"]
        self.assertEqual([r["request_id"] for r in one], [ids[2]])
        self.assertEqual([r["request_id"] for r in self.list("requests", sort="request_id")["requests"]], ids)
        self.assertEqual([r["request_id"] for r in self.list("requests", sort="-request_id")["requests"]], ids[::-1])
        seen, page = [], self.list("requests", sort="request_id", limit=3)
        while page["requests"]:
            seen += [r["request_id"] for r in page["requests"]]
            page = self.list("requests", sort="request_id", limit=3, after=page["after"]) if "after" in page else {"requests": []}
        self.assertEqual(seen, ids)

    def test_bad_where(self):
        for text in ("x", "disposition", "disposition =", "nothing = 1", "serial = xyz", "request_id = abc", "disposition = 'pending",
                     "request_id = 1 or 1 = 1", "request_id = 1; drop table request", "submitted_when > yesterday",
                     " and ".join(["request_id > 1"] * 9)):
            with self.subTest(text):
                answer = self.d.ask("GET", "/api/v1/requests?" + urllib.parse.urlencode({"where": text}))
                self.assert_problem(answer, answer.status)
                self.assertIn(answer.status, (400, 404))


class Events(Officer):
    def files(self):
        return sorted(f for f in os.listdir(self.out) if not f.startswith("."))

    def setUp(self):
        super().setUp()
        self.out = self.temp()
        self.d.set("ExitModules/exit-publish/Folder", self.out)
        self.d.set("ExitModules/exit-publish/Always", 1)
        self.d.stop()  # the mask of events is asked for once, at the start
        self.d = Daemon.of_dir(self.path)
        self.addCleanup(self.d.close)
        self.addCleanup(self.d.stop)

    def test_certificate_is_published_when_issued_and_not_before(self):
        id = self.pend()
        denied = self.pend()
        self.post(denied, "deny")
        time.sleep(0.2)
        self.assertEqual(self.files(), [])
        der = daemon.pem_to_der(self.post(id, "resubmit").json["certificate"])
        self.assertTrue(until(lambda: self.files() == ["%d.cer" % id]), self.files())
        with open(os.path.join(self.out, "%d.cer" % id), "rb") as f:
            self.assertEqual(f.read(), der)
        self.assertTrue(until(lambda: self.d.metric("exit_backlog") == 0))
        self.assertEqual(self.d.metric("exit_calls_total"), 1)
        self.assertEqual(self.d.module("exit-publish")["calls"] >= 1, True)

    def test_every_one_of_many(self):
        self.d.policy("RequestDisposition", 1)
        csr = make_csr()
        ids = [self.d.submit(csr).json["request_id"] for _ in range(60)]
        expected = sorted("%d.cer" % i for i in ids)
        self.assertTrue(until(lambda: self.files() == expected), self.files())

    def test_module_that_fails(self):
        """A failing Notify holds nothing up, and the module is told again."""
        self.d.policy("RequestDisposition", 1)
        os.rmdir(self.out)
        answer = self.d.submit(make_csr())
        self.assertEqual(answer.status, 201)
        self.assertTrue(until(lambda: self.d.metric("exit_failures_total") >= 1))
        self.assertEqual(self.d.ask("GET", "/readyz").status, 200)
        self.assertEqual(self.d.metric("exit_backlog"), 1)
        os.mkdir(self.out)
        again = self.d.submit(make_csr()).json["request_id"]
        expected = sorted("%d.cer" % i for i in (answer.json["request_id"], again))
        self.assertTrue(until(lambda: self.files() == expected), self.files())
        self.assertTrue(until(lambda: self.d.metric("exit_backlog") == 0))


class CommandLine(Officer):
    """The same by the chancery program, with its exit statuses."""

    def chancery(self, *argv, status=0):
        done = run(daemon.CHANCERY, "--socket", self.d.socket, *argv, check=False)
        self.assertEqual(done.returncode, status, (argv, done.stdout, done.stderr))
        return done.stdout.decode()

    def test_life(self):
        csr, out = self.file(make_csr(), "r.pem"), os.path.join(self.temp(), "c.pem")
        told = json.loads(self.chancery("--json", "request", "submit", csr, status=4))
        id = str(told["request_id"])
        self.chancery("request", "retrieve", id, status=4)
        self.chancery("request", "set-attr", id, "CertificateTemplate:tls-peer")
        self.chancery("request", "resubmit", id)
        self.chancery("request", "retrieve", id, "--out", out)
        with open(out, "rb") as f:
            self.assert_verifies(f.read(), os.path.join(self.ca_dir, "ca.pem"))
        told = json.loads(self.chancery("--json", "request", "submit", csr, status=4))
        self.chancery("request", "deny", str(told["request_id"]))
        self.chancery("request", "retrieve", str(told["request_id"]), status=3)
        self.chancery("request", "show", "999999", status=5)
        self.chancery("request", "frobnicate", status=2)
        done = run(daemon.CHANCERY, "--socket", "/nowhere.sock", "ca", "list", check=False)
        self.assertEqual(done.returncode, 7, done)


if __name__ == "__main__":
    daemon.main()
