"""The OCSP responder of a throwaway daemon, judged by openssl, GnuTLS and, where it is installed, python3-cryptography."""
import base64
import http.client
import json
import os
import re
import shutil
import subprocess
import time
import unittest
import urllib.parse

import daemon
from daemon import Case, Certificate, make_csr, run, until

REQUEST, RESPONSE = "application/ocsp-request", "application/ocsp-response"
HOLD, KEY_COMPROMISE = 6, 1
OTHER_PYTHON = "/usr/bin/python3"  # the distribution's: its cryptography is no part of a python of one's own


def has_cryptography():
    return os.access(OTHER_PYTHON, os.X_OK) and subprocess.run(
        [OTHER_PYTHON, "-c", "import cryptography.x509.ocsp"], stderr=subprocess.DEVNULL).returncode == 0


CA_CNF = """
[ca]
default_ca = root_ca
[root_ca]
dir = %(home)s
database = $dir/index.txt
serial = $dir/serial
crlnumber = $dir/crlnumber
new_certs_dir = $dir
certificate = $dir/root.pem
private_key = $dir/root.key
default_md = sha256
default_days = 20
default_crl_days = 7
policy = any
crl_extensions = crl
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
[signer]
keyUsage = critical, digitalSignature
extendedKeyUsage = OCSPSigning
noCheck = ignored
authorityKeyIdentifier = keyid
[crl]
authorityKeyIdentifier = keyid
"""


class OcspCase(Case):
    def setUp(self):
        self.d = self.start()
        self.ca = self.d.info["ca_cert"]
        self.url = self.d.info["http"] + "/ocsp"
        # The delegated signer is asked for with the first answer, and is there a moment later.
        self.cert = self.issue("DNS:www.example.test")
        self.assertTrue(until(lambda: b"BEGIN CERTIFICATE" in self.openssl(self.cert, "-resp_text").stdout))

    def issue(self, name):
        answer = self.d.submit(make_csr((name,), "/CN=" + name[4:]))
        self.assertEqual(answer.status, 201, answer)
        cert = Certificate(answer.json["certificate"].encode())
        cert.path = self.file(cert.pem, "cert.pem")
        return cert

    def openssl(self, cert, *options, check=True):
        return run("openssl", "ocsp", "-issuer", self.ca, *options, "-cert", cert.path, "-url", self.url, "-CAfile",
                   self.ca, check=check)

    def status(self, cert, *options):
        done = self.openssl(cert, *options)
        self.assertIn(b"Response verify OK", done.stderr)
        return re.search(rb"cert.pem: (\w+)", done.stdout).group(1).decode(), done.stdout.decode()

    def request(self, *options):
        path = os.path.join(self.temp(), "request.der")
        run("openssl", "ocsp", *options, "-reqout", path)
        with open(path, "rb") as f:
            return f.read()

    def request_of(self, cert, *options):
        return self.request("-issuer", self.ca, *(options or ["-no_nonce"]), "-cert", cert.path)

    def post(self, der):
        return self.d.ask_http("POST", "/ocsp", der, {"Content-Type": REQUEST}, token=False)

    def revoke(self, cert, reason=0):
        answer = self.d.ask("POST", "/api/v1/certificates/%s/revoke" % cert.serial, json.dumps({"reason": reason}),
                            {"Content-Type": "application/json"})
        self.assertEqual(answer.status, 200, answer)
        return answer

    def release(self, cert):
        answer = self.d.ask("POST", "/api/v1/certificates/%s/release" % cert.serial, "{}",
                            {"Content-Type": "application/json"})
        self.assertEqual(answer.status, 200, answer)

    def said(self, der):
        """The status words that openssl reads in a response."""
        text = run("openssl", "ocsp", "-respin", self.file(der, "response.der"), "-noverify", "-text").stdout.decode()
        return re.findall(r"Cert Status: (\w+)", text)


