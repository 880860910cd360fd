"""CRLs that cannot be written: each open, write, sync, rename and close of a CRL file fails, once, for each reason, and then all of
them. The last good CRL stays where it is and is served, revoking and issuing go on, the CA says what is wrong, and what was revoked
stands on the next CRL, which comes without a command."""
import errno
import os

import disturb
from crl_case import NAME, Publishing
from daemon import main, until
from disturb import ALWAYS, FAIL, SHORT, Orders

SLOW = bool(os.environ.get("CHANCERY_SLOW"))
REASONS = {"file open": (errno.ENOSPC, errno.EROFS, errno.EMFILE), "file write": (errno.ENOSPC, errno.EIO, errno.EDQUOT),
           "file sync": (errno.EIO, errno.ENOSPC), "file rename": (errno.ENOSPC, errno.EIO),
           "file close": (errno.EIO, errno.EDQUOT)}
DELTA = "Test CA+.crl"


class CrlFiles(Publishing):
    def setUp(self):
        self.orders = Orders(self.temp())
        self.env = dict(self.orders.env, CHANCERY_DISTURB_PATH=".crl.")
        super().setUp()
        self.strikes = 0

    def passes(self):
        for kind in REASONS:
            self.orders.set(kind, ALWAYS, 0, 0, FAIL)
        self.revoke(self.issue())
        self.check_heals()
        return {kind: self.orders.passes(kind) for kind in REASONS}

    def each(self):
        for kind, passes in self.passes().items():
            self.assertGreater(passes, 0, kind)
            for n in range(1, passes + 1) if SLOW else sorted({1, passes // 2 + 1, passes}):
                for error in REASONS[kind] if SLOW else REASONS[kind][:1]:
                    self.strikes += 1
                    yield kind, n, error

    def check_never_older(self, before):
        for name, old in before.items():
            for now in (self.served(name), self.at_path(name)):
                self.assertGreaterEqual(now.number, old.number)
                if now.number == old.number:
                    self.assertEqual(now.der, old.der)

    def both(self):
        return {name: self.served(name) for name in (NAME, DELTA)}

    def test_once(self):
        """Found by the publisher itself, or by who orders a CRL."""
        for kind, n, error in self.each():
            what = "%s %d %s" % (kind, n, errno.errorcode[error])
            by_order = n % 2 == 0
            before = self.both()
            serial = self.issue()
            self.orders.set(kind, n, n, error, FAIL)
            if by_order:
                a = self.publish()
                done = self.orders.lift(kind)
                if done:
                    self.assertGreaterEqual(a.status, 500, (what, a))
                    self.assertIn(os.strerror(error), a.body.decode())
                self.check_never_older(before)
                self.revoke(serial)
            else:
                self.revoke(serial)
                self.assertTrue(until(lambda: self.orders.fields(kind)[5] > 0, 10), what)
                self.check_never_older(before)
                self.assertTrue(until(lambda: os.strerror(error) in self.ready().body.decode(), 1, 0.005), (what, self.ready()))
                self.orders.lift(kind)
            self.check_heals()
            self.no_strays()
            self.check_never_older(before)
        print("%d strikes of %d faults: each healed by itself" % (self.strikes, self.orders.total), flush=True)

    def test_until_it_is_mended(self):
        for kind, reasons in REASONS.items():
            before = self.both()
            with self.orders.during(kind, 1, ALWAYS, reasons[0]):
                for _ in range(3):
                    self.revoke(self.issue())
                self.assertTrue(until(lambda: os.strerror(reasons[0]) in self.ready().body.decode()), self.ready())
                a = self.publish()
                self.assertGreaterEqual(a.status, 500, a)
                self.check_degraded(os.strerror(reasons[0]))
                self.check_never_older(before)
            self.check_heals()
            self.no_strays()

    def test_less_is_written_than_was_asked(self):
        with self.orders.during("file write", 1, ALWAYS, 0, SHORT):
            self.revoke(self.issue())
            self.check_heals()

    def test_one_dead_place_holds_up_no_other(self):
        """However long it has been dead."""
        gone = os.path.join(self.temp(), "gone")
        self.d.set("CRLPublicationURLs", ["65:%s/%%3%%8%%9.crl" % gone, "65:%s/%%3%%8%%9.crl" % self.out])
        for _ in range(5):
            self.assertGreaterEqual(self.publish().status, 400)
        for _ in range(2):
            self.revoke(self.issue())
            self.assertTrue(until(self.is_told_everywhere, 5, 0.05), (self.ready(), self.d.stderr()))
            self.check_degraded("gone")
        os.mkdir(gone)
        self.assertEqual(self.publish().status, 200)
        self.check_heals()
        with open(os.path.join(gone, NAME), "rb") as f:
            self.assertEqual(f.read(), self.served().der)


if __name__ == "__main__":
    main()
