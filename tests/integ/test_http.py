"""The HTTP face: the OpenAPI document against the routes, problem documents, hostile heads, and what never leaks (P16)."""
import base64
import json
import os
import re
import resource
import socket
import time

import daemon
from daemon import CSR_TYPE, Case, Daemon, make_ca, make_csr, run

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Shared(Case):
    @classmethod
    def setUpClass(cls):
        cls.d = Daemon.throwaway()
        cls.addClassCleanup(cls.d.close)
        cls.addClassCleanup(cls.d.stop)
        cls.serial = cls.d.submit(make_csr()).json["serial"]


class OpenApi(Shared):
    def setUp(self):
        answer = self.d.ask("GET", "/api/v1/openapi.json")
        self.assertEqual((answer.status, answer.type), (200, "application/json"))
        self.document = answer.json
        self.paths = self.document["paths"]
        self.values = {"ca": self.d.info["ca_name"].replace(" ", "%20"), "id": "1", "serial": self.serial, "path": "ClockSkewMinutes",
                       "name": self.d.ask("GET", "/api/v1/crl").json["crls"][0]["name"].replace(" ", "%20")}

    def concrete(self, path, operation):
        named = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
        self.assertEqual(re.findall(r"\{(\w+)\}", path), named)
        return re.sub(r"\{(\w+)\}", lambda m: "14" if "property/" in path and m[1] == "id" else self.values[m[1]], path)

    @staticmethod
    def pattern(path):
        return re.sub(r"\{(\w+)\}", lambda m: ".+" if m[1] == "path" else "[^/]+", path)

    def no_route(self, answer):
        return answer.status == 404 and "nothing is here" in answer.json["detail"]

    def test_is_a_document(self):
        self.assertTrue(self.document["openapi"].startswith("3."))
        self.assertTrue(self.document["info"]["title"] and self.document["info"]["version"])
        for path, operations in self.paths.items():
            self.assertTrue(path.startswith("/api/v1/"), path)
            for method, o in operations.items():
                self.assertIn(method.upper(), METHODS)
                self.assertTrue(o["summary"] and o["responses"], path)

    def test_what_the_design_names_is_there(self):
        for method, path in (("post", "requests"), ("get", "requests"), ("get", "requests/{id}"), ("get", "requests/{id}/certificate"),
                             ("post", "requests/{id}/resubmit"), ("post", "requests/{id}/deny"), ("patch", "requests/{id}"),
                             ("get", "certificates"), ("get", "certificates/{serial}"), ("post", "certificates/{serial}/revoke"),
                             ("post", "certificates/{serial}/release"), ("post", "crl"), ("get", "ca"), ("get", "ca/cert"),
                             ("get", "config"), ("get", "modules"), ("get", "openapi.json")):
            self.assertIn(method, self.paths["/api/v1/" + path], path)
        self.assertIn("/api/v1/ca/{ca}/requests", self.paths)

    def test_every_listed_operation_answers_and_no_other(self):
        for path, operations in self.paths.items():
            target = self.concrete(path, next(iter(operations.values())))
            # A word may stand where another route takes a parameter: then that one's methods answer, too.
            operations = {m for p, o in self.paths.items() if re.fullmatch(self.pattern(p), target) for m in o}
            for method in METHODS:
                with self.subTest(method=method, path=target):
                    body = "{}" if method in ("POST", "PUT", "PATCH") else None
                    a = self.d.ask(method, target, body, {"Content-Type": "application/json"} if body else None)
                    if method.lower() in operations:
                        self.assertNotEqual(a.status, 405, a)
                        self.assertFalse(a.status == 404 and self.no_route(a), a)
                        self.assertLess(a.status, 500, a)
                    elif method == "HEAD" and "get" in operations and a.status != 405:
                        self.assertEqual((a.status, a.body), (self.d.ask("GET", target).status, b""))
                    else:
                        self.assertEqual(a.status, 405, a)
                        allowed = {m.strip().lower() for m in a.headers["Allow"].split(",")} - {"head", "options"}
                        self.assertEqual(allowed, operations)

    def test_nothing_answers_that_is_not_listed(self):
        fixed = {re.sub(r"\{\w+\}", "", p) for p in self.paths}
        words = {w for p in self.paths for w in p.split("/") if w and "{" not in w} | {
            "admin", "keys", "key", "token", "debug", "crl", "audit", "backup", "users", "profiles", "history", "metrics", "healthz"}
        for word in sorted(words):
            for path in ("/api/v1/" + word, "/api/v1/requests/1/" + word, "/api/v1/certificates/%s/%s" % (self.serial, word),
                         "/api/v2/" + word, "/api/" + word):
                if any(re.fullmatch(self.pattern(p), path) for p in self.paths):
                    continue
                with self.subTest(path):
                    self.assertTrue(self.no_route(self.d.ask("GET", path)), path)
        self.assertIn("/api/v1/requests", fixed)

    def test_public_ones(self):
        for ask in (self.d.ask, self.d.ask_http, self.d.ask_tls):
            more = {} if ask == self.d.ask else {"token": False}
            for path in ("/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/api/v1/ca", "/api/v1/ca/cert", "/api/v1/cas",
                         "/aia/%s.crt" % self.values["ca"]):
                with self.subTest(path):
                    self.assertEqual(ask("GET", path, **more).status, 200)
        der = self.d.ask_http("GET", "/aia/%s.crt" % self.values["ca"], token=False)
        self.assertEqual(der.type, "application/pkix-cert")
        with open(self.d.info["ca_cert"]) as f:
            self.assertEqual(der.body, daemon.pem_to_der(f.read()))
        self.assert_problem(self.d.ask("GET", "/aia/other.crt"), 404)
        self.assert_problem(self.d.ask("GET", "/aia/%s" % self.values["ca"]), 404)


