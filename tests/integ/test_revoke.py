"""Revocation from outside: what officers do to certificates, and the CRLs that tell the world, judged by openssl and GnuTLS."""
import json
import os
import re
import subprocess
import time
import unittest
import urllib.parse

import daemon
from daemon import Case, Certificate, make_csr, run, until

JSON = {"Content-Type": "application/json"}
WEEK = 7 * 86400
VALID, REVOKED, INVALID = 3, 2, 4


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Crl:
    """What openssl reads in a CRL."""

    def __init__(self, der):
        self.der = der
        self.pem = run("openssl", "crl", "-inform", "DER", data=der).stdout
        self.text = run("openssl", "crl", "-noout", "-text", data=self.pem).stdout.decode()
        self.number = int(run("openssl", "crl", "-noout", "-crlnumber", data=self.pem).stdout.decode().split("=")[1], 16)
        entries = self.text.split("Revoked Certificates:")[1] if "Revoked Certificates:" in self.text else ""
        self.entry = {e.split()[0].lower(): e for e in entries.split("Serial Number:")[1:]}

    @property
    def serials(self):
        return set(self.entry)


class Revoking(Case):
    def setUp(self):
        self.d = self.start()
        self.urls = 0

    def issue(self, name="www.example.test"):
        answer = self.d.submit(make_csr(("DNS:" + name,), "/CN=" + name))
        self.assertEqual(answer.status, 201, answer)
        return answer.json

    def post(self, path, body=None, status=200, code=None, ask=None):
        answer = (ask or self.d.ask)("POST", "/api/v1" + path, json.dumps(body) if body is not None else None,
                                     JSON if body is not None else None)
        if status == 200:
            self.assertEqual(answer.status, 200, answer)
        else:
            self.assert_problem(answer, status, code)
        return answer.json

    def revoke(self, serial, **body):
        return self.post("/certificates/%s/revoke" % serial, body or None)

    def validity(self, serial):
        answer = self.d.ask("GET", "/api/v1/certificates/%s/validity" % serial)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def row(self, serial):
        return self.d.ask("GET", "/api/v1/certificates/" + serial).json

    def publish(self, **body):
        return self.post("/crl", body or None)

    def crls(self, kind=None):
        all = self.d.ask("GET", "/api/v1/crl").json["crls"]
        return [c for c in all if kind in (None, c["kind"])]

    def fetch(self, name, headers=None):
        return self.d.ask("GET", "/crl/" + urllib.parse.quote(name, safe="()+!"), headers=headers)

    def crl(self, kind="base", shard=0):
        (info,) = [c for c in self.crls(kind) if c["shard"] == shard]
        answer = self.fetch(info["name"])
        self.assertEqual((answer.status, answer.type), (200, "application/pkix-crl"), answer)
        return Crl(answer.body)

    def http(self, path):
        return self.d.info["http"] + path

    def openssl_verify(self, leaf, crls, *options):
        argv = ["openssl", "verify", "-x509_strict", "-crl_check", *options, "-CAfile", self.d.info["ca_cert"]]
        for crl in crls:
            argv += ["-CRLfile", self.file(crl.pem, "crl.pem")]
        done = run(*argv, self.file(leaf.encode(), "leaf.pem"), check=False)
        return done.returncode == 0, (done.stdout + done.stderr).decode()

    def assert_good(self, leaf, *crls, options=()):
        good, said = self.openssl_verify(leaf, crls, *options)
        self.assertTrue(good, said)

    def assert_revoked(self, leaf, *crls, options=()):
        good, said = self.openssl_verify(leaf, crls, *options)
        self.assertFalse(good, said)
        self.assertIn("certificate revoked", said)

    def assert_signed(self, crl):
        """By the CA, say two implementations that share nothing with ours."""
        ca, path = self.d.info["ca_cert"], self.file(crl.pem, "crl.pem")
        self.assertIn(b"verify OK", run("openssl", "crl", "-noout", "-verify", "-CAfile", ca, "-in", path).stderr)
        run("certtool", "--verify-crl", "--load-ca-certificate", ca, "--infile", path)


