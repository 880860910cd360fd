"""What the CA makes of itself and by its ready profiles passes lint without a finding."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integ"))
import daemon  # noqa: E402
from daemon import BIN, Case, Certificate, Daemon, make_csr  # noqa: E402

LINT = os.path.join(BIN, "lint-file")
HOST = ("DNS:www.example.test", "DNS:*.example.test", "IP:10.1.2.3")
SUBJECT = "/C=DE/ST=Hessen/L=Kassel/O=Example/OU=Unit/CN="
REQUESTS = {
    "tls-server": (HOST, SUBJECT + "www.example.test"),
    "tls-peer": (HOST, SUBJECT + "www.example.test"),
    "tls-client": (("email:someone@example.test",), SUBJECT + "someone"),
    "email": (("email:someone@example.test",), SUBJECT + "someone"),
    "code-signing": ((), SUBJECT + "Example code"),
    "sub-ca": ((), SUBJECT + "Example issuing CA"),
    "ocsp-signing": ((), SUBJECT + "Example OCSP"),
}


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

    def test_no_finding(self):
        for ca_key in ("p256", "rsa3072", "ed25519"):
            with Daemon.throwaway("--key", ca_key) as d:
                with open(d.info["ca_cert"]) as f:
                    ca = Certificate(f.read())
                found = self.lint(ca)
                self.assertEqual((found.returncode, found.stdout), (0, ""), found.stderr)
                for profile in REQUESTS:
                    for kind in ("p256", "rsa3072"):
                        with self.subTest(ca=ca_key, profile=profile, key=kind):
                            found = self.lint(self.issue(d, profile, kind), ca)
                            self.assertEqual((found.returncode, found.stdout), (0, ""), found.stderr)


if __name__ == "__main__":
    daemon.main()
