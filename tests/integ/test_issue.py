"""What is issued and what is refused, over every way in."""
import base64
import collections
import concurrent.futures
import json
import os
import ssl

import daemon
from daemon import CSR_TYPE, Case, Certificate, Daemon, make_ca, make_csr, run

PEM_TYPE = "application/x-pem-file"


def post(ask, body, kind, accept=None, **more):
    headers = {"Content-Type": kind}
    if accept:
        headers["Accept"] = accept
    return ask("POST", "/api/v1/requests", body, headers, **more)


class Shared(Case):
    """Tests that leave the daemon as it was share one."""
    options = []

    @classmethod
    def setUpClass(cls):
        cls.d = Daemon.throwaway(*cls.options)
        cls.addClassCleanup(cls.d.close)
        cls.addClassCleanup(cls.d.stop)

    def issue(self, csr, **more):
        answer = self.d.submit(csr, **more)
        self.assertEqual(answer.status, 201, answer)
        return Certificate(answer.json["certificate"])


class Keys(Case):
    def test_of_requests(self):
        with Daemon.throwaway() as d:
            for kind, line in (("rsa2048", "Public-Key: (2048 bit)"), ("rsa3072", "Public-Key: (3072 bit)"),
                               ("p256", "NIST CURVE: P-256"), ("p384", "NIST CURVE: P-384"),
                               ("p521", "NIST CURVE: P-521"), ("ed25519", "ED25519 Public-Key"),
                               ("ed448", "ED448 Public-Key")):
                with self.subTest(kind):
                    answer = d.submit(make_csr(kind=kind))
                    self.assertEqual(answer.status, 201, answer)
                    c = Certificate(answer.json["certificate"])
                    self.assertIn(line, c.text)
                    usage = "Digital Signature, Key Encipherment" if "rsa" in kind else "Digital Signature\n"
                    self.assertIn("X509v3 Key Usage: critical\n                " + usage, c.text)
                    self.assert_verifies(c.pem, d.info["ca_cert"])

    def test_of_cas(self):
        for kind, line in (("rsa2048", "sha256WithRSAEncryption"), ("rsa3072", "sha256WithRSAEncryption"),
                           ("rsa4096", "sha256WithRSAEncryption"), ("p256", "ecdsa-with-SHA256"),
                           ("p384", "ecdsa-with-SHA384"), ("p521", "ecdsa-with-SHA512"), ("ed25519", "ED25519"),
                           ("ed448", "ED448")):
            with self.subTest(kind), Daemon.throwaway("--key", kind) as d:
                for request in ("p256", "rsa2048"):
                    answer = d.submit(make_csr(kind=request))
                    self.assertEqual(answer.status, 201, answer)
                    c = Certificate(answer.json["certificate"])
                    self.assertIn("Signature Algorithm: " + line, c.text)
                    self.assert_verifies(c.pem, d.info["ca_cert"])
                self.assertEqual(d.ask_tls("GET", "/healthz").status, 200)