class One(Revoking):
    def test_by_serial(self):
        made, other = self.issue(), self.issue("b.example.test")
        answer = self.revoke(made["serial"], reason="keyCompromise")
        self.assertEqual((answer["request_id"], answer["disposition"], answer["serial"], answer["revoked_reason"],
                          answer["revoked_reason_name"]), (made["request_id"], "revoked", made["serial"], 1, "keyCompromise"))
        self.assertEqual(self.validity(made["serial"]),
                         {"disposition": REVOKED, "valid": False, "revoked": True, "reason": 1, "reason_name": "keyCompromise"})
        self.assertEqual(self.validity(other["serial"]), {"disposition": VALID, "valid": True, "revoked": False})
        self.assertEqual(self.validity("00" * 19 + "01")["disposition"], INVALID)
        self.publish()
        crl = self.crl()
        self.assertEqual(crl.serials, {made["serial"]})
        self.assertIn("Key Compromise", crl.entry[made["serial"]])
        self.assert_signed(crl)
        self.assert_revoked(made["certificate"], crl)
        self.assert_good(other["certificate"], crl)
        row = self.row(made["serial"])
        self.assertEqual((row["disposition"], row["revoked_reason"], row["revoked_reason_name"]), ("revoked", 1, "keyCompromise"))

    def test_by_id(self):
        made = self.issue()
        path = "/requests/%d" % made["request_id"]
        self.assertEqual(self.post(path + "/revoke", {"reason": 6})["revoked_reason_name"], "certificateHold")
        self.assertEqual(self.post(path + "/release")["disposition"], "issued")
        self.assertEqual(self.post(path + "/revoke")["revoked_reason"], 0)
        history = self.d.ask("GET", "/api/v1" + path).json["history"]
        self.assertEqual([(h["disposition"], h["reason"], h["reason_name"]) for h in history],
                         [("revoked", 6, "certificateHold"), ("issued", -1, "release"), ("revoked", 0, "unspecified")])
        self.assertEqual([h["seq"] for h in history], sorted({h["seq"] for h in history}))
        self.assertTrue(all(h["author"] and h["message"].startswith("Revoked by") for h in history))

    def test_reasons_by_name_and_number(self):
        serial = self.issue()["serial"]
        for reason, number in (("superseded", 4), ("key-compromise", 1), ("KEYCOMPROMISE", 1), ("cessation_of_operation", 5), (9, 9),
                               ("10", 10), ("affiliationChanged", 3), ("privilege-withdrawn", 9), ("unspecified", 0)):
            with self.subTest(reason):
                self.assertEqual(self.revoke(serial, reason=reason)["revoked_reason"], number)
                self.assertEqual(self.row(serial)["revoked_reason"], number)
        for reason in ("nonsense", "", "removeFromCRL", 7, 8, 11, -4, 1.5, True, [], {}, "1x"):
            with self.subTest(reason):
                self.post("/certificates/%s/revoke" % serial, {"reason": reason}, 400, "invalidarg")

    def test_wrong_transitions(self):
        serial = self.issue()["serial"]
        self.post("/certificates/%s/release" % serial, None, 400, "invalid-data")
        self.revoke(serial, reason="superseded")
        self.post("/certificates/%s/release" % serial, None, 400, "invalid-data")
        self.post("/certificates/%s/revoke" % serial, {"reason": "certificateHold"}, 400, "invalid-data")
        self.post("/certificates/00ff/revoke", None, 404)
        self.post("/certificates/00ff/release", None, 404)
        self.post("/certificates/xyz/revoke", None, 400, "invalidarg")
        self.post("/certificates/0/revoke", None, 400, "invalidarg")
        self.post("/requests/4711/revoke", None, 404)
        self.post("/requests/x/revoke", None, 400, "invalidarg")
        self.d.policy("RequestDisposition", 257)
        pending = self.d.submit(make_csr()).json["request_id"]
        self.post("/requests/%d/revoke" % pending, None, 400, "invalid-data")
        self.assertEqual(self.row(serial)["revoked_reason"], 4)
        self.assertEqual(len(self.row(serial)["history"]), 1)

    def test_bodies(self):
        serial = self.issue()["serial"]
        for body in ("{", "[]", '"x"', '{"reason":1,"reason":2}', '{"why":1}', '{"effective_when":"soon"}', '{"effective_when":[]}',
                     '{"invalidity_when":true}', '{"effective_when":1.5}', "\xff"):
            with self.subTest(body):
                answer = self.d.ask("POST", "/api/v1/certificates/%s/revoke" % serial, body.encode("latin-1"), JSON)
                self.assert_problem(answer, 400)
        self.post("/certificates/%s/release" % serial, {"reason": 1}, 400)
        answer = self.d.ask("POST", "/api/v1/certificates/%s/revoke" % serial, b" " * 20000, JSON)
        self.assert_problem(answer, 413)
        self.assertEqual(self.validity(serial)["disposition"], VALID)

    def test_who_may(self):
        serial = self.issue()["serial"]
        for path in ("/certificates/%s/revoke" % serial, "/certificates/%s/release" % serial, "/crl", "/ca/renew"):
            with self.subTest(path):
                self.post(path, None, 403, "accessdenied", ask=lambda m, p, b, h: self.d.ask_http(m, p, b, h, token=False))
        self.post("/certificates/revoke", {"all": True}, 403, "accessdenied",
                  ask=lambda m, p, b, h: self.d.ask_http(m, p, b, h, token=False))
        self.assertEqual(self.validity(serial)["disposition"], VALID)
        self.post("/certificates/%s/revoke" % serial, None, ask=self.d.ask_tls)

    def test_hold_and_release(self):
        made = self.issue()
        self.revoke(made["serial"], reason="certificateHold")
        self.publish()
        self.assertIn("Certificate Hold", self.crl().entry[made["serial"]])
        self.assert_revoked(made["certificate"], self.crl())
        self.post("/certificates/%s/release" % made["serial"])
        self.assertEqual(self.validity(made["serial"])["disposition"], VALID)
        self.publish()
        self.assertEqual(self.crl().serials, set())
        self.assert_good(made["certificate"], self.crl())
        self.revoke(made["serial"], reason="certificateHold")
        self.assertEqual(self.revoke(made["serial"], reason="keyCompromise")["revoked_reason"], 1)

    def test_dates(self):
        past, ahead, lost = self.issue("past.test"), self.issue("ahead.test"), self.issue("lost.test")
        now = int(time.time())
        when = now - 3600
        self.revoke(past["serial"], effective_when=stamp(when))
        self.revoke(ahead["serial"], effective_when=stamp(now + 3600))
        self.revoke(lost["serial"], reason=1, invalidity_when=stamp(now - 7200))
        self.assertEqual(self.validity(past["serial"])["disposition"], REVOKED)
        self.assertEqual(self.validity(ahead["serial"])["disposition"], VALID)
        self.assertEqual(self.row(ahead["serial"])["disposition"], "revoked")
        self.assertEqual(self.row(past["serial"])["revoked_effective_when"], stamp(when))
        self.publish()
        crl = self.crl()
        self.assertEqual(crl.serials, {past["serial"], lost["serial"]})
        self.assertIn(time.strftime("%b %e %H:%M:%S %Y GMT", time.gmtime(when)), crl.entry[past["serial"]])
        self.assertIn("Invalidity Date", crl.entry[lost["serial"]])
        self.assert_good(ahead["certificate"], crl)
        self.assert_revoked(past["certificate"], crl)

    def test_a_date_that_comes(self):
        made = self.issue()
        self.d.set("CRLPublishDelaySeconds", 0)
        self.revoke(made["serial"], effective_when=int(time.time()) + 3)
        self.assertEqual(self.validity(made["serial"])["disposition"], VALID)
        self.assertEqual(until(lambda: self.validity(made["serial"])["disposition"] == REVOKED), True)
        self.assertTrue(until(lambda: made["serial"] in self.crl().serials))

    def test_published_soon_by_itself(self):
        made = self.issue()
        before = self.crl().number
        self.revoke(made["serial"])
        self.assertTrue(until(lambda: made["serial"] in self.crl().serials))
        self.assertGreater(self.crl().number, before)

    def test_kept_after_expiry(self):
        serial = self.issue()["serial"]
        self.assertTrue(self.revoke(serial, reason=-2)["kept_after_expiry"])
        self.assertEqual(self.row(serial)["disposition"], "issued")
        self.assertTrue(self.row(serial)["kept_after_expiry"])
        self.assertFalse(self.revoke(serial, reason="drop-expired")["kept_after_expiry"])
        self.assertNotIn("kept_after_expiry", self.row(serial))