class Standings(OcspCase):
    def test_good_with_either_hash_and_with_a_nonce_or_without(self):
        for options in ([], ["-no_nonce"], ["-sha256"], ["-sha256", "-no_nonce"], ["-sha1", "-no_nonce"]):
            status, text = self.status(self.cert, *options)
            self.assertEqual(status, "good", options)
            self.assertIn("Next Update", text)
        self.assertNotIn(b"WARNING: no nonce", self.openssl(self.cert).stderr)

    def test_held_released_and_revoked(self):
        self.assertEqual(self.status(self.cert, "-no_nonce")[0], "good")
        self.revoke(self.cert, HOLD)
        status, text = self.status(self.cert, "-no_nonce")
        self.assertEqual(status, "revoked")
        self.assertIn("Reason: certificateHold", text)
        self.release(self.cert)
        self.assertEqual(self.status(self.cert, "-no_nonce")[0], "good")
        self.revoke(self.cert, KEY_COMPROMISE)
        for options in (["-no_nonce"], []):
            status, text = self.status(self.cert, *options)
            self.assertEqual(status, "revoked")
            self.assertIn("Reason: keyCompromise", text)
            self.assertIn("Revocation Time:", text)

    def test_what_was_not_issued_is_unknown(self):
        der = self.request("-issuer", self.ca, "-no_nonce", "-serial", "0x4900112233445566778899")
        self.assertEqual(self.said(self.post(der).body), ["unknown"])

    def test_an_unknown_issuer_is_none_of_ours(self):
        key, other = os.path.join(self.temp(), "key"), os.path.join(self.temp(), "other.pem")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
            "-subj", "/CN=Other", "-out", other)
        der = self.request("-issuer", other, "-no_nonce", "-serial", "1")
        self.assertEqual(self.post(der).body, bytes([0x30, 3, 0x0A, 1, 6]))

    def test_several_in_one_request(self):
        second = self.issue("DNS:second.example.test")
        self.revoke(second, KEY_COMPROMISE)
        der = self.request("-issuer", self.ca, "-no_nonce", "-cert", self.cert.path, "-cert", second.path, "-cert",
                           self.cert.path, "-serial", "0x49aa")
        self.assertEqual(self.said(self.post(der).body), ["good", "revoked", "good", "unknown"])


class Time(OcspCase):
    def test_a_revocation_counts_from_its_acknowledgement(self):
        """The first question after the acknowledgement is answered with it; an answer takes about a millisecond."""
        host, port = self.d.info["http"].split("//")[1].split(":")
        c = http.client.HTTPConnection(host, int(port), timeout=60)
        took = []
        for i in range(10):
            cert = self.issue("DNS:n%d.example.test" % i)
            der = self.request_of(cert)
            for _ in range(2):
                self.assertEqual(self.said(daemon.ask_over(c, "POST", "/ocsp", der, {"Content-Type": REQUEST}).body),
                                 ["good"])
            self.revoke(cert, KEY_COMPROMISE)
            start = time.monotonic()
            answer = daemon.ask_over(c, "POST", "/ocsp", der, {"Content-Type": REQUEST})
            took.append(time.monotonic() - start)
            self.assertEqual(self.said(answer.body), ["revoked"])
        c.close()
        print("first answer after the acknowledgement: %.2f ms at best, %.2f ms in the middle"
              % (1000 * min(took), 1000 * sorted(took)[5]))


class Http(OcspCase):
    def test_get_has_the_same_answer_as_post_and_what_caches_want(self):
        der = self.request_of(self.cert)
        text = base64.b64encode(der).decode()
        posted = self.post(der)
        for path in (text, urllib.parse.quote(text, safe=""), urllib.parse.quote(text, safe="/+")):
            got = run("curl", "-sS", "--path-as-is", "-D", "-", "-o", os.path.join(self.temp(), "body"),
                      self.url + "/" + path).stdout.decode()
            self.assertIn("200 OK", got)
            answer = self.d.ask_http("GET", "/ocsp/" + path, token=False)
            self.assertEqual(answer.type, RESPONSE)
            self.assertEqual(answer.body, posted.body)
            left = int(re.match(r"max-age=(\d+), public, no-transform, must-revalidate$",
                                answer.headers["Cache-Control"]).group(1))
            self.assertTrue(3500 < left < 3600, left)
            for name in ("ETag", "Last-Modified", "Expires"):
                self.assertTrue(answer.headers[name], name)
        again = self.d.ask_http("GET", "/ocsp/" + text, headers={"If-None-Match": answer.headers["ETag"]}, token=False)
        self.assertEqual(again.status, 304)

    def test_an_answer_with_a_nonce_is_for_nobody_else(self):
        answer = self.post(self.request_of(self.cert, "-nonce"))
        self.assertEqual(self.said(answer.body), ["good"])
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertIsNone(answer.headers["ETag"])

    def test_every_listener_answers(self):
        der = self.request_of(self.cert)
        for ask in (self.d.ask, self.d.ask_tls, self.d.ask_http):
            self.assertEqual(self.said(ask("POST", "/ocsp", der, {"Content-Type": REQUEST}).body), ["good"])

    def test_what_is_no_request(self):
        self.assertEqual(self.post(b"no request").body, bytes([0x30, 3, 0x0A, 1, 1]))
        self.assertEqual(self.d.ask_http("GET", "/ocsp/AAAA", token=False).body, bytes([0x30, 3, 0x0A, 1, 1]))
        self.assert_problem(self.d.ask_http("POST", "/ocsp", b"x", {"Content-Type": "text/plain"}, token=False), 415)
        self.assert_problem(self.d.ask_http("GET", "/ocsp", token=False), 405)
        self.assert_problem(self.d.ask_http("POST", "/ocsp", bytes(16385), {"Content-Type": REQUEST}, token=False), 413)