class Bodies(Shared):
    def test_der_pem_json(self):
        pem, der = make_csr(), make_csr(form="DER")
        text = json.dumps({"request": pem.decode()})
        bare = b"".join(pem.splitlines()[1:-1])
        for body, kind in ((der, CSR_TYPE), (pem, CSR_TYPE), (pem, PEM_TYPE), (text, "application/json"),
                           (text, "application/json; charset=utf-8"), (bare, CSR_TYPE), (pem, "APPLICATION/X-PEM-FILE"),
                           (json.dumps({"request": pem.decode(), "attributes": {}}), "application/json")):
            with self.subTest(kind=kind, body=body[:30]):
                answer = post(self.d.ask, body, kind)
                self.assertEqual(answer.status, 201, answer)
                self.assertEqual(answer.type, "application/json")
                got = answer.json
                self.assertLessEqual({"request_id", "disposition", "status", "message", "serial", "certificate"}, set(got))
                self.assertEqual((got["disposition"], got["status"]), ("issued", 0))
                self.assertEqual(answer.headers["Location"], "/api/v1/requests/%d" % got["request_id"])
                self.assertEqual(Certificate(got["certificate"]).serial, got["serial"])

    def test_certificate_alone_and_chain(self):
        csr = make_csr()
        with open(self.d.info["ca_cert"]) as f:
            ca = f.read()
        der = post(self.d.ask, csr, PEM_TYPE, "application/pkix-cert")
        self.assertEqual((der.status, der.type), (201, "application/pkix-cert"))
        self.assertEqual(Certificate(der.body).der, der.body)
        pem = post(self.d.ask, csr, PEM_TYPE, PEM_TYPE)
        self.assertEqual((pem.status, pem.type), (201, PEM_TYPE))
        self.assertEqual(pem.body.count(b"BEGIN"), 1)
        chain = post(self.d.ask, csr, PEM_TYPE, "application/pem-certificate-chain")
        self.assertEqual((chain.status, chain.type), (201, "application/pem-certificate-chain"))
        self.assertEqual(chain.body.count(b"BEGIN CERTIFICATE"), 2)
        self.assertTrue(chain.body.decode().endswith(ca))
        path = chain.headers["Location"]
        again = self.d.ask("GET", path + "/certificate", headers={"Accept": "application/pem-certificate-chain"})
        self.assertEqual((again.status, again.body), (200, chain.body))
        self.assertEqual(self.d.ask("GET", path + "/certificate").body, chain.body[:len(again.body) - len(ca)])
        bare = self.d.ask("GET", path + "/certificate", headers={"Accept": "application/pkix-cert"})
        self.assertEqual(bare.body, daemon.pem_to_der(chain.body[:-len(ca)]))
        shown = self.d.ask("GET", path).json
        self.assertEqual(daemon.pem_to_der(shown["certificate"]), bare.body)
        by_serial = self.d.ask("GET", "/api/v1/certificates/" + shown["serial"])
        self.assertEqual(by_serial.json["certificate"], shown["certificate"])

    def test_names_of_the_ca_in_the_path(self):
        name = self.d.info["ca_name"].replace(" ", "%20")
        answer = self.d.ask("POST", "/api/v1/ca/%s/requests" % name, make_csr(), {"Content-Type": CSR_TYPE})
        self.assertEqual(answer.status, 201, answer)
        self.assert_problem(self.d.ask("POST", "/api/v1/ca/other/requests", make_csr(), {"Content-Type": CSR_TYPE}), 404)

    def test_profile_by_query_and_attribute(self):
        for more in ({"query": "?profile=tls-server"}, {"attributes": {"CertificateTemplate": "tls-server"}}):
            c = self.issue(make_csr(), **more)
            self.assertIn("TLS Web Server Authentication\n", c.text)
        self.assert_problem(self.d.submit(make_csr(), query="?profile=nonsense"), 403, "unsupported-cert-type")


