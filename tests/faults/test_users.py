"""A directory of users that answers late, or not at all: who comes over the Unix socket waits for it once, nobody else does."""
import contextlib
import errno
import http.client
import os
import pwd
import threading
import time

from disturb import ALWAYS, LATE, Orders
from daemon import Case, main, make_csr

LATE_MS = 3000
ON_THE_LOOP = ("/healthz", "/readyz", "/metrics", "/api/v1/cas", "/api/v1/ca", "/api/v1/ca/cert", "/api/v1/openapi.json")


class Users(Case):
    def setUp(self):
        self.orders = Orders(self.temp())
        self.d = self.start("--drain", "1", env=self.orders.env)
        self.csr = make_csr(["DNS:www.example.test"])

    def submit(self, way):
        a = getattr(self.d, way)("POST", "/api/v1/requests", self.csr, {"Content-Type": "application/pkcs10"})
        self.assertEqual(a.status, 201, a)
        return a.json["request_id"]

    def requester(self, number):
        return self.d.ask("GET", "/api/v1/requests/%d" % number).json["requester_name"]

    def test_asked_once(self):
        numbers = [self.submit("ask") for _ in range(5)]
        self.assertEqual(self.orders.passes("user name"), 1)
        me = pwd.getpwuid(os.getuid()).pw_name
        for n in numbers:
            self.assertTrue(self.requester(n).endswith("\\" + me), self.requester(n))

    def aside(self, ask, n=1):
        """As many at once; what each got and after how long comes in the list."""
        took = []

        def one():
            began = time.monotonic()
            took.append((ask(), time.monotonic() - began))
        threads = [threading.Thread(target=one) for _ in range(n)]
        for t in threads:
            t.start()
        while not self.orders.passes("user name"):
            time.sleep(0.001)
        return threads, took

    def test_nobody_else_waits(self):
        with self.orders.during("user name", 1, ALWAYS, LATE_MS, LATE):
            began = time.monotonic()
            writers, written = self.aside(lambda: self.submit("ask"), 6)
            readers, read = self.aside(lambda: self.d.ask("GET", "/api/v1/requests/1").status, 6)
            rounds = 0
            while time.monotonic() - began < LATE_MS / 1000 * 0.7:
                asked = time.monotonic()
                self.assertEqual([self.d.ask("GET", path).status for path in ON_THE_LOOP], [200] * len(ON_THE_LOOP))
                self.submit("ask_http")
                self.assertLess(time.monotonic() - asked, LATE_MS / 1000 * 0.25, "a request waited for another's name")
                rounds += 1
            self.assertEqual(written + read, [], "the name was not late")
            for t in writers + readers:
                t.join()
            self.assertEqual(len(written), 6)
            self.assertEqual([status for status, _ in read], [200] * 6)
            self.assertLess(max(took for _, took in written + read), LATE_MS / 1000 * 1.5, "one name was asked for again and again")
            self.assertGreater(rounds, 5)
            again = time.monotonic()
            self.submit("ask")
            self.assertLess(time.monotonic() - again, LATE_MS / 1000 * 0.25, "the name was asked for a second time")

    def test_stopped_meanwhile(self):
        with self.orders.during("user name", 1, ALWAYS, 30000, LATE):
            threads, _ = self.aside(lambda: self.drop("/api/v1/requests"), 3)
            began = time.monotonic()
            self.d.stop()
            self.assertLess(time.monotonic() - began, 6)
            for t in threads:
                t.join()

    def drop(self, path):
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.d.ask("POST", path, self.csr, {"Content-Type": "application/pkcs10"})

    def test_a_directory_that_fails(self):
        with self.orders.during("user name", 1, ALWAYS, errno.EIO):
            number = self.submit("ask")
        self.assertTrue(self.requester(number).endswith("\\uid:%d" % os.getuid()), self.requester(number))


if __name__ == "__main__":
    main()
