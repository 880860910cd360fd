"""Sockets that fail under the daemon: the n-th accept, read or write, once and until it is lifted. The others carry on, what
was acknowledged stays, what was lost on the way back is found, and nothing is left over."""
import contextlib
import errno
import http.client
import os
import threading
import time

import disturb
from disturb import ALWAYS, END, FAIL, SHORT, Orders
from daemon import Case, UnixConnection, ask_over, main, make_csr, until

SLOW = bool(os.environ.get("CHANCERY_SLOW"))
WAYS = ("ask", "ask_http", "ask_tls")
ACCEPT = [(e, FAIL) for e in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ECONNABORTED, errno.EAGAIN, errno.EPERM)]
READ = [(e, FAIL) for e in (errno.ECONNRESET, errno.EAGAIN, errno.EINTR, errno.ETIMEDOUT, errno.ENOBUFS)] + [(0, SHORT), (0, END)]
WRITE = [(e, FAIL) for e in (errno.ECONNRESET, errno.EPIPE, errno.EAGAIN, errno.EINTR, errno.ENOBUFS)] + [(0, SHORT)]


class Clients:
    """Each way in once, at the same time: what they were told, and how many were told nothing."""

    def __init__(self, d, csr):
        self.d, self.csr = d, csr
        self.told, self.lost, self.odd = {}, 0, []
        self.lock = threading.Lock()

    def submit(self, way):
        try:
            a = getattr(self.d, way)("POST", "/api/v1/requests", self.csr, {"Content-Type": "application/pkcs10"})
        except (OSError, http.client.HTTPException):
            with self.lock:
                self.lost += 1
            return False
        with self.lock:
            if a.status == 201:
                self.told[a.json["request_id"]] = a.json["certificate"]
            else:
                self.odd.append(a)
        return a.status == 201

    def all_at_once(self):
        threads = [threading.Thread(target=self.submit, args=(w,)) for w in WAYS]
        for t in threads:
            t.start()
        return threads


class Sockets(Case):
    def setUp(self):
        self.orders = Orders(self.temp())
        self.d = self.start(env=self.orders.env)
        self.csr = make_csr(["DNS:www.example.test"])
        self.clients = Clients(self.d, self.csr)
        self.own = len(self.rows())  # the daemon's own certificate
        for way in WAYS:
            self.assertTrue(self.clients.submit(way))
        self.assertGreater(self.orders.passes("write"), 0, "the library does not stand between")
        self.resting, self.strikes = len(self.descriptors()), 0

    def descriptors(self):
        """But for the database's, of which another one to read with may come at any time, up to four."""
        folder, found = "/proc/%d/fd" % self.d.proc.pid, []
        for f in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # closed since
                found.append(os.readlink(os.path.join(folder, f)))
        return [t for t in found if "/ca.db" not in t]

    def heals(self, what):
        for way in WAYS:
            self.assertTrue(until(lambda: self.clients.submit(way), 10), "%s: %s is not served again" % (what, way))
        self.assertEqual(self.clients.odd, [], what)

    def strike(self, kind, error, manner, first, last):
        what = "%s %s from %d to %d" % (kind, disturb.name_of(error, manner), first, last)
        lost = self.clients.lost
        self.strikes += 1
        with self.orders.during(kind, first, last, error, manner):
            threads = self.clients.all_at_once()
            if last == ALWAYS:
                time.sleep(0.05)
                self.assertIsNone(self.d.proc.poll(), what)
            else:
                for t in threads:
                    t.join(20)
        for t in threads:
            t.join(20)
            self.assertFalse(t.is_alive(), what + ": a client waits for ever")
        if last == first:
            self.assertLessEqual(self.clients.lost - lost, 1, what + ": others lost their answer, too")
        self.heals(what)

    def strike_all(self, kind, faults, depth):
        for error, manner in faults:
            for n in range(1, depth + 1):
                self.strike(kind, error, manner, n, n)
            for n in (1, 2, depth) if SLOW else (2,):
                self.strike(kind, error, manner, n, ALWAYS)
        self.check_rest(kind)

    def rows(self):
        rows, after = [], 0
        while True:
            a = self.d.ask("GET", "/api/v1/requests?limit=200&sort=id&after=%d" % after).json["requests"]
            if not a:
                return rows
            rows += a
            after = a[-1]["request_id"]

    def check_rest(self, kind):
        """Every certificate that was told is there; every row that was told to nobody is whole; none is twice."""
        rows = self.rows()[self.own:]
        told, lost = self.clients.told, self.clients.lost
        self.assertLessEqual(len(told), len(rows))
        self.assertLessEqual(len(rows), len(told) + lost)
        self.assertEqual({r["disposition"] for r in rows}, {"issued"})
        self.assertEqual(len({r["serial"] for r in rows}), len(rows))
        for row in rows:
            a = self.d.ask("GET", "/api/v1/requests/%d/certificate" % row["request_id"])
            self.assertEqual(a.status, 200)
            self.assertEqual(a.body.decode(), told.get(row["request_id"], a.body.decode()))
        self.assertLessEqual(set(told), {r["request_id"] for r in rows})
        # The one connection is the one that asks.
        self.assertTrue(until(lambda: self.d.metric("http_connections") == 1, 10), self.d.metric("http_connections"))
        self.assertTrue(until(lambda: len(self.descriptors()) <= self.resting, 10), self.descriptors())
        print("%s: %d strikes of %d faults, %d certificates told, %d answers lost on the way and %d of them found" %
              (kind, self.strikes, self.orders.total, len(told), lost, len(rows) - len(told)), flush=True)

    def test_accept(self):
        self.strike_all("accept", ACCEPT, 6 if SLOW else 2)

    def test_those_who_are_in_are_served_while_nobody_gets_in(self):
        inside = UnixConnection(self.d.socket)
        self.addCleanup(inside.close)
        self.assertEqual(ask_over(inside, "GET", "/healthz").status, 200)
        for error in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            with self.orders.during("accept", 1, ALWAYS, error):
                outside = threading.Thread(target=self.clients.submit, args=("ask_http",))
                outside.start()
                for _ in range(20):
                    a = ask_over(inside, "POST", "/api/v1/requests", self.csr, {"Content-Type": "application/pkcs10"})
                    self.assertEqual(a.status, 201, a)
            outside.join(20)
            self.assertFalse(outside.is_alive())
        self.assertGreater(self.orders.total, 0)
        self.heals("accept")

    def test_read(self):
        self.strike_all("read", READ, 24 if SLOW else 4)

    def test_write(self):
        self.strike_all("write", WRITE, 24 if SLOW else 4)


if __name__ == "__main__":
    main()
