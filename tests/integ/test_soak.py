"""The daemon for a long time, and its start and end many times: nothing grows, nothing is left behind.

CHANCERY_SOAK_SECONDS says how long the mixed load lasts: 900 among the slow tests, else 20."""
import glob
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import daemon
from daemon import CSR_TYPE, Case, Daemon, UnixConnection, ask_over, make_csr, until

SLOW = bool(os.environ.get("CHANCERY_SLOW"))
SECONDS = float(os.environ.get("CHANCERY_SOAK_SECONDS", "900" if SLOW else "20"))
STARTS = 1000 if SLOW else 20
JSON = {"Content-Type": "application/json"}
PENDING_FIRST, ISSUE = 0x101, 1
# What may come on top after the warm-up: pages that the allocator and the database's caches had not touched yet.
SLACK_MIB = 8
# A sanitizer keeps freed memory aside; as little as it can, or that alone would grow for a long time.
SANITIZER = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64:detect_leaks=1"}


class Measure:
    def __init__(self, pid):
        with open("/proc/%d/status" % pid) as f:
            status = f.read()
        self.memory = int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024
        self.threads = int(re.search(r"Threads:\s+(\d+)", status)[1])
        self.descriptors = len(os.listdir("/proc/%d/fd" % pid))

    def __str__(self):
        return "%.1f MiB, %d threads, %d descriptors" % (self.memory, self.threads, self.descriptors)


def watched_for_races(pid):
    """ThreadSanitizer's own memory grows with every address that is touched."""
    with open("/proc/%d/maps" % pid) as f:
        return "libtsan" in f.read()


class Client(threading.Thread):
    """One user: what it does is chosen by its own counter, so that every run does the same."""

    def __init__(self, d, number, csrs, stopping):
        super().__init__(daemon=True)
        self.d, self.number, self.csrs, self.stopping = d, number, csrs, stopping
        self.done, self.trouble = 0, []

    def run(self):
        try:
            while not self.stopping.is_set():
                # Some connections are kept for a while, others are for one request.
                self.connection = UnixConnection(self.d.socket)
                for _ in range(1 if self.number % 3 == 0 else 50):
                    self.step()
                self.connection.close()
        except Exception as e:  # told by the test
            self.trouble.append("client %d: %r" % (self.number, e))

    def ask(self, method, path, body=None, headers=None, *expected):
        answer = ask_over(self.connection, method, path, body, headers)
        if answer.status not in (expected or (200,)):
            self.trouble.append("%s %s: %s" % (method, path, answer))
        self.done += 1
        return answer

    def submit(self, *expected):
        return self.ask("POST", "/api/v1/requests", self.csrs[self.done % len(self.csrs)], {"Content-Type": CSR_TYPE}, *expected)

    def step(self):
        kind = (self.done + self.number) % 12
        if kind < 4:
            id = self.submit(201, 202).json["request_id"]
            self.ask("GET", "/api/v1/requests/%d" % id)
        elif kind == 4:
            id = self.submit(201, 202).json["request_id"]
            self.ask("POST", "/api/v1/requests/%d/%s" % (id, ("resubmit", "deny")[self.done % 2]), "{}", JSON, 201, 403, 409)
        elif kind == 5:
            self.ask("GET", "/api/v1/requests?limit=20")
            self.ask("GET", "/api/v1/certificates?limit=20")
        elif kind == 6:
            self.ask("GET", "/metrics")
            self.ask("GET", "/api/v1/ca")
        elif kind == 7:
            self.ask("PUT", "/api/v1/config/PolicyModules/policy-default/RequestDisposition",
                     json.dumps({"value": PENDING_FIRST if self.done % 3 == 0 else ISSUE}), JSON)
        elif kind == 8:
            self.ask("POST", "/api/v1/requests", b"garbage", {"Content-Type": CSR_TYPE}, 400, 422)
            self.ask("GET", "/nothing", None, None, 404)
        elif kind == 9:
            self.ask("GET", "/api/v1/config")
            self.ask("GET", "/api/v1/modules")
        elif kind == 10:
            with socket.socket(socket.AF_UNIX) as s:  # goes away in the middle of its request
                s.connect(self.d.socket)
                s.send(b"POST /api/v1/requests HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nabc")
        else:
            face = (self.d.ask_http, self.d.ask_tls)[self.done % 2]
            answer = face("GET", "/api/v1/ca")
            if answer.status != 200:
                self.trouble.append(repr(answer))
        self.done += 1


