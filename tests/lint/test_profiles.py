"""What the CA makes of itself and by its ready profiles passes lint without a finding, once it says
where its CRLs are."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integ"))
import daemon  # noqa: E402
from daemon import BIN, Case, Certificate, Daemon, make_ca, make_csr  # noqa: E402

LINT = os.path.join(BIN, "lint-file")
HOST = ("DNS:www.example.test", "DNS:*.example.test", "IP:10.1.2.3")
SUBJECT = "/C=DE/ST=Hessen/L=Kassel/O=Example/OU=Unit/CN="
REQUESTS = {
    "tls-server": (HOST, SUBJECT + "www.example.test"),
    "tls-short-lived": (HOST, SUBJECT + "www.example.test"),
    "tls-peer": (HOST, SUBJECT + "www.example.test"),
    "tls-client": (("email:someone@example.test",), SUBJECT + "someone"),
    "email": (("email:someone@example.test",), SUBJECT + "someone"),
    "code-signing": ((), SUBJECT + "Example code"),
    "sub-ca": ((), SUBJECT + "Example issuing CA"),
    "ocsp-signing": ((), SUBJECT + "Example OCSP"),
}
URLS = (("CRLPublicationURLs", "2:http://pki.example.test/crl/%3%8%9.crl"),
        ("CACertPublicationURLs", "2:http://pki.example.test/aia/%3%4.crt"),
        ("OCSPURLs", "http://pki.example.test/ocsp"))


class Profiles(Case):
    def lint(self, certificate, *ca):
        files = [self.file(c.der) for c in (certificate,) + ca]
        return subprocess.run([LINT] + files, capture_output=True, text=True)

    def issue(self, d, profile, kind):
        names, subject = REQUESTS[profile]
        answer = d.submit(make_csr(names=names, subject=subject, kind=kind), query="?profile=" + profile)
        if answer.status == 202:
            answer = d.ask("POST", "/api/v1/requests/%d/resubmit" % answer.json["request_id"])
        self.assertEqual(answer.status, 201, answer)
        return Certificate(answer.json["certificate"])

    def begin(self, *options, urls=URLS):
        path = self.temp()
        folder = make_ca(path, *options)
        d = Daemon.of_dir(path)
        self.addCleanup(d.close)
        self.addCleanup(d.stop)
        d.set("PublicationCheck", "no")
        for setting, url in urls:
            d.set(setting, [url])
        with open(os.path.join(folder, "ca.pem")) as f:
            return d, Certificate(f.read())

    def test_no_finding(self):
        for ca_key in ("p256", "rsa3072", "ed25519"):
            d, ca = self.begin("--key", ca_key)
            found = self.lint(ca)
            self.assertEqual((found.returncode, found.stdout), (0, ""), found.stderr)
            for profile in REQUESTS:
                for kind in ("p256", "rsa3072"):
                    with self.subTest(ca=ca_key, profile=profile, key=kind):
                        found = self.lint(self.issue(d, profile, kind), ca)
                        self.assertEqual((found.returncode, found.stdout), (0, ""), found.stderr)

    def test_a_ca_without_urls_is_told_of_it(self):
        d, ca = self.begin(urls=())
        for profile, told in (("tls-server", True), ("sub-ca", True), ("tls-short-lived", False),
                              ("tls-client", False), ("ocsp-signing", False)):
            found = self.lint(self.issue(d, profile, "p256"), ca)
            self.assertEqual([line.split(":")[0] for line in found.stdout.splitlines()],
                             ["status-told"] if told else [], profile + found.stderr)


if __name__ == "__main__":
    daemon.main()
