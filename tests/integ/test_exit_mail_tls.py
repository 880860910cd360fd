"""exit-mail: whom it trusts, and to whom it shows its password."""
import os
import re

from daemon import main, until
from mailserver import PASSWORD, USER, Mailing, certificate


class Tls(Mailing):
    def setUp(self):
        super().setUp()
        folder = self.temp()
        self.good = certificate(os.path.join(folder, "good.pem"), "DNS:localhost")
        self.other = certificate(os.path.join(folder, "other.pem"), "DNS:localhost")
        self.misnamed = certificate(os.path.join(folder, "misnamed.pem"), "DNS:mail.example.test")

    def secure(self, **settings):
        return dict({"To": "pki@example.test", "TLS": "starttls", "CAFile": self.good, "User": USER.decode(), "PasswordFile": self.password()}, **settings)

    def test_starttls_and_password(self):
        server = self.server(self.good, auth=True)
        self.begin(server, **self.secure())
        self.issue()
        (m,) = server.wait(1)
        self.assertEqual((m.user, m.tls), (USER, True))

    def test_implicit(self):
        server = self.server(self.good, implicit=True)
        self.begin(server, TLS="implicit", To="pki@example.test", CAFile=self.good)
        self.issue()
        self.assertTrue(server.wait(1)[0].tls)

    def refused(self, server, word, **settings):
        d = self.begin(server, **settings)
        self.issue()
        self.assertTrue(until(lambda: re.search("not sent yet.*" + word, d.stderr()), 60), d.stderr())
        self.assertEqual(server.mails, [])
        self.assertNotIn(PASSWORD.decode(), d.stderr())

    def test_certificate_of_nobody_we_trust(self):
        server = self.server(self.other, auth=True)
        self.refused(server, "certificate", **self.secure())
        self.assertEqual(server.seen, [])

    def test_certificate_of_another_name(self):
        server = self.server(self.misnamed, auth=True)
        self.refused(server, "connection", **self.secure(CAFile=self.misnamed))
        self.assertEqual(server.seen, [])

    def test_server_without_tls(self):
        server = self.server(auth=True)
        self.refused(server, "STARTTLS", **self.secure())
        self.assertEqual(server.seen, [])

    def test_wrong_password(self):
        server = self.server(self.good, auth=True)
        self.refused(server, "connection", **self.secure(PasswordFile=self.password(b"wrong horse")))
        self.assertEqual({ok for _, ok in server.seen}, {False})


if __name__ == "__main__":
    main()