class Load:
    def __init__(self, d, n=8):
        csrs = [make_csr(), make_csr(["DNS:a.test", "IP:10.0.0.1"], "/CN=a.test", "rsa2048"), make_csr(form="DER")]
        self.stopping = threading.Event()
        self.clients = [Client(d, i, csrs, self.stopping) for i in range(n)]
        for c in self.clients:
            c.start()

    @property
    def done(self):
        return sum(c.done for c in self.clients)

    def end(self):
        self.stopping.set()
        for c in self.clients:
            c.join(60)
        return [t for c in self.clients for t in c.trouble]


class Soak(Case):
    def quiet(self, d):
        """Without the load: the connections are gone, and so are the answers."""
        until(lambda: d.metric("http_connections") == 1, 10)
        time.sleep(0.1)  # that one, too
        return Measure(d.proc.pid)

    def test_constant(self):
        d = self.start(env=SANITIZER)
        load = Load(d)
        self.addCleanup(load.end)
        # The database's cache fills with its first rows, the allocator's arenas with the first requests of each thread.
        time.sleep(max(SECONDS / 3, 5))
        self.assertEqual(load.end(), [])
        warm, done = self.quiet(d), load.done
        load = Load(d)
        self.addCleanup(load.end)
        peak = warm.memory
        end = time.monotonic() + SECONDS * 2 / 3
        while time.monotonic() < end:
            time.sleep(0.5)
            peak = max(peak, Measure(d.proc.pid).memory)
        self.assertEqual(load.end(), [])
        last = self.quiet(d)
        print("%d requests; warm: %s; end: %s; peak %.1f MiB" % (done + load.done, warm, last, peak), end=" ... ", flush=True)
        self.assertGreater(load.done, 100)
        if not watched_for_races(d.proc.pid):
            self.assertLessEqual(last.memory, warm.memory + SLACK_MIB)
        self.assertEqual(last.threads, warm.threads)
        self.assertLessEqual(last.descriptors, warm.descriptors)
        self.assertTrue(d.ask("GET", "/readyz").status == 200)


def temporary():
    """What throwaways leave: their folders, and whatever else of ours lies in the two places."""
    return {p for base in ("/dev/shm", "/tmp", os.environ.get("TMPDIR", "/tmp")) for p in glob.glob(base + "/chancery-throwaway-*")}


class StartAndStop(Case):
    def one(self, i):
        """Starts, is used in one of several ways, and is ended in one of several."""
        way = i % 4
        d = Daemon.throwaway(stdin=subprocess.PIPE, env=SANITIZER, *(["--exit-on-eof"] if way == 3 else []))
        try:
            if way == 1:
                self.assertEqual(d.submit(self.csr).status, 201)
            elif way == 2:
                self.assertEqual(d.ask_tls("GET", "/readyz").status, 200)
                s = socket.socket(socket.AF_UNIX)  # is open while the daemon goes
                s.connect(d.socket)
                s.send(b"GET /hea")
                self.addCleanup(s.close)
            folder = d.dir
            d.proc.stdin.close()
            if way == 3:
                self.assertEqual(d.wait(), 0)
            d.stop(signal.SIGINT if way == 2 else signal.SIGTERM)
            self.assertFalse(os.path.exists(folder))
        finally:
            d.close()

    def test_leaves_nothing(self):
        self.csr = make_csr()
        before = temporary()
        start = time.monotonic()
        for i in range(STARTS):
            with self.subTest(i):
                self.one(i)
            self.doCleanups()
        print("%d starts, %.2f s each" % (STARTS, (time.monotonic() - start) / STARTS), end=" ... ", flush=True)
        left = {p for p in temporary() - before if not alive(p)}
        self.assertEqual(left, set())


def alive(path):
    """Another test's throwaway, which still runs."""
    pid = re.match(r"chancery-throwaway-(\d+)-", os.path.basename(path))
    return pid and os.path.exists("/proc/" + pid[1])


if __name__ == "__main__":
    daemon.main()
