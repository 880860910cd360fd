"""A key that does not sign, or signs nothing: at the n-th time, and until it is mended. One failure is tried again and nobody
notices; a key that stays broken stops the CA, which says so, and what was approved is signed when it is mended. No serial number is
used twice, and nothing is half issued."""
import glob
import os
import sqlite3
import time

from disturb import ALWAYS, END, FAIL, Orders
from daemon import Case, Daemon, main, make_ca, make_csr

SLOW = bool(os.environ.get("CHANCERY_SLOW"))


class Signer(Case):
    def setUp(self):
        self.path = self.temp()
        self.ca_dir = make_ca(self.path, "--issue")
        self.orders = Orders(self.temp())
        self.csr = make_csr()
        self.issued, self.serials, self.late = {}, set(), 0

    def begin(self):
        d = Daemon.of_dir(self.path, env=self.orders.env)
        self.addCleanup(d.close)
        self.addCleanup(d.stop)
        return d

    def submit(self, d):
        a = d.submit(self.csr)
        if a.status != 201:
            self.assert_problem(a, 503)
            self.assertIn("key", a.json["detail"])
            return False
        self.issued[a.json["request_id"]] = a.json["certificate"]
        self.assertNotIn(a.json["serial"], self.serials)
        self.serials.add(a.json["serial"])
        return True

    def check_suspended(self, d):
        self.assertEqual(d.ask("GET", "/healthz").status, 200)
        ready = d.ask("GET", "/readyz")
        self.assertEqual(ready.status, 503)
        self.assertIn("its key does not sign", ready.body.decode())
        for id in self.issued:
            self.assertEqual(d.ask("GET", "/api/v1/requests/%d/certificate" % id).status, 200)

    def check_mended(self, d, approved):
        """Those that were approved are issued, each once."""
        wanted = len(self.issued) + approved
        for _ in range(500):
            ready = d.ask("GET", "/readyz").status == 200
            rows = d.ask("GET", "/api/v1/requests?limit=1000").json["requests"]
            if ready and len([r for r in rows if r["disposition"] == "issued"]) == wanted == len(rows):
                break
            time.sleep(0.02)
        else:
            self.fail("ready %s, of %d requests: %s" % (ready, wanted, rows))
        for row in rows:
            id = row["request_id"]
            if id in self.issued:
                continue
            self.issued[id] = d.ask("GET", "/api/v1/requests/%d/certificate" % id).body.decode()
            self.late += 1

    def check_end(self, d):
        for id, certificate in self.issued.items():
            self.assertEqual(d.ask("GET", "/api/v1/requests/%d/certificate" % id).body.decode(), certificate)
        d.stop()
        (name,) = glob.glob(self.ca_dir + "/*.db")
        db = sqlite3.connect(name)
        self.assertEqual(db.execute("SELECT count(*) FROM intent").fetchone(), (0,))
        self.assertEqual(db.execute("SELECT count(DISTINCT serial) FROM request").fetchone(), (len(self.issued),))
        self.assertEqual(db.execute("SELECT count(*) FROM request").fetchone(), (len(self.issued),))
        db.close()
        ca = os.path.join(self.ca_dir, "ca.pem")
        for certificate in list(self.issued.values())[:: 1 if SLOW else 8]:
            self.assert_verifies(certificate, ca)
        print("%d faults: %d issued, %d of them when the key was mended" % (self.orders.total, len(self.issued), self.late), flush=True)

    def test_once(self):
        """Tried again at once, with a signer made anew."""
        d = self.begin()
        for manner in (FAIL, END):
            for n in range(1, 40 if SLOW else 5):
                with self.orders.during("sign", n, n, 1, manner):
                    self.assertEqual([self.submit(d) for _ in range(n + 1)], [True] * (n + 1))
        self.check_end(d)

    def test_until_it_is_mended(self):
        d = self.begin()
        for manner in (FAIL, END) * (20 if SLOW else 1):
            self.assertTrue(self.submit(d))
            with self.orders.during("sign", 1, ALWAYS, 1, manner):
                for _ in range(5):
                    self.assertFalse(self.submit(d))
                self.check_suspended(d)
            self.check_mended(d, 1)  # the first of the five: the others were refused at the door
            self.assertTrue(self.submit(d))
        self.check_end(d)

    def test_stopped_before_it_is_mended(self):
        d = self.begin()
        with self.orders.during("sign", 1, ALWAYS, 1):
            self.assertFalse(self.submit(d))
            d.stop()
        d = self.begin()
        self.check_mended(d, 1)
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
