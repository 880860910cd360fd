"""Files that cannot be written: each open, write, sync, rename and close of what is saved whole fails, once, for each reason. No
file is torn, what was there stays, no temporary file is left, and the message names the file and the reason."""
import errno
import glob
import os
import re

import disturb
from disturb import ALWAYS, FAIL, SHORT, Orders
from daemon import CHANCERY, CHANCERYD, Case, Certificate, Daemon, main, make_ca, make_csr, run, until

SLOW = bool(os.environ.get("CHANCERY_SLOW"))
REASONS = {"file open": (errno.ENOSPC, errno.EROFS, errno.EMFILE), "file write": (errno.ENOSPC, errno.EIO, errno.EDQUOT),
           "file sync": (errno.EIO, errno.ENOSPC), "file rename": (errno.ENOSPC, errno.EIO), "file close": (errno.EIO, errno.EDQUOT)}


def below(path):
    return sorted(os.path.join(d, f) for d, _, files in os.walk(path) for f in files)


class Files(Case):
    def setUp(self):
        self.orders = Orders(self.temp())
        self.strikes = 0

    def tearDown(self):
        print("%d strikes of %d faults" % (self.strikes, self.orders.total), flush=True)

    def each(self, clean):
        """Every call that a clean run makes; in the slow lane for every reason."""
        for kind, reasons in REASONS.items():
            self.orders.set(kind, ALWAYS, 0, 0, FAIL)
        clean()
        passes = {kind: self.orders.passes(kind) for kind in REASONS}
        for kind, reasons in REASONS.items():
            self.assertGreater(passes[kind], 0, kind)
            for n in range(1, passes[kind] + 1):
                for error in reasons if SLOW else reasons[:2] if n == 1 else reasons[:1]:
                    self.strikes += 1
                    yield kind, n, error

    def no_temporary(self, folder):
        self.assertEqual([f for f in below(folder) if f.endswith(".tmp") or "/.publish-" in f], [])

    def explained(self, said, folder, error):
        self.assertIn(folder, said)
        self.assertIn(os.strerror(error), said)
        self.assertLessEqual(said.count("\n"), 1, said)

    def test_a_new_ca(self):
        def init(path):
            return disturb.run(self.orders, CHANCERY, "ca", "init", "--dir", path, "--name", "Test CA")

        def clean():
            self.assertEqual(init(self.temp()).returncode, 0)
        for kind, n, error in self.each(clean):
            path = self.temp()
            with self.orders.during(kind, n, n, error):
                done = init(path)
            self.assertEqual(done.returncode, 1, done)
            self.explained(done.stderr.decode(), path, error)
            self.no_temporary(path)
            for key in glob.glob(path + "/ca/*/key.pem"):
                run("openssl", "pkey", "-in", key, "-noout")
            if n > 1 and not SLOW:
                continue
            # Its certificate comes last: what has one is whole, and what has none is taken for no CA and does not stand in
            # the way of a second attempt.
            if not glob.glob(path + "/ca/*/ca.pem"):
                d = Daemon.of_dir(path, wait=False)
                self.addCleanup(d.close)
                self.assertIn(d.wait(), (3, 4), (kind, n, d.stderr()))
                self.assertEqual(d.stderr().count("\n"), 1, d.stderr())
                done = init(path)
                self.assertEqual(done.returncode, 0, (kind, n, done))
            with Daemon.of_dir(path) as d:
                self.assertEqual(d.ask("GET", "/readyz").status, 200)

    def test_a_key_and_a_request(self):
        served = self.start()

        def new(path):
            return disturb.run(self.orders, CHANCERY, "--socket", served.socket, "request", "new", "--dns", "www.example.test",
                               "--subject", "CN=www.example.test", "--out-key", path + "/key.pem", "--out", path + "/leaf.pem")

        def clean():
            done = new(self.temp())
            self.assertEqual(done.returncode, 0, done)
        for kind, n, error in self.each(clean):
            path = self.temp()
            with open(path + "/leaf.pem", "w") as f:
                f.write("old")
            with self.orders.during(kind, n, n, error):
                done = new(path)
            self.assertNotEqual(done.returncode, 0, done)
            said = done.stderr.decode().splitlines(True)
            self.explained(said.pop(), path, error)
            self.no_temporary(path)
            # What was issued all the same is named, and can be fetched.
            issued = re.match(r"request (\d+): issued", said[0]) if said else None
            self.assertEqual(bool(issued), len(said) > 0, done)
            if issued:
                run(CHANCERY, "--socket", served.socket, "request", "retrieve", issued.group(1), "--out", path + "/again.pem")
            if os.path.exists(path + "/key.pem"):
                run("openssl", "pkey", "-in", path + "/key.pem", "-noout")
            with open(path + "/leaf.pem") as f:
                leaf = f.read()
            if leaf != "old":
                Certificate(leaf)

    def test_less_is_written_than_was_asked(self):
        path = self.temp()
        with self.orders.during("file write", 1, ALWAYS, 0, SHORT):
            self.assertEqual(disturb.run(self.orders, CHANCERY, "ca", "init", "--dir", path, "--name", "Test CA").returncode, 0)
        self.strikes += 1
        with Daemon.of_dir(path) as d:
            self.assertEqual(d.ask("GET", "/readyz").status, 200)

    def test_a_throwaway(self):
        def start(folder):
            d = Daemon(["--throwaway"], env=dict(self.orders.env, TMPDIR=folder))
            self.addCleanup(d.close)
            return d

        def clean():
            d = start(self.temp())
            d.wait_ready_line()
            d.stop()
        for kind, n, error in self.each(clean):
            folder = self.temp()
            with self.orders.during(kind, n, n, error):
                d = start(folder)
                self.assertEqual(d.wait(), 4, d.stderr())
            self.assertIn(os.strerror(error), d.stderr())
            self.assertEqual(d.stderr().count("\n"), 1, d.stderr())
            self.assertEqual(os.listdir(folder), [])


class Published(Files):
    test_a_new_ca = test_a_key_and_a_request = test_less_is_written_than_was_asked = test_a_throwaway = None

    def test_published_certificates(self):
        path, out = self.temp(), self.temp()
        make_ca(path, "--issue")
        csr = make_csr()
        with Daemon.of_dir(path) as d:
            d.set("ExitModules/exit-publish/Folder", out)
            d.set("ExitModules/exit-publish/Always", 1)
        d = Daemon.of_dir(path, env=self.orders.env)
        self.addCleanup(d.close)
        self.addCleanup(d.stop)
        told = {}

        def submit():
            a = d.submit(csr)
            self.assertEqual(a.status, 201, a)
            told[a.json["request_id"]] = a.json["certificate"]
            return os.path.join(out, "%d.cer" % a.json["request_id"])

        def clean():
            first = submit()
            self.assertTrue(until(lambda: os.path.exists(first)))
            self.assertTrue(until(lambda: self.orders.passes("file sync") == 2))
        for kind, n, error in self.each(clean):
            with self.orders.during(kind, n, n, error):
                name = submit()
                self.assertTrue(until(lambda: self.orders.passes(kind) >= n))
                after = submit()
                self.assertTrue(until(lambda: os.path.exists(after)))
            self.no_temporary(out)
            if os.path.exists(name):
                with open(name, "rb") as f:
                    Certificate(f.read())
            else:
                self.assertTrue(until(lambda: "exit-publish" in d.stderr()), d.stderr())
        missing = [i for i in told if not os.path.exists(os.path.join(out, "%d.cer" % i))]
        print("%d of %d were not published" % (len(missing), len(told)))


if __name__ == "__main__":
    main()