class Problems(Shared):
    def test_not_there(self):
        for path in ("/", "/nothing", "/api/v1", "/api/v1/", "/api/v1/requests/", "/api/v1/requests//1", "/API/v1/ca", "/healthz/",
                     "/api/v1/requests/1/certificate/x", "/index.html", "/.env"):
            with self.subTest(path):
                a = self.d.ask("GET", path)
                self.assert_problem(a, 404)

    def test_wrong_method(self):
        a = self.d.ask("DELETE", "/api/v1/requests/1")
        self.assert_problem(a, 405)
        self.assertEqual({m.strip() for m in a.headers["Allow"].split(",")} - {"HEAD", "OPTIONS"}, {"GET", "PATCH"})

    def test_climbing_out(self):
        for path in ("/aia/../healthz", "/aia/%2e%2e%2fca.db", "/api/v1/config/../../../etc/passwd", "/aia/..%2f..%2fkey.pem",
                     "/api/v1/ca/..%2f..", "/%2e%2e/%2e%2e/etc/passwd", "/api/v1/config/%00", "/aia/x%00.crt"):
            with self.subTest(path):
                a = self.d.ask("GET", path)
                self.assertIn(a.status, (400, 404), a)
                self.assert_problem(a, a.status)

    def test_settings(self):
        put = lambda path, body: self.d.ask("PUT", "/api/v1/config/" + path, body, {"Content-Type": "application/json"})
        self.assert_problem(put("NoSuchSetting", '{"value":1}'), 404)
        for path, body in (("ClockSkewMinutes", '{"value":-1}'), ("ClockSkewMinutes", '{"value":"x"}'), ("ClockSkewMinutes", '{"value":1.5}'),
                           ("ClockSkewMinutes", '{"value":1e99}'), ("ClockSkewMinutes", "{}"), ("ClockSkewMinutes", ""), ("ClockSkewMinutes", "5"),
                           ("ExitModules/Active", '{"value":[1]}'), ("ModuleBinding", '{"value":"none"}'), ("ClockSkewMinutes", '{"value":1,"x":2}'),
                           ("PolicyModules/Active", '{"value":null}'), ("ClockSkewMinutes", '{"value":' + "[" * 3000)):
            with self.subTest(path=path, body=body[:40]):
                self.assert_problem(put(path, body), 400)
        self.assertEqual(self.d.ask("GET", "/api/v1/config/ClockSkewMinutes").json["value"], 10)
        self.assertEqual(put("ClockSkewMinutes", '{"value":11}').status, 200)
        self.assertEqual(self.d.ask("GET", "/api/v1/config/clockskewminutes").json["value"], 11)
        listed = {s["path"]: s for s in self.d.ask("GET", "/api/v1/config").json["settings"]}
        self.assertEqual((listed["ClockSkewMinutes"]["value"], listed["ClockSkewMinutes"]["set"]), (11, True))
        self.assertEqual(self.d.ask("DELETE", "/api/v1/config/ClockSkewMinutes").status, 204)
        self.assertEqual(self.d.ask("GET", "/api/v1/config/ClockSkewMinutes").json["value"], 10)

    def test_what_a_caller_wrote_is_escaped(self):
        a = self.d.ask("GET", '/api/v1/ca/%22%7D%3Cscript%3E')
        self.assert_problem(a, 404)
        self.assertIn('"}<script>', a.json["detail"])
        self.assertEqual(a.headers["X-Content-Type-Options"], "nosniff")