class Many(Revoking):
    def setUp(self):
        super().setUp()
        self.made = [self.issue("n%02d.test" % i) for i in range(24)]

    def many(self, status=200, **body):
        return self.post("/certificates/revoke", body, status)

    def standing(self):
        rows = self.d.ask("GET", "/api/v1/certificates?limit=1000").json["certificates"]
        return {r["serial"]: r["disposition"] for r in rows}

    def test_counted_first(self):
        self.assertEqual(self.many(where="common_name ~ n0", dry_run=True), {"matched": 10})
        self.assertEqual(self.many(where="common_name = nobody.test", dry_run=True), {"matched": 0})
        self.assertNotIn("revoked", self.standing().values())

    def test_in_slices(self):
        after, seen, slices = 0, 0, 0
        while True:
            answer = self.many(where="common_name ~ n", reason="superseded", limit=5, after=after)
            self.assertEqual(answer["unchanged"], 0)
            self.assertLessEqual(answer["changed"], 5)
            seen, slices = seen + answer["changed"], slices + 1
            if "after" not in answer:
                break
            self.assertGreater(answer["after"], after)
            after = answer["after"]
        self.assertEqual(seen, 24)
        self.assertGreaterEqual(slices, 5)
        standing = self.standing()
        self.assertEqual({standing[m["serial"]] for m in self.made}, {"revoked"})
        again = self.many(where="common_name ~ n", reason="superseded")
        self.assertEqual(again, {"changed": 0, "unchanged": 24})
        self.publish()
        self.assertEqual(self.crl().serials, {m["serial"] for m in self.made})

    def test_only_what_can_change(self):
        self.d.policy("RequestDisposition", 257)
        pending = self.d.submit(make_csr(("DNS:n99.test",), "/CN=n99.test")).json["request_id"]
        self.revoke(self.made[0]["serial"], reason="keyCompromise")
        answer = self.many(where="common_name ~ n", reason="certificateHold")
        self.assertEqual(answer, {"changed": 23, "unchanged": 1})
        self.assertEqual(self.row(self.made[0]["serial"])["revoked_reason"], 1)
        self.assertEqual(self.d.ask("GET", "/api/v1/requests/%d" % pending).json["disposition"], "pending")

    def test_without_a_reason_an_earlier_one_stays(self):
        serials = [m["serial"] for m in self.made]
        self.revoke(serials[0], reason="keyCompromise")
        self.revoke(serials[1], reason="certificateHold")
        for body in ({}, {"reason": None, "effective_when": "2020-01-01T00:00:00Z"}):
            answer = self.many(where="common_name ~ n", **body)
            self.assertEqual(answer, {"changed": 0 if body else 22, "unchanged": 24 if body else 2})
            self.assertEqual([self.row(s)["revoked_reason"] for s in serials], [1, 6] + [0] * 22)
        again = self.many(where="common_name ~ n", reason="unspecified")
        self.assertEqual(again, {"changed": 2, "unchanged": 22})
        self.assertEqual({self.row(s)["revoked_reason"] for s in serials}, {0})

    def test_never_all_by_mistake(self):
        for body in ({}, {"where": ""}, {"where": "   "}, {"all": False}, {"all": True, "where": "common_name ~ n"}, {"all": 1},
                     {"where": 5}, {"where": "no_column = 1"}, {"where": "common_name ~ n", "limit": 5001},
                     {"where": "common_name ~ n", "limit": -1}, {"where": "common_name ~ n", "after": "x"},
                     {"where": "common_name ~ n", "reason": "nonsense"}, {"where": "common_name ~ n", "dry_run": "yes"},
                     {"where": "common_name ~ n and"}, {"where": "common_name ~ n", "what": 1}):
            with self.subTest(body):
                answer = self.d.ask("POST", "/api/v1/certificates/revoke", json.dumps(body), JSON)
                self.assert_problem(answer, 400)
        self.assert_problem(self.d.ask("POST", "/api/v1/certificates/revoke"), 400)
        self.assertNotIn("revoked", self.standing().values())
        total = self.many(all=True, dry_run=True)["matched"]
        self.assertEqual(self.many(all=True)["changed"], total)
        self.assertEqual(set(self.standing().values()), {"revoked"})


