"""A key that does not sign, or signs nothing: at the n-th time, and until it is mended. What was asked for ends as an error that
says so, no serial number is used twice, nothing is half issued, and the next one succeeds."""
import glob
import os
import sqlite3

from disturb import ALWAYS, END, FAIL, Orders
from daemon import Case, Daemon, main, make_ca, make_csr

SLOW = bool(os.environ.get("CHANCERY_SLOW"))


class Signer(Case):
    def setUp(self):
        self.path = self.temp()
        self.ca_dir = make_ca(self.path, "--issue")
        self.orders = Orders(self.temp())
        self.csr = make_csr()
        self.issued, self.failed, self.serials = {}, [], set()

    def begin(self):
        d = Daemon.of_dir(self.path, env=self.orders.env)
        self.addCleanup(d.close)
        self.addCleanup(d.stop)
        return d

    def check_row(self, d, id):
        row = d.ask("GET", "/api/v1/requests/%d" % id).json
        self.assertEqual(row["disposition"], "failed", row)
        self.assertIn("Error Signing Certificate", row["message"])
        self.assertEqual(d.ask("GET", "/api/v1/requests/%d/certificate" % id).status, 409)

    def submit(self, d):
        a = d.submit(self.csr)
        if a.status == 201:
            self.issued[a.json["request_id"]] = a.json["certificate"]
            self.assertNotIn(a.json["serial"], self.serials)
            self.serials.add(a.json["serial"])
            return True
        self.assert_problem(a, 500)
        self.assertNotIn("certificate", a.json)
        self.failed.append(a.json["request_id"])
        self.check_row(d, self.failed[-1])
        return False

    def check_end(self, d):
        for id, certificate in self.issued.items():
            self.assertEqual(d.ask("GET", "/api/v1/requests/%d/certificate" % id).body.decode(), certificate)
        d.stop()
        (name,) = glob.glob(self.ca_dir + "/*.db")
        db = sqlite3.connect(name)
        self.assertEqual(db.execute("SELECT count(*) FROM intent").fetchone(), (0,))
        self.assertEqual(db.execute("SELECT count(*) FROM request").fetchone(), (len(self.issued) + len(self.failed),))
        db.close()
        ca = os.path.join(self.ca_dir, "ca.pem")
        for certificate in list(self.issued.values())[:: 1 if SLOW else 8]:
            self.assert_verifies(certificate, ca)
        print("%d faults: %d issued, %d ended as an error" % (self.orders.total, len(self.issued), len(self.failed)), flush=True)

    def test_once(self):
        d = self.begin()
        for manner in (FAIL, END):
            for n in range(1, 40 if SLOW else 5):
                with self.orders.during("sign", n, n, 1, manner):
                    self.assertEqual([self.submit(d) for _ in range(n + 1)], [True] * (n - 1) + [False, True])
        self.check_end(d)

    def test_until_it_is_mended(self):
        d = self.begin()
        for manner in (FAIL, END):
            with self.orders.during("sign", 1, ALWAYS, 1, manner):
                for _ in range(200 if SLOW else 10):
                    self.assertFalse(self.submit(d))
                self.assertEqual(d.ask("GET", "/healthz").status, 200)
            for _ in range(3):
                self.assertTrue(self.submit(d))
            self.assertEqual(d.ask("GET", "/readyz").status, 200)
        self.check_end(d)

    def test_a_daemon_does_not_start_with_such_a_key(self):
        with self.orders.during("sign", 1, ALWAYS, 1):
            d = Daemon.of_dir(self.path, env=self.orders.env, wait=False)
            self.addCleanup(d.close)
            self.assertEqual(d.wait(), 4, d.stderr())
            self.assertIn("key.pem", d.stderr())
        d = self.begin()
        self.assertTrue(self.submit(d))
        self.check_end(d)


if __name__ == "__main__":
    main()
