"""Clients that mean harm: smuggled requests, thousands of idle and slow connections, a flood of malformed heads.

Beside each crowd one well-behaved client issues certificates on a connection that it keeps. ALONE: rates are compared."""
import contextlib
import json
import multiprocessing
import os
import random
import re
import resource
import select
import socket
import ssl
import statistics
import time

import daemon
from daemon import Case, Daemon, make_csr, until

SLOW = bool(os.environ.get("CHANCERY_SLOW"))
IDLE, SLUGGISH = 10000, 1000
FLOOD = 100000 if SLOW else 10000
PLACES = 1024  # struct chy_net_limits: connections_max
# Of the good client's rate: a second and a half of measuring on a machine with other work shows a collapse and no more.
RATIO = 0.8 if SLOW else 0.5
ATTEMPTS = 6
SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def setUpModule():
    """Room for the crowds here; the daemon starts with what a login shell has and asks for more itself."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))


def raise_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def resident(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read())[1]) / 1024


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        user, system = f.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def address(d, face="http"):
    host, port = d.info[face].split("//")[1].split(":")
    return host, int(port)


def read_answer(s, rest=b""):
    """Status and body of one answer."""
    data = rest
    while b"\r\n\r\n" not in data:
        got = s.recv(65536)
        if not got:
            raise ConnectionError("closed after %r" % data[:200])
        data += got
    head, body = data.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"Content-Length: (\d+)", head)[1])
    while len(body) < length:
        got = s.recv(65536)
        if not got:
            raise ConnectionError("closed inside a body")
        body += got
    return int(head[9:12]), body


def issue_for_ever(where, head, csr, counter, failed, stop):
    """The well-behaved client: a process of its own, so that the crowd's work does not slow it down."""
    s = socket.create_connection(where, 60)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = head + csr
    while not stop.value:
        try:
            s.sendall(request)
            status, body = read_answer(s)
        except OSError as e:
            failed.value += 1
            print("the good client lost its connection: %s" % e, flush=True)
            return
        if status == 201:
            counter.value += 1
        else:
            failed.value += 1
            print("the good client was answered %d %s" % (status, body[:300]), flush=True)
    s.close()


class GoodClient:
    def __init__(self, d):
        csr = make_csr(form="DER")
        head = b"POST /api/v1/requests HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nAccept: application/pkix-cert\r\n" \
               b"Content-Type: application/pkcs10\r\nContent-Length: %d\r\n\r\n" % (d.info["token"].encode(), len(csr))
        self.counter, self.failed, self.stopping = (multiprocessing.Value("L", 0) for _ in range(3))
        self.process = multiprocessing.Process(target=issue_for_ever, daemon=True,
                                               args=(address(d), head, csr, self.counter, self.failed, self.stopping))
        self.process.start()
        until(lambda: self.counter.value > 20)

    def rate(self, seconds=6.0 if SLOW else 1.5, slices=5, meanwhile=None):
        """Certificates per second: the median of some slices, for the machine may have other work."""
        rates = []
        for _ in range(slices):
            n, t = self.counter.value, time.monotonic()
            end = t + seconds / slices
            while (left := end - time.monotonic()) > 0:
                if meanwhile:
                    meanwhile()
                else:
                    time.sleep(left)
            rates.append((self.counter.value - n) / (time.monotonic() - t))
        return statistics.median(rates)

    def end(self):
        self.stopping.value = 1
        self.process.join(60)
        if self.process.is_alive():
            self.process.kill()


