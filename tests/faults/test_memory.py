"""Memory that ends at the n-th allocation of a request, from the connection to the answer, whichever library asks: that client
gets its certificate, an error that says so, or a closed connection; the daemon stays, the next one is served, nothing leaks."""
import errno
import http.client
import os

from disturb import Orders
from daemon import Case, main, make_csr, until

SLOW = bool(os.environ.get("CHANCERY_SLOW"))


class Memory(Case):
    def setUp(self):
        self.orders = Orders(self.temp())
        self.d = self.start(env=self.orders.env)
        self.csr = make_csr(["DNS:www.example.test"])
        self.told, self.refused, self.closed = {}, 0, 0
        for way in ("ask", "ask_tls"):  # its own certificate is made behind the start
            self.assertTrue(until(lambda: self.submit(way), 10))

    def submit(self, way):
        """True: issued; None: the connection ended without an answer."""
        try:
            a = getattr(self.d, way)("POST", "/api/v1/requests", self.csr, {"Content-Type": "application/pkcs10"})
        except (OSError, http.client.HTTPException):
            return None
        if a.status != 201:
            self.assertIn(a.status, (500, 503), a)
            self.assertRegex(a.body.decode(), "memory|OUTOFMEMORY|OpenSSL", a)
            return False
        self.assertNotIn(a.json["request_id"], self.told)
        self.told[a.json["request_id"]] = a.json["certificate"]
        return True

    def starve(self, way):
        n = misses = 0
        while misses < 3:
            n += 1 if SLOW else 9
            with self.orders.during("memory", n, n, errno.ENOMEM):
                answer = self.submit(way)
                struck = self.orders.fields("memory")[5] > 0
            misses = 0 if struck else misses + 1
            self.refused += answer is False
            self.closed += answer is None
            self.assertTrue(until(lambda: self.submit(way), 10), "%s, allocation %d: no longer served" % (way, n))
        return n

    def check_end(self):
        for id, certificate in self.told.items():
            a = self.d.ask("GET", "/api/v1/requests/%d/certificate" % id)
            self.assertEqual((a.status, a.body.decode()), (200, certificate), id)
        for disposition in ("active", "pending"):
            a = self.d.ask("GET", "/api/v1/requests?where=disposition%20%3D%20" + disposition)
            self.assertEqual(a.json["requests"], [])
        self.d.stop()
        self.assertGreater(self.refused + self.closed, 0)
        print("%d allocations refused: %d requests failed, %d connections closed, %d issued" %
              (self.orders.total, self.refused, self.closed, len(self.told)), flush=True)

    def test_over_the_socket(self):
        self.starve("ask")
        self.check_end()

    def test_over_tls(self):
        self.starve("ask_tls")
        self.check_end()


if __name__ == "__main__":
    main()