class Transports(Shared):
    def test_every_one_issues(self):
        csr = make_csr()
        for ask, more in ((self.d.ask, {}), (self.d.ask_http, {}), (self.d.ask_tls, {"version": ssl.TLSVersion.TLSv1_2}),
                          (self.d.ask_tls, {"version": ssl.TLSVersion.TLSv1_3})):
            with self.subTest(str(more)):
                self.assertEqual(post(ask, csr, PEM_TYPE, **more).status, 201)

    def test_old_tls_is_refused(self):
        host, port = self.d.info["url"].split("//")[1].split(":")
        for option in ("-tls1", "-tls1_1"):
            done = run("openssl", "s_client", option, "-cipher", "ALL:@SECLEVEL=0", "-connect", host + ":" + port, data=b"",
                       check=False)
            self.assertIn(b"alert protocol version", done.stderr)

    def test_http_1_0_is_answered_and_closed(self):
        s = daemon.socket.create_connection(("127.0.0.1", int(self.d.info["http"].rsplit(":", 1)[1])), 20)
        body = make_csr()
        s.sendall(b"POST /api/v1/requests HTTP/1.0\r\nAuthorization: Bearer %s\r\nContent-Type: application/pkcs10\r\n"
                  b"Content-Length: %d\r\n\r\n%s" % (self.d.info["token"].encode(), len(body), body))
        got = b""
        while chunk := s.recv(65536):
            got += chunk
        s.close()
        self.assertRegex(got, rb"^HTTP/1\.[01] 201 ")
        self.assertIn(b'"disposition":"issued"', got)
        self.assertNotIn(b"chunked", got.lower())

    def test_many_on_one_connection(self):
        c = daemon.UnixConnection(self.d.socket)
        csr = make_csr()
        for _ in range(20):
            self.assertEqual(daemon.ask_over(c, "POST", "/api/v1/requests", csr, {"Content-Type": CSR_TYPE}).status, 201)
        c.close()

    def test_token(self):
        csr, token = make_csr(), self.d.info["token"]
        for ask in (self.d.ask_http, self.d.ask_tls):
            for wrong in (False, "0" * 64, token[:-1], token + "0", token.upper() + " ", " " + token):
                self.assert_problem(post(ask, csr, PEM_TYPE, token=wrong), 403, "enroll-denied")
            for path in ("/api/v1/requests/1", "/api/v1/requests", "/api/v1/certificates", "/api/v1/config",
                         "/api/v1/modules", "/api/v1/requests/1/certificate"):
                self.assert_problem(ask("GET", path, token=False), 403, "accessdenied")
            for path in ("/api/v1/requests/1/deny", "/api/v1/requests/1/resubmit"):
                self.assert_problem(ask("POST", path, token=False), 403, "accessdenied")
            put = ask("PUT", "/api/v1/config/AnonymousSubmit", '{"value":1}', {"Content-Type": "application/json"}, token=False)
            self.assert_problem(put, 403, "accessdenied")
            self.assertEqual(post(ask, csr, PEM_TYPE).status, 201)

    def test_anonymous_may_what_the_ca_lets_them(self):
        with Daemon.throwaway() as d:
            d.set("AnonymousSubmit", 1)
            answer = post(d.ask_http, make_csr(), PEM_TYPE, token=False)
            self.assertEqual(answer.status, 201, answer)
            self.assert_problem(d.ask_http("POST", "/api/v1/requests/1/deny", token=False), 403)
            self.assert_problem(d.ask_http("GET", "/api/v1/requests", token=False), 403)
            d.set("AnonymousSubmit", 0)
            self.assertEqual(post(d.ask_http, make_csr(), PEM_TYPE, token=False).status, 403)


class NothingIsCopied(Shared):
    def test_ca_true(self):
        c = self.issue(make_csr(extensions=["basicConstraints=critical,CA:TRUE,pathlen:3", "keyUsage=critical,keyCertSign,cRLSign"]))
        self.assertNotIn("CA:TRUE", c.text)
        self.assertNotIn("Certificate Sign", c.text)
        self.assertNotIn("CRL Sign", c.text)

    def test_extended_key_usage(self):
        c = self.issue(make_csr(extensions=["extendedKeyUsage=codeSigning,emailProtection,OCSPSigning,1.3.6.1.4.1.311.20.2.2,anyExtendedKeyUsage"]))
        self.assertIn("X509v3 Extended Key Usage: \n                TLS Web Server Authentication, TLS Web Client Authentication\n", c.text)

    def test_other_extensions(self):
        plain = self.issue(make_csr())
        odd = self.issue(make_csr(extensions=["1.2.3.4=critical,DER:0500", "certificatePolicies=2.23.140.1.1",
                                              "nameConstraints=permitted;DNS:com", "tlsfeature=status_request",
                                              "crlDistributionPoints=URI:http://evil.test/x", "issuerAltName=DNS:evil.test",
                                              "authorityInfoAccess=OCSP;URI:http://evil.test/", "noCheck=ignored",
                                              "1.3.6.1.4.1.311.25.2=DER:3000", "1.3.6.1.4.1.311.20.2=ASN1:UTF8:tls-peer"]))

        def extensions(c):
            part = c.text.split("X509v3 extensions:")[1].split("Signature Algorithm")[0]
            return part
        self.assertEqual(extensions(odd), extensions(plain))

    def test_key_identifiers_are_ours(self):
        c = self.issue(make_csr(extensions=["subjectKeyIdentifier=DEADBEEF"]))
        self.assertNotIn("DE:AD:BE:EF", c.text)

    def test_subject(self):
        c = self.issue(make_csr(subject="/C=US/O=Evil Corp/OU=x/emailAddress=a@b.test/CN=www.example.test"))
        self.assertEqual(c.subject, "CN=www.example.test")

    def test_names_that_the_profile_does_not_know(self):
        for name in ("email:root@example.test", "URI:https://www.example.test/", "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:administrator@example.test",
                     "RID:1.2.3"):
            with self.subTest(name):
                answer = self.d.submit(make_csr(["DNS:www.example.test", name]))
                self.assert_problem(answer, 403, "bad-requestsubject")

    def test_validity(self):
        for attributes in ({"ValidityPeriod": "Years", "ValidityPeriodUnits": "50"}, {"ExpirationDate": "Tue, 1 Jan 2090 00:00:00 GMT"}):
            c = self.issue(make_csr(), attributes=attributes)
            self.assertLessEqual(c.not_after - c.not_before, 7 * 86400)