class Files(Revoking):
    def test_conditions_and_ranges(self):
        (info,) = self.crls()
        url = self.http("/crl/" + urllib.parse.quote(info["name"]))
        folder = self.temp()

        def curl(*argv):
            body = os.path.join(folder, "body")
            head = run("curl", "-sS", "-o", body, "-D", "-", *argv, url).stdout.decode()
            with open(body, "rb") as f:
                return int(head.split()[1]), head, f.read()
        status, head, whole = curl()
        self.assertEqual((status, len(whole)), (200, info["size"]))
        field = {k.lower(): v for k, v in re.findall(r"^([\w-]+): (.*?)\r?$", head, re.M)}
        self.assertEqual(field["content-type"], "application/pkix-crl")
        self.assertEqual(field["etag"], '"0-0-%d"' % info["number"])
        self.assertIn("last-modified", field)
        age = re.fullmatch(r"public, max-age=(\d+), s-maxage=(\d+)", field["cache-control"])
        self.assertTrue(WEEK - 120 < int(age.group(1)) <= WEEK, field)
        self.assertEqual(age.group(1), age.group(2))
        self.assertEqual(curl("-H", "If-None-Match: " + field["etag"])[0], 304)
        self.assertEqual(curl("-H", 'If-None-Match: "0-0-1"')[0], 200)
        self.assertEqual(curl("-H", "If-Modified-Since: " + field["last-modified"])[0], 304)
        self.assertEqual(curl("-H", 'If-Match: "other"')[0], 412)
        status, head, part = curl("-r", "5-20")
        self.assertEqual((status, part), (206, whole[5:21]))
        self.assertEqual(curl("-r", "-7")[2], whole[-7:])
        self.assertEqual(curl("-r", "%d-" % len(whole))[0], 416)
        self.assertEqual(run("curl", "-sS", "-I", url).stdout.split()[1], b"200")
        self.publish()
        self.assertEqual(curl("-H", "If-None-Match: " + field["etag"])[0], 200)

    def test_nobody_is_asked_who_he_is(self):
        (info,) = self.crls()
        path = "/crl/" + urllib.parse.quote(info["name"])
        self.assertEqual(self.d.ask_http("GET", path, token=False).status, 200)
        self.assertEqual(self.d.ask_tls("GET", path, token=False).status, 200)
        self.assertEqual(self.d.ask("GET", path).status, 200)
        self.assertEqual(self.d.ask("GET", "/api/v1" + path).body, self.fetch(info["name"]).body)

    def test_unknown_names(self):
        for path in ("/crl/..%2fca.pem", "/aia/..%2fkey.pem"):
            self.assert_problem(self.d.ask("GET", path), 400)
        for path in ("/crl/nothing.crl", "/crl/0-0-1.crl", "/api/v1/crl/nothing.crl", "/aia/nothing.crt",
                     "/crl/%25s%25n.crl", "/crl/" + "a" * 900):
            with self.subTest(path):
                self.assert_problem(self.d.ask("GET", path), 404)
        self.assertIn(self.d.ask("POST", "/crl/x.crl").status, (404, 405))

    def test_certificates_of_the_ca(self):
        (cert,) = self.d.ask("GET", "/api/v1/ca").json["certificates"]
        answer = self.d.ask_http("GET", "/aia/" + urllib.parse.quote(cert["file"]), token=False)
        self.assertEqual((answer.status, answer.type), (200, "application/pkix-cert"))
        with open(self.d.info["ca_cert"]) as f:
            self.assertEqual(answer.body, Certificate(f.read()).der)
        again = self.d.ask("GET", "/aia/" + urllib.parse.quote(cert["file"]), headers={"If-None-Match": answer.headers["ETag"]})
        self.assertEqual(again.status, 304)
        self.assertIn("max-age=", answer.headers["Cache-Control"])

    def test_listed(self):
        made = self.issue()
        self.revoke(made["serial"])
        answer = self.publish(next_update=stamp(time.time() + 2 * 86400))
        self.assertEqual(answer["made"], 1)
        self.assertEqual([c["number"] for c in answer["crls"]], [answer["number"]])
        (info,) = self.crls()
        crl = self.crl()
        self.assertEqual((info["number"], info["entries"], info["size"], info["kind"], info["key_index"], info["shard"], info["status"],
                          info["overdue"]), (crl.number, 1, len(crl.der), "base", 0, 0, 0, False))
        # MS-CSRA 3.1.4.1.6: the successor is due then; this one holds a little longer.
        self.assertIn(info["next_publish"][:16], {stamp(time.time() + 2 * 86400 + s)[:16] for s in range(-300, 1)})
        self.assertGreater(info["next_update"], info["next_publish"])
        self.assertEqual(self.d.metric("crl_number"), info["number"])
        self.assertEqual(self.d.metric("crl_entries"), 1)
        self.assertEqual(self.d.metric("crl_size_bytes"), info["size"])
        self.assertEqual(self.d.metric("crl_overdue"), 0)
        self.assertTrue(0 <= self.d.metric("crl_age_seconds") < 120)
        self.assertTrue(2 * 86400 - 300 < self.d.metric("crl_next_update_seconds") < 3 * 86400)
        self.assertEqual(self.d.ask("GET", "/api/v1/ca").json["crls"]["count"], 1)
        self.assertEqual(self.d.ask("GET", "/api/v1/ca").json["crls"]["entries"], 1)

    def test_orders_that_cannot_be(self):
        for body in ({"kind": "huge"}, {"kind": 1}, {"shard": -1}, {"shard": 7}, {"shard": 70000}, {"next_update": "never"},
                     {"next_update": stamp(time.time() - 86400)}, {"republish": "yes"}, {"more": 1}, {"kind": "delta"}):
            with self.subTest(body):
                answer = self.d.ask("POST", "/api/v1/crl", json.dumps(body), JSON)
                self.assert_problem(answer, answer.status)
                self.assertTrue(400 <= answer.status < 600, answer)
        self.assertEqual(self.d.ask("GET", "/readyz").status, 200)

    def test_trouble_is_told(self):
        self.d.set("CRLPublicationURLs", ["1:%s/no/such/folder/%%3%%8%%9.crl" % self.temp()])
        answer = self.d.ask("POST", "/api/v1/crl")
        self.assert_problem(answer, answer.status)
        self.assertGreaterEqual(answer.json["made"], 1)
        self.assertEqual(answer.json["number"], self.crl().number)
        (info,) = self.crls()
        self.assertLess(info["status"], 0)
        self.assertTrue(info["error"])
        self.assertNotIn("error", self.d.ask_http("GET", "/api/v1/crl", token=False).json["crls"][0])
        ready = self.d.ask("GET", "/readyz")
        self.assertEqual((ready.status, ready.json["ready"], ready.json["degraded"]), (200, True, True), ready)


