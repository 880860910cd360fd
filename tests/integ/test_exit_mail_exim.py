"""exit-mail and Exim: a mail server as it stands in a company, with TLS, a password and mailboxes."""
import os
import re
import unittest

import exim
from daemon import main, until
from mailserver import HOLDER, PASSWORD, USER, Mailing


@unittest.skipUnless(exim.program(), "there is no Exim: ./dev test fetches it")
class Company(Mailing):
    def setUp(self):
        super().setUp()
        self.exim = exim.Exim()
        self.addCleanup(self.exim.close)

    def secure(self, **settings):
        return dict({"TLS": "starttls", "CAFile": self.exim.path("mail.pem"), "User": USER.decode(), "PasswordFile": self.password(),
                     "From": "\u00dcbersee CA, Test <ca@example.test>"}, **settings)

    def test_mail_arrives(self):
        d = self.begin(self.exim, **self.secure(To="%EMail, gone@example.test, pki@example.test", Issued__TitleFormat="\u00c4rger \u4f60\u597d %1 " * 4,
                                                Issued__TitleArg=["CommonName"]))
        issued = self.issue()
        mails = self.exim.wait(2)
        self.quiet()
        self.assertEqual({m["Envelope-to"] for m in mails}, {HOLDER["names"][0][6:], "pki@example.test"})
        for m in mails:
            self.assertEqual(m["Subject"], ("\u00c4rger \u4f60\u597d Holder " * 4))
            self.assertEqual(m["From"].addresses[0].display_name, "\u00dcbersee CA, Test")
            self.assertIn("Serial:      %s\n" % issued["serial"], m.body)
        self.assertIn("gone@example.test: given up", d.stderr())
        self.assertRegex(self.exim.log(), r"<= ca@example.test .*P=esmtpsa X=TLS1\.3.* A=plain:ca")
        self.assertIn("id=" + mails[0]["Message-ID"][1:-1], self.exim.log())

    def test_busy_and_away(self):
        d = self.begin(self.exim, **self.secure(To="pki@example.test"))
        self.exim.write("busy", "")
        first = self.issue()["serial"]
        self.assertTrue(until(lambda: "4.2.0 not now" in d.stderr(), 60), d.stderr())
        self.exim.down()
        os.remove(self.exim.path("exim.pid"))
        second = self.issue()["serial"]
        self.assertTrue(until(lambda: d.stderr().count("not sent yet") >= 3, 60), d.stderr())
        os.remove(self.exim.path("busy"))
        self.exim.up()
        mails = self.exim.wait(2)
        self.quiet()
        self.assertEqual({re.search(r"Serial: +(\S+)", m.body).group(1) for m in mails}, {first, second})

    def test_a_stranger_does_not_relay(self):
        d = self.begin(self.exim, **self.secure(To="pki@example.test", SMTPAuthenticate=0))
        self.issue()
        self.assertTrue(until(lambda: re.search("not sent yet.* 550 5.7.1 relaying denied", d.stderr()), 60), d.stderr())
        self.assertNotIn(PASSWORD.decode(), d.stderr())


if __name__ == "__main__":
    main()