class Hostile(Case):
    def setUp(self):
        # A sanitizer keeps freed memory aside: 256 MiB unless told otherwise.
        self.d = self.start(env={"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"})
        raise_limit()
        self.pid = self.d.proc.pid
        self.crowds = []
        self.addCleanup(setUpModule)
        self.addCleanup(lambda: [s.close() for crowd in self.crowds for s in crowd])

    def good_client(self):
        good = GoodClient(self.d)
        self.addCleanup(good.end)
        return good

    def crowd(self, n, face="http", small=False):
        """So many connections, most at once; those that the daemon resets are crowd all the same."""
        made = []
        for _ in range(n):
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            s.settimeout(20)
            if small:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with contextlib.suppress(ConnectionError):
                s.connect(address(self.d, face))
            s.setblocking(False)
            made.append(s)
        self.crowds.append(made)
        return made

    def leave(self, crowd):
        for s in crowd:
            s.close()
        crowd.clear()
        self.assertTrue(until(lambda: self.d.metric("http_connections") < 50), "connections are left")

    def states(self, crowd):
        """How many are open without a word, and what the others were told."""
        poll = select.poll()
        by_fd = {s.fileno(): s for s in crowd}
        for fd in by_fd:
            poll.register(fd, select.POLLIN | select.POLLHUP)
        told = []
        ready = poll.poll(0)
        for fd, _ in ready:
            try:
                told.append(by_fd[fd].recv(65536, socket.MSG_PEEK))
            except OSError:
                told.append(b"reset")
        return len(crowd) - len(ready), told

    def assert_unharmed(self, gather, work=None):
        """The good client's rate with the crowd is at least RATIO of that without. Other work on the machine
        may spoil a measurement, so it may be repeated."""
        good = self.good_client()
        for attempt in range(ATTEMPTS):
            before = good.rate()
            crowd = gather()
            during = good.rate(meanwhile=work and (lambda: work(crowd)))
            after_note = "before %.0f/s, during %.0f/s, ratio %.2f" % (before, during, during / before)
            print(after_note, end=" ... ", flush=True)
            if during >= RATIO * before:
                break
            if attempt < ATTEMPTS - 1:
                self.leave(crowd)
        self.assertGreaterEqual(during / before, RATIO, after_note)
        self.assertEqual(good.failed.value, 0)
        return good, crowd