class Deltas(Revoking):
    def setUp(self):
        super().setUp()
        self.d.set("PublicationCheck", "no")
        self.d.set("CRLPublicationURLs", ["6:" + self.http("/crl/%3%8%9.crl")])
        self.d.set("CRLPublishOnRevoke", "no")
        self.d.set("CRLDeltaPeriodUnits", 1)
        self.publish()

    def test_deltas(self):
        first, second, third = (self.issue("d%d.test" % i) for i in range(3))
        self.revoke(first["serial"])
        self.revoke(third["serial"], reason="certificateHold")
        self.publish()
        base = self.crl()
        self.assertEqual(base.serials, {first["serial"], third["serial"]})
        self.assertIn("Freshest CRL", base.text)
        self.revoke(second["serial"], reason="superseded")
        self.post("/certificates/%s/release" % third["serial"])
        made = self.publish(kind="delta")
        self.assertEqual([c["kind"] for c in made["crls"]], ["delta"])
        delta = self.crl("delta")
        self.assertGreater(delta.number, base.number)
        self.assertIn("Delta CRL Indicator: critical", delta.text)
        self.assertLessEqual({second["serial"], third["serial"]}, delta.serials)
        self.assertIn("Remove From CRL", delta.entry[third["serial"]])
        self.assert_signed(delta)
        (info,) = self.crls("delta")
        self.assertLessEqual(info["base_number"], base.number)
        self.assertTrue(info["name"].endswith("+.crl"))
        self.assertEqual(self.crl().number, base.number)
        use = ("-use_deltas", "-extended_crl")
        self.assert_good(second["certificate"], base)
        self.assert_revoked(second["certificate"], base, delta, options=use)
        self.assert_revoked(first["certificate"], base, delta, options=use)
        self.assert_good(third["certificate"], base, delta, options=use)
        self.assertTrue(self.fetch(info["name"]).headers["ETag"].endswith('+"'))

    def test_the_freshest_is_where_the_base_says(self):
        url = re.search(r"Freshest CRL:.*?URI:(\S+)", self.crl().text, re.S).group(1)
        got = run("curl", "-sSf", url).stdout
        self.assertEqual(got, self.crl("delta").der)