class Refused(Shared):
    def fails(self, answer, status, code=None):
        self.assert_problem(answer, status, code)
        self.assertNotIn("certificate", answer.json)
        self.assertNotIn(b"BEGIN CERTIFICATE", answer.body)

    def test_signature_of_another_key(self):
        der = bytearray(make_csr(form="DER"))
        der[-1] ^= 1
        answer = self.d.submit(bytes(der))
        self.fails(answer, 400, "bad-signature")
        row = self.d.ask("GET", "/api/v1/requests/%d" % answer.json["request_id"]).json
        self.assertEqual((row["disposition"], row["serial"]), ("failed", None))

    def test_content_changed_after_signing(self):
        der = make_csr(form="DER").replace(b"www.example.test", b"xyz.example.test")
        self.fails(self.d.submit(der), 400, "bad-signature")

    def test_weak_keys(self):
        for kind in ("rsa1024", "rsa2048-e3"):
            with self.subTest(kind):
                answer = self.d.submit(make_csr(kind=kind))
                self.fails(answer, 400, "weak-signature-or-key")

    def test_sha1_signature(self):
        csr = run("openssl", "req", "-new", "-sha1", "-key", "/dev/stdin", "-subj", "/CN=www.example.test",
                  data=daemon.private_key("rsa2048")).stdout
        self.fails(self.d.submit(csr), 403, "weak-signature-or-key")

    def test_garbage(self):
        der = make_csr(form="DER")
        for body in (b"\0", b"x" * 1000, os.urandom(5000), der[:-1], der + b"\0", der[:40], b"0" * 100,
                     b"-----BEGIN CERTIFICATE REQUEST-----\n", b"-----BEGIN CERTIFICATE REQUEST-----\n!!!\n-----END CERTIFICATE REQUEST-----\n",
                     b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n",
                     b"\x30\x80" + der[4:] + b"\0\0", b"\x30\x84\xff\xff\xff\xff", b"\x30\x83\x0f\xff\xff" + bytes(100),
                     b"0\x80" * 60000):
            with self.subTest(body[:40]):
                answer = self.d.submit(body)
                self.fails(answer, answer.status)
                self.assertIn(answer.status, (400, 413))

    def test_every_octet_of_a_request_turned(self):
        der, seen = make_csr(form="DER"), collections.Counter()
        c = daemon.UnixConnection(self.d.socket)
        for i in range(len(der)):
            body = der[:i] + bytes([der[i] ^ (0x80 if i % 2 else 0x01)]) + der[i + 1:]
            answer = daemon.ask_over(c, "POST", "/api/v1/requests", body, {"Content-Type": CSR_TYPE})
            self.assertIn(answer.status, (400, 403, 413), (i, answer))
            seen[answer.status] += 1
        c.close()
        self.assertGreater(seen[400], 50)

    def test_empty_body(self):
        self.fails(self.d.submit(b""), 400)

    def test_too_large(self):
        self.fails(self.d.submit(b"\x30" + bytes(300 << 10)), 413)
        names = ["DNS:h%d.example.test" % i for i in range(101)]
        self.fails(self.d.submit(make_csr(names)), 403)

    def test_unknown_content_type(self):
        answer = post(self.d.ask, make_csr(), "application/xml")
        self.fails(answer, 400)

    def test_json(self):
        for body in ("", "{", "[]", "{}", '{"request":1}', '{"request":""}', '{"request":"x","more":1}', '"x"', "{" * 5000,
                     json.dumps({"request": make_csr().decode(), "attributes": {"a": 1}}),
                     json.dumps({"request": make_csr().decode(), "attributes": {"a": "x\ny:z"}}),
                     json.dumps({"request": make_csr().decode(), "attributes": {"a:b": "x"}}),
                     json.dumps({"request": make_csr().decode(), "attributes": []}), '{"request":"\\u0000"}'):
            with self.subTest(body[:60]):
                self.fails(post(self.d.ask, body, "application/json"), 400)

    def test_names(self):
        for name in ("DNS:*.evil.com", "DNS:a..test", "DNS:-a.test", "DNS:a_b.test", "DNS:.test", "DNS:a.test.", "DNS:a b.test",
                     "DNS:xn--a.test", "DNS:" + "a" * 64 + ".test", "DNS:127.0.0.1"):
            with self.subTest(name):
                answer = self.d.submit(make_csr([name], "/"))
                self.fails(answer, answer.status)
                self.assertIn(answer.status, (400, 403))
        self.fails(self.d.submit(make_csr([], "/")), 403)

    def test_still_serves(self):
        self.assertEqual(self.d.submit(make_csr()).status, 201)
        self.assertEqual(self.d.ask("GET", "/readyz").status, 200)