class Wire(Shared):
    """Octets that clients do not send."""

    def talk(self, *parts, pause=0.0, half=True):
        s = socket.create_connection(("127.0.0.1", int(self.d.info["http"].rsplit(":", 1)[1])), 20)
        got = b""
        try:
            for p in parts:
                s.sendall(p)
                time.sleep(pause)
            if half:
                s.shutdown(socket.SHUT_WR)
            while chunk := s.recv(65536):
                got += chunk
        except OSError:
            pass
        finally:
            s.close()
        return got

    def refused(self, octets, *statuses):
        """One answer, a refusal, and the rest of the connection is not read as a second request."""
        got = self.talk(octets)
        heads = re.findall(rb"HTTP/1\.[01] (\d+) ", got)
        self.assertEqual(len(heads), 1, (octets[:80], got[:400]))
        self.assertIn(int(heads[0]), statuses or (400,), (octets[:80], got[:400]))
        self.assertNotIn(b"alive", got)

    def test_two_readings_of_a_length(self):
        smuggled = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        post = b"POST /api/v1/requests HTTP/1.1\r\nHost: x\r\n"
        for fields in (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 0",
                       b"Content-Length: 0\r\nContent-Length: 5", b"Content-Length: 5, 5", b"Content-Length: +5", b"Content-Length: -5",
                       b"Content-Length: 0x5", b"Content-Length: 5 5", b"Content-Length:", b"Content-Length: 99999999999999999999999",
                       b"Content-Length : 5", b"Transfer-Encoding : chunked", b" Content-Length: 5", b"Content-Length: 0\r\n X: y",
                       b"X: a\0b", b"X: a\x01b", b"X\xff: y", b": y", b"X y",
                       b"X: a\rb", b"Content-Length: 0\nX: y"):
            with self.subTest(fields):
                self.refused(post + fields + b"\r\n\r\n" + smuggled, 400)
        for coding in (b"identity", b"gzip", b"xchunked", b"chunked, gzip", b"gzip, chunked", b"\x0bchunked", b"chunked\r\nTransfer-Encoding: identity"):
            with self.subTest(coding):
                self.refused(post + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + smuggled, 400, 501)
        self.refused(b"POST /api/v1/requests HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, 400)

    def test_chunks(self):
        head = b"POST /api/v1/requests HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer %s\r\n" \
               b"Content-Type: application/pkcs10\r\n" % self.d.info["token"].encode()
        csr = make_csr(form="DER")
        whole = b"%x\r\n%s\r\n1\r\n%s\r\n0\r\n\r\n" % (len(csr) - 1, csr[:-1], csr[-1:])
        self.assertRegex(self.talk(head + b"Connection: close\r\n\r\n" + whole), rb"^HTTP/1\.1 201 ")
        for bad in (b"g\r\nx\r\n0\r\n\r\n", b"-1\r\nx\r\n0\r\n\r\n", b"ffffffffffffffffff\r\nx", b"1\nx\n0\n\n", b"1\r\nxx\r\n0\r\n\r\n",
                    b"0x1\r\nx\r\n0\r\n\r\n", b"\r\n\r\n", b" 1\r\nx\r\n0\r\n\r\n"):
            with self.subTest(bad):
                self.refused(head + b"\r\n" + bad, 400, 413)
        self.refused(head + b"\r\n" + b"10000\r\n" + bytes(0x10000) + b"\r\n" + b"10000\r\n" + bytes(0x10000) + b"\r\n" + b"10000\r\n"
                     + bytes(0x10000) + b"\r\n" + b"10000\r\n" + bytes(0x10000) + b"\r\n0\r\n\r\n", 413)

    def test_request_lines(self):
        for line in (b"GET  /healthz HTTP/1.1", b"GET /healthz  HTTP/1.1", b"GET\t/healthz HTTP/1.1", b"GET /healthz", b"get /healthz HTTP/1.1",
                     b"GET /heal\0thz HTTP/1.1", b"GET healthz HTTP/1.1", b"GET /healthz HTTP/1.1 x", b"GET /healthz http/1.1", b"GET /%zz HTTP/1.1",
                     b"GET /healthz# HTTP/1.1", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"G@T /healthz HTTP/1.1"):
            with self.subTest(line):
                self.refused(line + b"\r\nHost: x\r\n\r\n", 400, 404, 405, 501)
        for version in (b"HTTP/2.0", b"HTTP/1.2", b"HTTP/0.9", b"HTTP/3.0"):
            with self.subTest(version):
                self.refused(b"GET /healthz " + version + b"\r\nHost: x\r\n\r\n", 400, 505)
        self.refused(b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400, 404, 405, 501)
        self.refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 505)

    def test_host(self):
        for fields in (b"", b"Host: a\r\nHost: b\r\n", b"Host: a b\r\n"):
            with self.subTest(fields):
                self.refused(b"GET /healthz HTTP/1.1\r\n" + fields + b"\r\n", 400)

    def test_too_large(self):
        self.refused(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, 400, 431)
        self.refused(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 17000 + b"\r\n\r\n", 431)
        self.refused(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 100 + b"\r\n", 431)
        self.refused(b"POST /api/v1/requests HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n", 413)
        self.refused(b"GET /healthz?" + b"a=b&" * 60 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400, 414)

    def test_pipelined(self):
        one = b"GET /api/v1/requests/%d HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + self.d.info["token"].encode() + b"\r\n\r\n"
        last = b"GET /api/v1/requests/3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        got = self.talk(b"".join(one % i for i in (2, 999, 1, 2)) + last)
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+) ", got), [b"200", b"404", b"200", b"200", b"403"])
        self.assertEqual(re.findall(rb'\{"request_id":(\d+)', got), [b"2", b"1", b"2"])

    def test_octet_by_octet(self):
        text = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        self.assertRegex(self.talk(*[bytes([c]) for c in text], pause=0.001, half=False), rb"^HTTP/1\.1 200 ")

    def test_noise_and_silence(self):
        for _ in range(30):
            self.talk(os.urandom(300))
        idle = [socket.create_connection(("127.0.0.1", int(self.d.info[k].rsplit(":", 1)[1]))) for k in ("http", "url") for _ in range(40)]
        self.assertEqual(self.d.ask_tls("GET", "/healthz").status, 200)
        for s in idle:
            s.close()
        host, port = self.d.info["url"].split("//")[1].split(":")
        plain = socket.create_connection((host, int(port)), 20)
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertNotIn(b"alive", plain.recv(65536))
        plain.close()

    def test_expect_continue(self):
        csr = make_csr(form="DER")
        head = b"POST /api/v1/requests HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nAuthorization: Bearer %s\r\n" \
               b"Content-Type: application/pkcs10\r\nContent-Length: %d\r\n\r\n" % (self.d.info["token"].encode(), len(csr))
        got = self.talk(head, csr, pause=0.2, half=False)
        self.assertRegex(got, rb"^HTTP/1\.1 (100 [^\r]*\r\n\r\nHTTP/1\.1 )?201 ")


