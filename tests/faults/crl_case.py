"""A CA that publishes into a folder and after every revocation, for the tests of what happens when it cannot."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integ"))
from crls import Crl, ocsp  # noqa: E402
from daemon import Case, Daemon, make_ca, make_csr, until  # noqa: E402

JSON = {"Content-Type": "application/json"}
NAME = "Test CA.crl"
KEY_COMPROMISE = 1


class Publishing(Case):
    env = {}

    def setUp(self):
        self.path, self.out = self.folders()
        self.ca_dir = make_ca(self.path, "--issue")
        self.ca_pem = os.path.join(self.ca_dir, "ca.pem")
        self.csr = make_csr(form="DER")
        self.revoked = {}
        with Daemon.of_dir(self.path) as d:
            d.set("CRLPublicationURLs", ["65:%s/%%3%%8%%9.crl" % self.out])
            d.set("PublicationCheck", "no")
            d.set("CRLDeltaPeriodUnits", 1)
            d.set("CRLPublishDelaySeconds", 0)
            self.assertEqual(d.ask("POST", "/api/v1/crl").status, 200)
        self.d = self.begin()

    def folders(self):
        return self.temp(), self.temp()

    def begin(self):
        d = Daemon.of_dir(self.path, env=self.env)
        self.addCleanup(d.close)
        self.addCleanup(d.stop)
        return d

    def issue(self):
        a = self.d.submit(self.csr)
        self.assertEqual(a.status, 201, a)
        return a.json["serial"]

    def try_to_revoke(self, serial):
        return self.d.ask("POST", "/api/v1/certificates/%s/revoke" % serial, json.dumps({"reason": KEY_COMPROMISE}), JSON)

    def revoke(self, serial):
        a = self.try_to_revoke(serial)
        self.assertEqual(a.status, 200, a)
        self.revoked[serial] = KEY_COMPROMISE

    def publish(self):
        return self.d.ask("POST", "/api/v1/crl", '{"kind":"base"}', JSON)

    def served(self, name=NAME):
        a = self.d.ask("GET", "/crl/" + name.replace(" ", "%20"))
        self.assertEqual(a.status, 200, a)
        return Crl(a.body)

    def at_path(self, name=NAME):
        with open(os.path.join(self.out, name), "rb") as f:
            return Crl(f.read())

    def ready(self):
        return self.d.ask("GET", "/readyz")

    def is_well(self):
        a = self.ready()
        return a.status == 200 and not a.json.get("degraded")

    def is_told_everywhere(self):
        return self.served().entries == self.revoked and self.at_path().entries == self.revoked

    def check_degraded(self, *words):
        """Issues, and says what is wrong."""
        a = self.ready()
        self.assertEqual((a.status, a.json.get("degraded")), (200, True), a)
        for word in words:
            self.assertIn(word, a.body.decode())
        self.issue()

    def check_heals(self, seconds=20):
        """By itself."""
        self.assertTrue(until(self.is_well, seconds, 0.05), (self.ready(), self.d.stderr()))
        self.assertTrue(until(self.is_told_everywhere, seconds, 0.05),
                        (self.revoked, self.served().entries, self.at_path().entries, self.d.stderr()))
        self.assertEqual(self.served().der, self.at_path().der)
        told = ocsp(self.d, self, self.ca_pem, list(self.revoked))
        self.assertEqual(told, {s: ("revoked", r) for s, r in self.revoked.items()})

    def no_strays(self):
        self.assertEqual([f for f in os.listdir(self.out) if f.endswith(".tmp")], [])
        infos = self.d.ask("GET", "/api/v1/crl").json["crls"]
        self.assertEqual(sorted(os.listdir(self.ca_dir + "/crl")),
                         sorted("0-0-%d%s.crl" % (i["number"], "+" if i["kind"] == "delta" else "") for i in infos))