class Shards(Revoking):
    def setUp(self):
        super().setUp()
        self.d.set("PublicationCheck", "no")
        self.d.set("CRLPublicationURLs", ["6:" + self.http("/crl/%3%8<CRLPartitionIndex>%9.crl")])
        self.d.set("CRLMaxPartitions", 4)
        self.publish()
        self.assertTrue(until(lambda: len(self.crls("base")) >= 4))

    def test_each_certificate_and_its_crl(self):
        made = [self.issue("s%02d.test" % i) for i in range(16)]
        bad = made[::3]
        for m in bad:
            self.revoke(m["serial"], reason="superseded")
        self.publish()
        point = {}
        for m in made:
            text = Certificate(m["certificate"]).text
            (url,) = re.findall(r"X509v3 CRL Distribution Points:.*?URI:(\S+)", text, re.S)
            point[m["serial"]] = url
        self.assertGreater(len(set(point.values())), 1)
        crl = {url: Crl(run("curl", "-sSf", url).stdout) for url in set(point.values())}
        for url, c in crl.items():
            self.assert_signed(c)
            idp = re.search(r"Issuing Distribution Point: critical\s+Full Name:\s+URI:(\S+)", c.text)
            self.assertEqual(idp and idp.group(1), url, c.text)
            self.assertEqual(c.serials, {m["serial"] for m in bad if point[m["serial"]] == url})
        for m in made:
            own = crl[point[m["serial"]]]
            if m in bad:
                self.assert_revoked(m["certificate"], own, options=("-extended_crl",))
            else:
                self.assert_good(m["certificate"], own, options=("-extended_crl",))
            other = next(c for url, c in crl.items() if url != point[m["serial"]])
            good, said = self.openssl_verify(m["certificate"], [other], "-extended_crl")
            self.assertFalse(good, said)  # another shard says nothing of it

    def test_one_shard_alone(self):
        before = {c["shard"]: c["number"] for c in self.crls("base")}
        answer = self.publish(shard=2)
        self.assertEqual({c["shard"] for c in answer["crls"]}, {2})
        after = {c["shard"]: c["number"] for c in self.crls("base")}
        self.assertEqual({s for s in before if before[s] != after[s]}, {2})