class Crowds(Hostile):
    def test_idle_connections(self):
        base = resident(self.pid)
        n = min(IDLE, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200)
        good, crowd = self.assert_unharmed(lambda: self.crowd(n * 8 // 10) + self.crowd(n - n * 8 // 10, "url"))
        self.assertTrue(until(lambda: self.states(crowd)[0] <= PLACES, 3, 0.3), "the surplus is still there")
        silent, told = self.states(crowd)
        for text in told:
            self.assertTrue(text in (b"", b"reset") or text.startswith(b"HTTP/1.1 503 "), text[:200])
        self.assertLessEqual(self.d.metric("http_connections"), PLACES + 100)
        self.assertLessEqual(descriptors(self.pid), PLACES + 400)
        grown = resident(self.pid) - base
        print("%d idle: %d kept, %d refused in words, %.0f MiB more" % (n, silent, sum(t[:5] == b"HTTP/" for t in told), grown),
              end=" ... ", flush=True)
        self.assertLess(grown, 96)
        # The house is full of people who do nothing: newcomers find a place on every face.
        time.sleep(1.2)
        for ask in (self.d.ask, self.d.ask_http, self.d.ask_tls):
            self.assertEqual(ask("GET", "/healthz").status, 200)
        self.assertGreaterEqual(self.d.metric("http_evicted_total"), 1)
        self.assertGreaterEqual(self.d.metric("http_refused_total"), 1)
        good.end()
        self.assertEqual(good.failed.value, 0)
        self.leave(crowd)

    def test_slow_connections(self):
        head = b"POST /api/v1/requests HTTP/1.1\r\nHost: localhost\r\nContent-Length: 196608\r\nContent-Type: application/pkcs10\r\n"
        sent = {}

        def gather():
            crowd = self.crowd(SLUGGISH)
            for i, s in enumerate(crowd):
                sent[s] = 0
                if i % 2:  # these are slow with the body, the others with the head
                    s.send(head + b"\r\n")
            self.at, self.due = 0, time.monotonic()
            return crowd

        def one_octet_each_second(crowd):
            if (late := self.due - time.monotonic()) > 0:
                time.sleep(late)
            for _ in range(20):
                s = crowd[self.at % len(crowd)]
                self.at += 1
                with contextlib.suppress(OSError):
                    s.send(b"x" if self.at % 2 == 0 else head[sent[s]:sent[s] + 1])
                    sent[s] += 1
            self.due += 20 / len(crowd)

        good, crowd = self.assert_unharmed(gather, one_octet_each_second)
        end = time.monotonic() + 12
        while time.monotonic() < end and self.states(crowd[0::2])[0]:
            one_octet_each_second(crowd)
        silent, told = self.states(crowd[0::2])
        self.assertEqual(silent, 0, "slow heads are still waited for")
        self.assertGreater(sum(t.startswith(b"HTTP/1.1 408 ") for t in told), 0.9 * len(told), told[:3])
        good.end()
        self.assertEqual(good.failed.value, 0)
        self.leave(crowd)

    def test_clients_that_do_not_read(self):
        """Answers that nobody fetches: their memory is bounded, and other clients get theirs."""
        base = resident(self.pid)
        ask = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 20

        def gather():
            crowd = self.crowd(200, small=True)
            time.sleep(0.2)
            for s in crowd:
                with contextlib.suppress(OSError):
                    s.send(ask)
            return crowd

        good, crowd = self.assert_unharmed(gather)
        grown = resident(self.pid) - base
        self.assertLess(grown, 96)
        good.end()
        self.assertEqual(good.failed.value, 0)
        self.leave(crowd)

    def test_unfinished_bodies(self):
        """More than the daemon holds of bodies that never end: those who ask for little are served meanwhile."""
        base = resident(self.pid)
        text = b"POST /api/v1/requests HTTP/1.1\r\nHost: x\r\nContent-Length: 196608\r\n\r\n" + b"A" * 180000

        def gather():
            crowd = self.crowd(600)
            for s in crowd:
                s.settimeout(5)
                with contextlib.suppress(OSError):
                    s.sendall(text)
                s.setblocking(False)
            return crowd

        good, crowd = self.assert_unharmed(gather)
        grown = resident(self.pid) - base
        print("%.0f MiB more" % grown, end=" ... ", flush=True)
        self.assertLess(grown, 192)
        good.end()
        self.assertEqual(good.failed.value, 0)
        self.leave(crowd)

    def test_used_and_idle(self):
        """Connections that carried large bodies and large answers do not keep the memory of those."""
        base = resident(self.pid)
        post = b"POST /api/v1/requests HTTP/1.1\r\nHost: x\r\nContent-Type: application/pkcs10\r\nAuthorization: Bearer %s\r\n" \
               b"Content-Length: 60000\r\n\r\n" % self.d.info["token"].encode() + b"A" * 60000
        crowd = self.crowd(900)
        for s in crowd:
            s.settimeout(20)
            s.sendall(post)
            self.assertEqual(read_answer(s)[0], 400)
            s.sendall(b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(read_answer(s)[0], 200)
        grown = resident(self.pid) - base
        print("%.0f MiB more" % grown, end=" ... ", flush=True)
        self.assertLess(grown, 96)
        self.leave(crowd)

    def test_the_local_socket_has_places_of_its_own(self):
        """A network full of requests under way: the administrator still gets in, the network is told to wait."""
        head = b"POST /api/v1/requests HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
        crowd = self.crowd(PLACES)
        for s in crowd:
            s.send(head)
        self.assertTrue(until(lambda: self.d.metric("http_connections") >= PLACES))
        self.assertEqual(self.d.ask("GET", "/healthz").status, 200)
        refused = self.d.ask_http("GET", "/healthz")
        self.assert_problem(refused, 503)
        self.assertEqual((refused.headers["Connection"], refused.headers["Retry-After"]), ("close", "1"))
        self.leave(crowd)
        self.assertEqual(self.d.ask_http("GET", "/healthz").status, 200)


MALFORMED = (
    b"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n", b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0\1\2\3\4\5", b"GET / HTTP/1.1\nHost: x\n\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", b"X / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 17000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    b"POST /api/v1/requests HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
)


def flood(where, n, refused, odd, seed):
    choose = random.Random(seed)
    for _ in range(n):
        try:
            with socket.create_connection(where, 30) as s:
                s.sendall(choose.choice(MALFORMED))
                got = s.recv(4096)
        except ConnectionError:
            got = b"reset"  # an answer may be lost when the rest of what was sent comes too late
        if re.match(rb"HTTP/1\.[01] (4\d\d|501|503|505) ", got) or got in (b"reset", b""):
            with refused.get_lock():
                refused.value += 1
        else:
            print("the flood was answered %r" % got[:200], flush=True)
            odd.value += 1


class Flood(Hostile):
    def flood(self, n):
        """The good client's rate before and during; what the machine spent on whom meanwhile is told."""
        good = self.good_client()
        base = resident(self.pid)
        before = good.rate()
        refused, odd = multiprocessing.Value("L", 0), multiprocessing.Value("L", 0)
        parts = [multiprocessing.Process(target=flood, daemon=True, args=(address(self.d), n // 2, refused, odd, seed))
                 for seed in (1, 2)]
        made, start, peak, spent_by, flooding = good.counter.value, time.monotonic(), base, cpu_seconds(self.pid), 0
        for p in parts:
            p.start()
        while any(p.is_alive() for p in parts):
            with contextlib.suppress(OSError):
                flooding = sum(cpu_seconds(p.pid) for p in parts)
            time.sleep(0.1)
            peak = max(peak, resident(self.pid))
            self.assertLess(descriptors(self.pid), PLACES + 400)
        spent = time.monotonic() - start
        during = (good.counter.value - made) / spent
        good.end()
        print("%d in %.1f s; good client %.0f/s before, %.0f/s during: %.2f; of %d processors the flood's clients took %.2f and the "
              "daemon %.2f; memory %.0f MiB before, %.0f at most" %
              (n, spent, before, during, during / before, os.cpu_count(), flooding / spent, (cpu_seconds(self.pid) - spent_by) / spent,
               base, peak), end=" ... ", flush=True)
        self.assertEqual((refused.value, odd.value), (n, 0))
        self.assertEqual(good.failed.value, 0)
        self.assertLess(peak - base, 96)
        self.assertGreaterEqual(self.d.metric("http_responses_total{class=\"4xx\"}") or 1, 1)
        return before, during

    def test_malformed_requests(self):
        """From clients that do it as fast as they can: they are answered at a pace, so the good client notices little."""
        for _ in range(ATTEMPTS):
            before, during = self.flood(FLOOD)
            if during >= RATIO * before:
                break
        self.assertGreaterEqual(during, RATIO * before)


class Sizes(Hostile):
    """Bounds of what may be asked for: the last that fits, and the first that does not (docs/limits.md)."""

    def put(self, path, value):
        return self.d.ask("PUT", "/api/v1/config/" + path, value, {"Content-Type": "application/json"})

    def test_bodies(self):
        for method, path, most in (("POST", "/api/v1/requests", 192 << 10), ("PATCH", "/api/v1/requests/1", 192 << 10),
                                   ("PUT", "/api/v1/config/x", 128 << 10), ("POST", "/api/v1/requests/1/deny", 4096), ("GET", "/metrics", 4096)):
            with self.subTest(method=method, path=path):
                self.assertNotIn(b"longer than this route takes", self.d.ask(method, path, b" " * most).body)
                refused = self.d.ask(method, path, b" " * (most + 1))
                self.assert_problem(refused, 413)
                self.assertIn("longer than this route takes", refused.json["detail"])

    def test_json(self):
        submit = lambda body: self.d.ask("POST", "/api/v1/requests", body, {"Content-Type": "application/json"})
        for body, status, fact in (("[" * 33 + "]" * 33, 400, "deep"),
                                   ('{"request":{' + ",".join('"a%d":1' % i for i in range(1001)) + "}}", 413, "1000 members")):
            with self.subTest(fact):
                answer = submit(body)
                self.assert_problem(answer, status)
                self.assertIn(fact, answer.json["detail"])

    def test_settings(self):
        stem = "PolicyModules/policy-default/"
        path = stem + "x" * (240 - len(stem))
        self.assertEqual(self.put(path, '{"value":1}').status, 200)
        self.assert_problem(self.put(path + "x", '{"value":1}'), 400)
        self.assertEqual(self.put(path, json.dumps({"value": "v" * 65000})).status, 200)
        self.assert_problem(self.put(path, json.dumps({"value": "v" * 65536})), 413)

    def test_attributes(self):
        csr = make_csr().decode()
        kept = lambda attributes: self.d.ask("GET", "/api/v1/requests/%d" % self.d.submit(csr, attributes=attributes).json["request_id"]).json["attributes"]
        self.assertEqual(len(kept({"a%d" % i: "v" for i in range(200)})), 128)
        self.assertEqual(kept({"n" * 127: "v" * 4096, "n" * 128: "v", "w": "v" * 4097}), {"n" * 127: "v" * 4096})

    def test_lists(self):
        self.d.submit(make_csr())
        for limit in ("0", "-1", "1000", "1001", "99999999999999999999", "x"):
            with self.subTest(limit):
                self.assertIn(len(self.d.ask("GET", "/api/v1/requests?limit=" + limit).json["requests"]), (1, 2))


class Smuggling(Hostile):
    """Requests that two servers in a row might read as two different ones (RFC 9112 11.2)."""

    def talk(self, octets, face):
        if face == "socket":
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.connect(self.d.socket)
        else:
            s = socket.create_connection(address(self.d, face), 20)
            if face == "url":
                s = ssl.create_default_context(cafile=self.d.info["ca_cert"]).wrap_socket(s, server_hostname="localhost")
        s.settimeout(20)
        got = b""
        with contextlib.suppress(OSError), s:
            s.sendall(octets)
            while chunk := s.recv(65536):
                got += chunk
        return got

    def assert_refused(self, octets, status, fact, faces=("http", "socket", "url")):
        for face in faces:
            with self.subTest(octets[:120], face=face):
                got = self.talk(octets, face)
                self.assertEqual(re.findall(rb"HTTP/1\.[01] (\d+) ", got), [b"%d" % status], got[:600])
                head, body = got.split(b"\r\n\r\n", 1)
                self.assertRegex(head, rb"\r\nConnection: close(\r\n|$)")
                self.assertRegex(head, rb"\r\nContent-Type: application/problem\+json(\r\n|$)")
                self.assertIn(fact, json.loads(body)["detail"])

    def test_where_a_head_ends(self):
        get = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
        self.assert_refused(b"GET /healthz HTTP/1.1\r\nHost: x\rContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED, 400, "bare CR")
        self.assert_refused(get + b"X: y\r\n\rContent-Length: 5\r\n\r\n" + SMUGGLED, 400, "bare CR")
        self.assert_refused(get + b"\r\r\n" + SMUGGLED, 400, "bare CR")
        self.assert_refused(get + b"X: y\r\n\n" + SMUGGLED, 400, "bare LF")
        self.assert_refused(SMUGGLED.replace(b"\r\n", b"\n") * 2, 400, "bare LF")
        self.assert_refused(get + b"X: y\n\r\n" + SMUGGLED, 400, "bare LF")
        self.assert_refused(get + b"X: y\r\n\tz\r\n\r\n" + SMUGGLED, 400, "folded line")
        self.assert_refused(get + b" \r\n\r\n" + SMUGGLED, 400, "folded line")
        self.assert_refused(b"GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n" + SMUGGLED, 400, "folded line")
        self.assert_refused(b"\r\n\r\n\r\n" + SMUGGLED, 400, "empty lines")
        self.assert_refused(get + b"X: a\0b\r\n\r\n" + SMUGGLED, 400, "NUL")
        self.assert_refused(get + b"X: a\x7fb\r\n\r\n" + SMUGGLED, 400, "control octet")
        self.assert_refused(b"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n" + SMUGGLED, 400, "malformed")
        self.assert_refused(b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + SMUGGLED, 400, "repeated")
        self.assert_refused(b"GET /healthz HTTP/1.1\r\nHost: x, y\r\n\r\n" + SMUGGLED, 400, "Host: malformed")
        self.assert_refused(b"GET /healthz HTTP/1.1\r\nHost\t: x\r\n\r\n" + SMUGGLED, 400, "")

    def test_where_a_body_ends(self):
        post = b"POST /api/v1/requests HTTP/1.1\r\nHost: x\r\n"
        chunked = b"Transfer-Encoding: chunked\r\n"
        for fields, status, fact in (
                (b"Content-Length: 6\r\n" + chunked, 400, "beside"), (chunked + b"Content-Length: 6\r\n", 400, "beside"),
                (b"content-length: 6\r\ntransfer-encoding: CHUNKED\r\n", 400, "beside"),
                (b"Content-Length: 6\r\nContent-Length: 6\r\n", 400, ""), (b"Content-Length: 6\r\nContent-Length: 0\r\n", 400, ""),
                (b"Content-Length: ,6\r\n", 400, ""), (b"Content-Length: 6,\r\n", 400, ""), (b"Content-Length: 06 \t6\r\n", 400, ""),
                (b"Content-Length: 6\x0b\r\n", 400, ""), (b"Content-Length: \xef\xbc\x96\r\n", 400, ""), (b"Content-Length: 1e1\r\n", 400, ""),
                (b"Content-Length: 18446744073709551622\r\n", 400, ""), (chunked * 2, 501, ""),
                (b"Transfer-Encoding: chunked, chunked\r\n", 501, ""), (b"Transfer-Encoding: chunked;q=1\r\n", 501, ""),
                (b"Transfer-Encoding: \"chunked\"\r\n", 501, ""), (b"Transfer-Encoding: chunked,\r\n", 501, ""),
                (b"Transfer-Encoding: \r\n", 501, "")):
            self.assert_refused(post + fields + b"\r\n0\r\n\r\n" + SMUGGLED, status, fact, ("http",))
        self.assert_refused(post.replace(b"1.1", b"1.0") + chunked + b"\r\n0\r\n\r\n" + SMUGGLED, 400, "HTTP/1.0")

    def test_chunks(self):
        head = b"POST /api/v1/requests HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        for chunks in (b"1\r\na\n0\r\n\r\n", b"1\r\na\r0\r\n\r\n", b"1\r\nab\r\n0\r\n\r\n", b"1 \r\na\r\n0\r\n\r\n", b"1;\x00\r\na\r\n0\r\n\r\n",
                       b"+1\r\na\r\n0\r\n\r\n", b"1\r\r\na\r\n0\r\n\r\n", b"1_0\r\na\r\n0\r\n\r\n", b"10000000000000001\r\na\r\n0\r\n\r\n",
                       b"1;a=b\n0\r\na\r\n0\r\n\r\n", b"0\r\nX\r\n\r\n", b"0\r\nX : y\r\n\r\n"):
            self.assert_refused(head + chunks + SMUGGLED, 400, "chunk", ("http",))
        self.assert_refused(head + b"1;" + b"x" * 30000 + b"\r\n", 400, "chunk framing", ("http",))
        self.assert_refused(head + b"1\r\na\r\n0\r\n" + b"X: y\r\n" * 6000, 400, "chunk framing", ("http",))

    def test_a_refused_head_ends_the_connection(self):
        """What follows a refused request is not read, whatever its body would have been."""
        got = self.talk(b"GET /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED * 2, "http")
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+) ", got), [b"404"])
        got = self.talk(b"GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"
                        b"\r\n\r\n" + SMUGGLED + b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "http")
        self.assertNotIn(b"101 ", got)
        got = self.talk(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED, "http")
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+) ", got), [b"400"])

    def test_trailers_change_nothing(self):
        """Fields behind a chunked body are dropped: neither the length nor the caller's rights come from there."""
        head = b"POST /api/v1/requests HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        got = self.talk(head + b"1\r\na\r\n0\r\nAuthorization: Bearer %s\r\nContent-Type: application/pkcs10\r\n\r\n" %
                        self.d.info["token"].encode() + SMUGGLED, "http")
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+) ", got), [b"403"])


if __name__ == "__main__":
    daemon.main()
