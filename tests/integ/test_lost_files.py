"""Files of a CA that are lost, one by one: no daemon issues by an older certificate instead, what is lost is named with what to do
about it, and nothing that may be the last of its kind is removed."""
import fcntl
import glob
import os
import shutil
import sqlite3
import subprocess

from daemon import CHANCERY, CHANCERYD, Case, Daemon, main, make_ca, make_csr, run


class Lost(Case):
    def setUp(self):
        self.path = self.temp()
        self.ca = make_ca(self.path, "--issue")
        self.d = self.up()
        for _ in range(2):
            self.assertEqual(self.d.ask("POST", "/api/v1/ca/renew", b'{"new_key":true}', {"Content-Type": "application/json"}).status, 200)
        self.issuer = self.issue()
        self.d.stop()

    def up(self):
        d = Daemon.of_dir(self.path)
        self.addCleanup(d.close)
        return d

    def issue(self):
        a = self.d.ask("POST", "/api/v1/requests", make_csr(["DNS:www.example.test"]), {"Content-Type": "application/pkcs10"})
        self.assertEqual(a.status, 201, a)
        return run("openssl", "x509", "-noout", "-ext", "authorityKeyIdentifier", data=a.json["certificate"].encode()).stdout

    def refused(self, *words, argv=None):
        p = subprocess.run(argv or [CHANCERYD, "--dir", self.path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        self.assertNotEqual(p.returncode, 0)
        for w in words:
            self.assertIn(w, p.stdout.decode())

    def test_each_is_named(self):
        files = sorted(f for f in os.listdir(self.ca) if f.endswith(".pem"))
        self.assertEqual(files, ["ca-1.pem", "ca-2.pem", "ca.pem", "key-1.pem", "key-2.pem", "key.pem"])
        for f in files:
            os.rename(os.path.join(self.ca, f), os.path.join(self.path, f))
            if f == "ca.pem":
                self.refused("there is a key, but no certificate beside it: put ca.pem back", "ca.left_out")
            else:
                self.refused(os.path.join(self.ca, f), "it is lost", "put it back")
            for kept in files:
                self.assertEqual(os.path.exists(os.path.join(self.ca, kept)), kept != f)
            os.rename(os.path.join(self.path, f), os.path.join(self.ca, f))
        self.d = self.up()
        self.assertEqual(self.issue(), self.issuer)
        self.d.stop()

    def test_nothing_is_signed_for_another(self):
        os.rename(self.ca + "/ca-2.pem", self.path + "/ca-2.pem")
        self.refused("ca-2.pem: it is lost", "this CA has 3 certificates",
                     argv=[CHANCERY, "ca", "init", "--dir", self.path, "--name", "Sub", "--parent", "Test CA"])
        self.assertEqual(len(glob.glob(self.path + "/ca/*/ca.pem")), 1)

    def test_no_database_is_made_in_its_place(self):
        os.rename(self.ca + "/ca.db", self.path + "/ca.db")
        for empty in (False, True):
            if empty:
                open(self.ca + "/ca.db", "w").close()
            self.refused(self.ca + "/ca.db: it is lost or empty", "put it back from a backup")
            self.refused("it is lost or empty", argv=[CHANCERY, "ca", "init", "--dir", self.path, "--name", "Sub", "--parent", "Test CA"])
        os.rename(self.path + "/ca.db", self.ca + "/ca.db")
        self.d = self.up()
        self.assertEqual(self.issue(), self.issuer)
        self.d.stop()

    def test_no_ca_is_made_over_it(self):
        make = [CHANCERY, "ca", "init", "--dir", self.path, "--name", "Test CA"]
        self.refused("there is a CA already", argv=make)
        for lost in (("ca.pem",), ("ca.pem", "key.pem"), ("ca.pem", "ca.db")):
            before = {f: os.stat(os.path.join(self.ca, f)).st_ino for f in os.listdir(self.ca)}
            for f in lost:
                os.rename(os.path.join(self.ca, f), os.path.join(self.path, f))
            self.refused("no ca.pem: put that back if it was lost; remove the folder if", argv=make)
            for f in lost:
                os.rename(os.path.join(self.path, f), os.path.join(self.ca, f))
            self.assertEqual({f: os.stat(os.path.join(self.ca, f)).st_ino for f in os.listdir(self.ca)}, before)

    def test_what_failed_can_be_made_again(self):
        make = [CHANCERY, "ca", "init", "--dir", self.path, "--name", "Sub"]
        self.refused("nobody", argv=make + ["--parent", self.path + "/nobody"])
        run(*make, "--parent", "Test CA")
        self.assertEqual(len(glob.glob(self.path + "/ca/*/ca.pem")), 2)

    def test_one_of_many_makes_it(self):
        make = [CHANCERY, "ca", "init", "--dir", self.path, "--name", "Wanted"]
        folder = self.path + "/ca/Wanted"
        for _ in range(5):
            shutil.rmtree(folder, ignore_errors=True)
            at_once = [subprocess.Popen(make, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(4)]
            said = [(p.communicate(timeout=60)[1].decode(), p.returncode) for p in at_once]
            self.assertEqual([r for _, r in said].count(0), 1, said)
            self.assertEqual(sorted(f for f in os.listdir(folder) if "-" not in f), ["ca.db", "ca.lock", "ca.pem", "key.pem"], said)
            self.assertEqual(run("openssl", "x509", "-in", folder + "/ca.pem", "-noout", "-pubkey").stdout,
                             run("openssl", "pkey", "-in", folder + "/key.pem", "-pubout").stdout)

    def test_who_comes_meanwhile_is_told(self):
        os.makedirs(self.path + "/ca/Wanted")
        fd = os.open(self.path + "/ca/Wanted", os.O_RDONLY)
        self.addCleanup(os.close, fd)
        fcntl.flock(fd, fcntl.LOCK_EX)
        self.refused("another process is making a CA there", argv=[CHANCERY, "ca", "init", "--dir", self.path, "--name", "Wanted"])
        self.assertEqual(os.listdir(self.path + "/ca/Wanted"), [])

    def test_another_ca_goes_on(self):
        run(CHANCERY, "ca", "init", "--dir", self.path, "--name", "Another CA", "--issue")
        os.rename(self.ca + "/ca.pem", self.path + "/ca.pem")
        self.d = self.up()
        self.issue()
        self.assertIn("ca.left_out", self.d.stop())

    def test_databases_from_before_learn_it(self):
        with sqlite3.connect(self.ca + "/ca.db") as db:
            self.assertEqual(db.execute("DELETE FROM meta WHERE path='ca/certificates'").rowcount, 1)
        db.close()
        self.up().stop()
        os.remove(self.ca + "/ca-2.pem")
        self.refused("ca-2.pem: it is lost")

    def test_a_database_that_is_older(self):
        """Put back from before a renewal: the files are what they are."""
        with sqlite3.connect(self.ca + "/ca.db") as db:
            db.execute("UPDATE meta SET value=X'32' WHERE path='ca/certificates'")
        db.close()
        self.d = self.up()
        self.assertEqual(self.issue(), self.issuer)
        self.d.stop()
        shutil.move(self.ca + "/ca-2.pem", self.path)
        self.refused("this CA has 3 certificates")


if __name__ == "__main__":
    main()