class Signer(OcspCase):
    def test_is_made_for_this_alone(self):
        text = self.openssl(self.cert, "-resp_text", "-no_nonce").stdout.decode()
        self.assertIn("OCSP No Check", text)
        self.assertRegex(text, r"X509v3 Extended Key Usage: (critical)?\s*OCSP Signing\n")
        self.assertRegex(text, r"X509v3 Key Usage: critical\s*Digital Signature\n")


class Others(OcspCase):
    @unittest.skipUnless(shutil.which("ocsptool"), "GnuTLS's ocsptool is not installed")
    def test_gnutls_agrees(self):
        for nonce in ([], ["--nonce"]):
            done = run("ocsptool", "--ask=" + self.url, "--load-issuer", self.ca, "--load-cert", self.cert.path,
                       "--load-trust", self.ca, *nonce)
            self.assertIn(b"Certificate Status: good", done.stdout + done.stderr)
            self.assertIn(b"Verifying OCSP Response: Success", done.stdout + done.stderr)
        self.revoke(self.cert, KEY_COMPROMISE)
        done = run("ocsptool", "--ask=" + self.url, "--load-issuer", self.ca, "--load-cert", self.cert.path,
                   "--load-trust", self.ca, check=False)
        self.assertIn(b"Certificate Status: revoked", done.stdout + done.stderr)

    @unittest.skipUnless(has_cryptography(), "python3-cryptography is not installed")
    def test_cryptography_agrees(self):
        script = """
import sys
from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
issuer, cert = (x509.load_pem_x509_certificate(open(p, 'rb').read()) for p in sys.argv[1:3])
if len(sys.argv) == 3:
    q = ocsp.OCSPRequestBuilder().add_certificate(cert, issuer, hashes.SHA256()).build()
    from cryptography.hazmat.primitives.serialization import Encoding
    sys.stdout.buffer.write(q.public_bytes(Encoding.DER))
else:
    r = ocsp.load_der_ocsp_response(open(sys.argv[3], 'rb').read())
    signer = r.certificates[0]
    issuer.public_key().verify(signer.signature, signer.tbs_certificate_bytes, ec.ECDSA(signer.signature_hash_algorithm))
    signer.public_key().verify(r.signature, r.tbs_response_bytes, ec.ECDSA(r.signature_hash_algorithm))
    assert r.serial_number == cert.serial_number
    print(r.response_status.name, r.certificate_status.name, r.next_update > r.this_update)
"""
        der = run(OTHER_PYTHON, "-c", script, self.ca, self.cert.path).stdout
        answer = self.file(self.post(der).body, "answer.der")
        self.assertEqual(run(OTHER_PYTHON, "-c", script, self.ca, self.cert.path, answer).stdout,
                         b"SUCCESSFUL GOOD True\n")