class Renewed(Revoking):
    def test_every_key_keeps_its_crl(self):
        old = self.issue("old.test")
        same = self.post("/ca/renew")
        self.assertEqual((same["index"], same["key_index"]), (1, 0))
        new = self.post("/ca/renew", {"new_key": True, "key": "p384"})
        self.assertEqual((new["index"], new["key_index"], new["key"], new["suffix"]), (2, 2, "p384", "(2)"))
        certs = self.d.ask("GET", "/api/v1/ca").json["certificates"]
        self.assertEqual([(c["index"], c["key_index"]) for c in certs], [(0, 0), (1, 0), (2, 2)])
        self.assertTrue(until(lambda: {c["key_index"] for c in self.crls("base")} == {0, 2}))
        later = self.issue("later.test")
        for m in (old, later):
            self.revoke(m["serial"])
        self.publish()
        found = {}
        for c in self.crls("base"):
            found[c["key_index"]] = Crl(self.fetch(c["name"]).body)
        self.assertEqual(found[0].serials, {old["serial"]})
        self.assertEqual(found[2].serials, {later["serial"]})
        for c in certs:
            der = self.d.ask("GET", "/aia/" + urllib.parse.quote(c["file"], safe="()")).body
            ca = self.file(Certificate(der).pem, "ca.pem")
            path = self.file(found[c["key_index"]].pem, "crl.pem")
            self.assertIn(b"verify OK", run("openssl", "crl", "-noout", "-verify", "-CAfile", ca, "-in", path).stderr)
        for body in ({"days": "x"}, {"days": -1}, {"key": "p256"}, {"new_key": 1}, {"new_key": True, "key": "rot13"}, {"more": 1},
                     {"parent_dir": "/no/such/folder"}):
            with self.subTest(body):
                answer = self.d.ask("POST", "/api/v1/ca/renew", json.dumps(body), JSON)
                self.assert_problem(answer, answer.status)
        self.assertEqual(len(self.d.ask("GET", "/api/v1/ca").json["certificates"]), 3)


