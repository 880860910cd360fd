"""File systems of their own that fill up to the last block: the one that CRLs are published to, then the CA's. The last good CRL
stays in its place and is served, what was acknowledged is kept, and when there is room again the CRL comes by itself (P11)."""
import glob
import os
import sqlite3
import subprocess
import time

from crl_case import Publishing
from crls import ocsp
from daemon import main, until

SLOW = bool(os.environ.get("CHANCERY_SLOW"))


class Full(Publishing):
    def small(self, size):
        path = self.temp()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%s,mode=0755" % size, "none", path], stderr=subprocess.PIPE)
        if mounted.returncode:
            self.skipTest("no file system can be mounted here: " + mounted.stderr.decode().strip())
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=True)
        return path

    def fill(self, path):
        ballast = os.path.join(path, "ballast")
        with open(ballast, "ab", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass
        return ballast


class PublicationPath(Full):
    def folders(self):
        return self.temp(), self.small("256k")

    def test_full_and_free_again(self):
        for _ in range(5 if SLOW else 2):
            before = self.served()
            ballast = self.fill(self.out)
            for _ in range(3):
                self.revoke(self.issue())
            # It is made and served: only its copy has no room.
            self.assertTrue(until(lambda: self.served().entries == self.revoked, 5))
            self.assertEqual(self.at_path().der, before.der)
            self.assertTrue(until(lambda: self.ready().json.get("degraded"), 10), self.ready())
            self.check_degraded("No space left", self.out)
            a = self.publish()
            self.assertGreaterEqual(a.status, 400, a)
            self.assertGreaterEqual(a.json["made"], 1)
            time.sleep(1.5)  # tried again in vain
            self.assertEqual(self.at_path().der, before.der)
            os.unlink(ballast)
            self.check_heals()
            self.no_strays()

    def test_killed_while_full(self):
        ballast = self.fill(self.out)
        self.revoke(self.issue())
        self.d.close()
        self.d.proc.stdout.close()
        self.d = self.begin()
        self.assertTrue(until(lambda: self.served().entries == self.revoked, 10), self.d.stderr())
        self.assertNotEqual(self.at_path().entries, self.revoked)
        os.unlink(ballast)
        self.check_heals()


class FolderOfTheCa(Full):
    def folders(self):
        return self.small("40m"), self.temp()  # more than the log of the database can take

    def revoke_until_it_fails(self, serials):
        for n, serial in enumerate(serials):
            a = self.try_to_revoke(serial)
            if a.status != 200:
                self.assert_problem(a, 503)
                return serials[n:]
            self.revoked[serial] = 1
        self.fail("%d were revoked all the same" % len(serials))

    def check_full(self, rest):
        """Nothing is issued nor revoked; what is known is told."""
        self.assertEqual(self.ready().status, 503)
        self.assertEqual(self.d.ask("GET", "/healthz").status, 200)
        self.assert_problem(self.d.submit(self.csr), 503)
        self.assert_problem(self.try_to_revoke(rest[-1]), 503)
        for _ in range(5):
            self.assertGreaterEqual(self.publish().status, 500)
        self.assertLessEqual(self.served().entries.items(), self.revoked.items())
        self.at_path()
        some = list(self.revoked)[-32:]
        self.assertEqual(set(ocsp(self.d, self, self.ca_pem, some).values()), {("revoked", 1)})
        self.assertEqual(set(ocsp(self.d, self, self.ca_pem, rest[-16:]).values()), {("good", 0)})

    def check_row(self, serial):
        """Whose answer was an error: revoked or not, and the CRL says the same."""
        a = self.d.ask("GET", "/api/v1/certificates/" + serial)
        if a.json["disposition"] == "revoked":
            self.revoked[serial] = a.json["revoked_reason"]

    def finish(self):
        self.no_strays()
        self.d.stop()
        (name,) = glob.glob(self.ca_dir + "/*.db")
        db = sqlite3.connect(name)
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        self.assertEqual(db.execute("SELECT (SELECT count(*) FROM intent)+(SELECT count(*) FROM outbox)").fetchone(), (0,))
        self.assertEqual(db.execute("SELECT count(*) FROM revocation").fetchone(), (len(self.revoked),))
        db.close()

    def test_full_and_free_again(self):
        serials = [self.issue() for _ in range(300)]
        for _ in range(2):
            for _ in range(10):
                self.revoke(serials.pop())
            ballast = self.fill(self.path)
            serials = self.revoke_until_it_fails(serials)
            self.check_full(serials)
            time.sleep(1.5)
            self.check_full(serials)
            os.unlink(ballast)
            self.assertTrue(until(lambda: self.ready().status == 200, 30), self.d.stderr())
            self.check_row(serials.pop(0))
            self.check_heals()
            self.revoke(serials.pop())
            self.check_heals()
        self.finish()

    def test_killed_while_full(self):
        serials = [self.issue() for _ in range(300)]
        ballast = self.fill(self.path)
        serials = self.revoke_until_it_fails(serials)
        self.d.close()
        self.d.proc.stdout.close()
        os.unlink(ballast)
        self.d = self.begin()
        self.check_row(serials.pop(0))
        self.check_heals()
        self.finish()


if __name__ == "__main__":
    main()