class Secrets(Case):
    """P16: token and key material are in no log line, answer, argument or file that others can read."""

    def forms(self, pem):
        der = base64.b64decode("".join(pem.splitlines()[1:-1]))
        dump = run("openssl", "pkey", "-noout", "-text", data=pem.encode()).stdout.decode()
        private = bytes.fromhex("".join(re.search(r"priv:\n((?: +[0-9a-f:]+\n)+)", dump)[1].replace(":", "").split()))
        private = private.lstrip(b"\0")
        return [*(l for l in pem.splitlines()[1:-1] if len(l) > 20), private.hex(), private.hex().upper(), private, der,
                base64.b64encode(private).decode().rstrip("=")]

    def check(self, where, data, secrets):
        for s in secrets:
            self.assertNotIn(s if isinstance(s, bytes) else s.encode(), data, where)
        self.assertNotRegex(data, rb"-----BEGIN [A-Z ]*PRIVATE KEY-----", where)

    def exercise(self, d):
        """Everything that answers, and everything that fails, with the token where it does not belong too."""
        token, csr = d.info["token"], make_csr()
        yield d.submit(csr)
        yield d.ask_tls("GET", "/api/v1/requests/1")
        yield d.ask_http("POST", "/api/v1/requests", csr, {"Content-Type": CSR_TYPE})
        for bad in (token + "x", token[::-1], token.upper()):
            yield d.ask_http("GET", "/api/v1/config", token=bad)
        yield d.ask_http("POST", "/api/v1/requests", b"garbage", {"Content-Type": CSR_TYPE})
        yield d.ask_http("POST", "/api/v1/requests", csr, {"Content-Type": "text/odd"})
        for path in ("/healthz", "/readyz", "/metrics", "/nothing", "/api/v1/openapi.json", "/api/v1/ca", "/api/v1/cas", "/api/v1/ca/cert",
                     "/api/v1/modules", "/api/v1/config", "/api/v1/config/x", "/api/v1/requests", "/api/v1/requests/1", "/api/v1/requests/0",
                     "/api/v1/certificates", "/api/v1/certificates/zz", "/api/v1/requests?where=x"):
            yield d.ask_http("GET", path)
            yield d.ask("DELETE", path)
        for id in range(1, 42):
            yield d.ask("GET", "/api/v1/property/%d?type=%d" % (id, id % 4 + 1))

    def test_in_no_log_and_no_answer(self):
        d = self.start("--log-level", "debug")
        folder = os.path.dirname(d.info["ca_cert"])
        with open(os.path.join(folder, "key.pem")) as f:
            secrets = self.forms(f.read()) + [d.info["token"]]
        for answer in self.exercise(d):
            self.check(answer, answer.body + str(answer.headers).encode(), secrets)
        for name in ("cmdline", "environ"):
            with open("/proc/%d/%s" % (d.proc.pid, name), "rb") as f:
                self.check(name, f.read(), secrets)
        for base, _, files in os.walk(d.dir):
            for name in files:
                path = os.path.join(base, name)
                if name != "key.pem" and os.path.isfile(path):
                    with open(path, "rb") as f:
                        self.check(path, f.read(), secrets)
        self.assertEqual(os.stat(os.path.join(folder, "key.pem")).st_mode & 0o777, 0o600)

    def test_in_no_log_at_the_lowest_level(self):
        d = Daemon.throwaway("--log-level", "debug")
        self.addCleanup(d.close)
        with open(os.path.join(os.path.dirname(d.info["ca_cert"]), "key.pem")) as f:
            secrets = self.forms(f.read()) + [d.info["token"]]
        for _ in self.exercise(d):
            pass
        said = d.stop()
        self.assertIn("request.issued", said)
        self.check("log", said.encode(), secrets)

    def test_no_core(self):
        d = self.start()
        with open("/proc/%d/limits" % d.proc.pid) as f:
            self.assertRegex(f.read(), r"Max core file size +0 +0 ")

    def test_token_is_another_each_time(self):
        tokens = {self.start().info["token"] for _ in range(3)}
        self.assertEqual(len(tokens), 3)


class LogLines(Case):
    def test_callers_cannot_break_a_line(self):
        d = Daemon.throwaway("--log-level", "debug")
        self.addCleanup(d.close)
        d.submit(make_csr(["DNS:www.example.test"], "/CN=x\nFAKE INFO request.issued id=1"))
        d.submit(make_csr(), attributes={"a\tb": "c\x1b[31m"})
        d.ask("PUT", "/api/v1/config/PolicyModules/policy-default/X", json.dumps({"value": "a\nFAKE line"}), {"Content-Type": "application/json"})
        said = d.stop()
        self.assertNotIn("\x1b", said)
        for line in said.splitlines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT[\d:.]+Z (ERROR|WARNING|INFO|DEBUG) [a-z.]+")

    def test_json(self):
        d = Daemon.throwaway("--log-level", "debug", "--log-format", "json")
        self.addCleanup(d.close)
        d.submit(make_csr())
        d.submit(make_csr(["email:\"x\"@b.test"], "/"))
        lines = [json.loads(line) for line in d.stop().splitlines()]
        self.assertTrue(lines)


if __name__ == "__main__":
    daemon.main()
