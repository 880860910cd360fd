"""exit-mail: reminders, across restarts."""
import os
import time

from daemon import Certificate, main, until
from mailserver import MINE, Mailing


class Reminders(Mailing):
    def test_once_across_restarts(self):
        server = self.server()
        state = os.path.join(self.temp(), "state")
        d = self.begin(server, EventFilter=0, StateDirectory=state)
        c = Certificate(self.issue()["certificate"])
        gone = Certificate(self.issue()["certificate"])
        self.revoke(gone.serial)
        self.quiet()
        server.nothing_more(0, 0.3)
        left = c.not_after - time.time()
        d.set(MINE + "ReminderDays", ["%ds" % (left + 1000), "%ds" % (left + 500), "1"])
        (m,) = server.wait(1)
        self.assertEqual((m.event, m.to), ("Expiring", ["holder@example.test"]))
        self.assertIn("Serial:      %s\n" % c.serial, m.body)
        self.assertIn("Holder ends in 36", m["Subject"].replace("\n", ""))
        d.stop()
        d = self.again()
        server.nothing_more(1)
        d.set(MINE + "ReminderDays", ["%ds" % (c.not_after - time.time() - 2)])
        server.wait(2)
        d.stop()
        self.again()
        server.nothing_more(2)
        self.assertEqual(os.stat(state).st_mode & 0o777, 0o700)

    def test_server_down_when_it_is_time(self):
        server = self.server()
        d = self.begin(server, EventFilter=0, StateDirectory=self.temp())
        c = Certificate(self.issue()["certificate"])
        self.quiet()
        server.down()
        d.set(MINE + "ReminderDays", ["%ds" % (c.not_after - time.time() + 100)])
        self.assertTrue(until(lambda: "not sent yet" in d.stderr(), 60))
        server.up()
        server.wait(1)
        server.nothing_more(1)


if __name__ == "__main__":
    main()