class TwoAuthorities(Case):
    def test_the_name_tells_whose_it_is(self):
        path = self.temp()
        for name, key in (("First CA", "p256"), ("Second / CA", "ed25519")):
            run(daemon.CHANCERY, "ca", "init", "--dir", path, "--name", name, "--key", key, "--issue")
        with daemon.Daemon.of_dir(path) as d:
            seen = set()
            for ca in d.ask("GET", "/api/v1/cas").json["cas"]:
                own = "/api/v1/ca/" + urllib.parse.quote(ca["sanitized_name"])
                (info,) = d.ask("GET", own + "/crl").json["crls"]
                crl = Crl(d.ask("GET", "/crl/" + urllib.parse.quote(info["name"])).body)
                der = d.ask("GET", "/aia/" + urllib.parse.quote(ca["certificates"][0]["file"])).body
                file = self.file(Certificate(der).pem, "ca.pem")
                done = run("openssl", "crl", "-noout", "-verify", "-CAfile", file, "-in", self.file(crl.pem, "crl.pem"))
                self.assertIn(b"verify OK", done.stderr)
                seen.add(info["name"])
                self.assertEqual(d.ask("POST", own + "/crl").json["made"], 1)
            self.assertEqual(len(seen), 2)


if __name__ == "__main__":
    daemon.main()
