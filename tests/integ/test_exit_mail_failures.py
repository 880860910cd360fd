"""exit-mail: servers that are away or refuse, and settings that are wrong."""
import re

from daemon import main, until
from mailserver import MINE, PASSWORD, USER, Mailing


class Failures(Mailing):
    def test_one_refused_and_others_not(self):
        server = self.server()
        server.refuse = {"gone": "550 5.1.1 no such mailbox"}
        d = self.begin(server, To="gone@example.test, here@example.test")
        self.issue()
        (m,) = server.wait(1)
        self.assertEqual(m.to, ["here@example.test"])
        self.quiet()
        self.assertTrue(until(lambda: "550 5.1.1 no such mailbox" in d.stderr()), d.stderr())
        server.nothing_more(1)

    def test_server_down_and_up(self):
        """Nothing is lost, and of what two get, each gets it once."""
        server = self.server()
        d = self.begin(server, To="here@example.test, slow@example.test")
        server.down()
        first = self.issue()
        self.assertTrue(until(lambda: "not sent yet" in d.stderr()), d.stderr())
        server.refuse = {"slow": "451 4.2.0 come back later"}
        server.up()
        (m,) = server.wait(1)
        self.assertEqual(m.to, ["here@example.test"])
        self.assertIn(first["serial"], m.body)
        self.assertTrue(until(lambda: "451 4.2.0 come back later" in d.stderr()), d.stderr())
        second = self.issue()
        server.wait(2)  # one that waits does not keep the others
        server.refuse = {}
        mails = server.wait(4)
        self.quiet()
        server.nothing_more(4)
        for to in ("here", "slow"):
            self.assertEqual({re.search(r"Serial: +(\S+)", m.body).group(1) for m in mails if m.to == [to + "@example.test"]},
                             {first["serial"], second["serial"]})
        self.assertEqual(len({m["Message-ID"] for m in mails}), 2)

    def test_a_wrong_password_is_set_right(self):
        server = self.server(auth=True)
        d = self.begin(server, To="here@example.test", User=USER.decode(), PasswordFile=self.password(b"wrong"))
        self.issue()
        owed = lambda: d.ask("GET", "/api/v1/modules/exit-mail/events").json["events"]
        self.assertTrue(until(lambda: owed()[0]["attempts"] > 1), d.stderr())
        (event,) = owed()
        self.assertTrue(until(lambda: "not sent yet" in d.stderr()), d.stderr())
        self.assertEqual(server.mails, [])
        self.assertIn("535 5.7.8", d.stderr())
        self.assertNotIn("wrong", d.stderr())  # though the server says it again
        d.set(MINE + "PasswordFile", self.password())
        (m,) = server.wait(1)
        self.assertEqual(m.user, USER)
        self.assertIn(event["event_id"].split("@")[0], m["Message-ID"])  # it is the same event
        self.quiet()

    def test_settings_that_are_wrong_are_told(self):
        server = self.server()
        self.begin(server, loaded=False, To="nobody")
        self.assertIn("exit-mail: setting To has something that is no mail address", self.d.stderr())

    def test_the_password_is_nobodys_business(self):
        server = self.server()
        self.begin(server, loaded=False, User="ca", PasswordFile=self.password(mode=0o644))
        self.assertIn("exit-mail: setting PasswordFile", self.d.stderr())
        self.assertNotIn(PASSWORD.decode(), self.d.stderr())


if __name__ == "__main__":
    main()