class Numbers(Case):
    def test_validity_counts_both_ends(self):
        path = self.temp()
        make_ca(path, "--issue", "--days", "3650")
        with Daemon.of_dir(path) as d:
            with open(os.path.join([e.path for e in os.scandir(path + "/ca")][0], "ca.pem")) as f:
                ca = Certificate(f.read())
            self.assertEqual(ca.not_after - ca.not_before, 3650 * 86400 - 1)
            c = Certificate(d.submit(make_csr()).json["certificate"])
            self.assertEqual(c.not_after - c.not_before, 90 * 86400 - 1)
            d.policy("Profiles/tls-server/ValidityDays", 1)
            c = Certificate(d.submit(make_csr()).json["certificate"])
            self.assertEqual(c.not_after - c.not_before, 86400 - 1)

    def test_never_beyond_the_issuers(self):
        path = self.temp()
        make_ca(path, "--issue", "--days", "30")
        with Daemon.of_dir(path) as d:
            with open(os.path.join([e.path for e in os.scandir(path + "/ca")][0], "ca.pem")) as f:
                ca = Certificate(f.read())
            answer = d.submit(make_csr()).json
            self.assertEqual(Certificate(answer["certificate"]).not_after, ca.not_after)
            self.assertIn("validity ends by", answer["message"])

    def test_generalized_time_from_2050(self):
        path = self.temp()
        make_ca(path, "--issue", "--days", "36525")
        with Daemon.of_dir(path) as d:
            d.set("ValidityPeriodUnits", 60)
            d.policy("Profiles/tls-server/ValidityDays", 20000)
            answer = d.submit(make_csr())
            self.assertEqual(answer.status, 201, answer)
            c = Certificate(answer.json["certificate"])
            dump = run("openssl", "asn1parse", data=c.pem).stdout.decode()
            self.assertIn("UTCTIME", dump)
            self.assertIn("GENERALIZEDTIME", dump)
            self.assertGreater(c.not_after, ssl.cert_time_to_seconds("Jan  1 00:00:00 2050 GMT"))

    def test_serials(self):
        csr, count = make_csr(form="DER"), 240
        with Daemon.throwaway() as d:
            def some(_):
                c = daemon.UnixConnection(d.socket)
                got = [daemon.ask_over(c, "POST", "/api/v1/requests", csr, {"Content-Type": CSR_TYPE}) for _ in range(count // 8)]
                c.close()
                return got
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                answers = [a.json for part in pool.map(some, range(8)) for a in part]
        serials = [a["serial"] for a in answers]
        self.assertEqual(len(set(serials)), count)
        self.assertEqual(len({a["request_id"] for a in answers}), count)
        numbers = [int(s, 16) for s in serials]
        self.assertEqual({len(s) for s in serials}, {40})  # one length: 20 octets
        self.assertTrue(all(0 < n < 1 << 159 for n in numbers))
        self.assertTrue(all(int(s[:2], 16) > 0 for s in serials))
        # At least 128 bits that change: each of the low 128 is seen as 0 and as 1.
        for bit in range(128):
            self.assertEqual({n >> bit & 1 for n in numbers}, {0, 1}, bit)


if __name__ == "__main__":
    daemon.main()