class Foreign(Case):
    """A CA that openssl runs elsewhere: the daemon has its certificate, its CRL and a signer that it has certified."""

    def setUp(self):
        self.home = self.temp()
        self.ca, self.key = os.path.join(self.home, "root.pem"), os.path.join(self.home, "root.key")
        with open(self.at("ca.cnf"), "w") as f:
            f.write(CA_CNF % {"home": self.home})
        for name, text in (("index.txt", ""), ("serial", "1000"), ("crlnumber", "01")):
            with open(self.at(name), "w") as f:
                f.write(text)
        run("openssl", "req", "-x509", "-config", self.at("ca.cnf"), "-extensions", "root", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key, "-out", self.ca, "-days", "30", "-subj",
            "/CN=Offline Root")
        self.good, self.bad, self.signer = (self.certify(*who) for who in (
            ("good", "leaf"), ("bad", "leaf"), ("signer", "signer")))
        self.openssl_ca("-revoke", self.bad, "-crl_reason", "keyCompromise")
        self.crl()
        self.d = self.start()
        self.url = self.d.info["http"] + "/ocsp"
        self.foreign = os.path.join(self.d.dir, "foreign")
        os.mkdir(self.foreign)
        for source, name in ((self.ca, ".pem"), (self.at("root.crl"), ".crl"), (self.signer, ".ocsp.pem"),
                             (self.at("signer.key"), ".ocsp.key.pem")):
            self.put(source, name)
        self.assertTrue(until(lambda: self.status(self.good) == "good"), self.d.stderr())

    def at(self, name):
        return os.path.join(self.home, name)

    def put(self, source, name):
        """As it should be done: beside it first, and then in its place."""
        target = os.path.join(self.foreign, "Root" + name)
        shutil.copyfile(source, target + ".new")
        os.chmod(target + ".new", 0o600)
        os.rename(target + ".new", target)

    def openssl_ca(self, *options):
        run("openssl", "ca", "-config", self.at("ca.cnf"), "-batch", *options)

    def certify(self, name, extensions):
        key, csr, cert = (self.at(name + end) for end in (".key", ".csr", ".pem"))
        run("openssl", "req", "-config", self.at("ca.cnf"), "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", key, "-out", csr, "-subj", "/CN=" + name)
        self.openssl_ca("-in", csr, "-out", cert, "-notext", "-extensions", extensions)
        return cert

    def crl(self, *options):
        self.openssl_ca("-gencrl", "-out", self.at("root.crl"), *options)

    def openssl(self, cert, *options):
        return run("openssl", "ocsp", "-issuer", self.ca, *options, "-cert", cert, "-url", self.url, "-CAfile", self.ca,
                   check=False)

    def status(self, cert, *options):
        done = self.openssl(cert, *options)
        said = re.search(rb"%s: (\w+)" % os.path.basename(cert).encode(), done.stdout)
        if not said:
            return re.search(rb"Responder Error: (\w+)", done.stdout).group(1).decode()
        self.assertIn(b"Response verify OK", done.stderr)
        return said.group(1).decode()

    def test_the_crl_is_told(self):
        for options in ([], ["-no_nonce"], ["-sha256"], ["-sha256", "-no_nonce"]):
            self.assertEqual(self.status(self.good, *options), "good")
            self.assertEqual(self.status(self.bad, *options), "revoked")
        text = self.openssl(self.bad, "-resp_text").stdout.decode()
        self.assertIn("Reason: keyCompromise", text)
        crl = run("openssl", "crl", "-in", self.at("root.crl"), "-noout", "-lastupdate", "-nextupdate").stdout.decode()
        told = [re.search(w + r": (.*)", text).group(1) for w in ("This Update", "Next Update")]
        self.assertEqual(told, [line.split("=")[1] for line in crl.splitlines()])

    def test_a_new_crl_and_a_broken_one(self):
        self.assertEqual(self.status(self.good, "-no_nonce"), "good")
        self.openssl_ca("-revoke", self.good, "-crl_hold", "holdInstructionReject")
        self.crl()
        self.put(self.at("root.crl"), ".crl")
        self.assertTrue(until(lambda: self.status(self.good, "-no_nonce") == "revoked"))
        self.assertIn(b"Reason: certificateHold", self.openssl(self.good, "-no_nonce").stdout)
        self.put(self.at("ca.cnf"), ".crl")
        self.assertTrue(until(lambda: "ocsp.foreign.refused" in self.d.stderr()))
        self.assertEqual(self.status(self.good, "-no_nonce"), "revoked")
        os.remove(os.path.join(self.foreign, "Root.pem"))
        self.assertTrue(until(lambda: self.status(self.good) == "unauthorized"))

    def test_the_folder_is_an_option(self):
        other = self.start("--ocsp-foreign", self.foreign)
        self.url = other.info["http"] + "/ocsp"
        self.assertTrue(until(lambda: self.status(self.bad) == "revoked"))

    def test_a_crl_whose_time_is_over(self):
        self.crl("-crlsec", "4")
        self.put(self.at("root.crl"), ".crl")
        self.assertTrue(until(lambda: self.status(self.good, "-no_nonce") == "trylater"))

    @unittest.skipUnless(shutil.which("ocsptool"), "GnuTLS's ocsptool is not installed")
    def test_gnutls_agrees(self):
        for cert, word in ((self.good, b"good"), (self.bad, b"revoked")):
            done = run("ocsptool", "--ask=" + self.url, "--load-issuer", self.ca, "--load-cert", cert, "--load-trust",
                       self.ca, check=False)
            self.assertIn(b"Certificate Status: " + word, done.stdout + done.stderr)
            self.assertIn(b"Verifying OCSP Response: Success", done.stdout + done.stderr)


if __name__ == "__main__":
    daemon.main()
