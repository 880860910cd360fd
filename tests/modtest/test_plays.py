"""chancery-modtest from outside: its language, its reports, and modules that do not come back."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

BIN, MODULES, BAD = os.environ["CHANCERY_BIN"], os.environ["MODULES"], os.environ["BAD_MODULES"]
POLICY = os.path.join(MODULES, "example-policy.so")


class Plays(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="chancery-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def play(self, text, *options, module=POLICY, name="a.play"):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        args = [module] if module else []
        return subprocess.run([os.path.join(BIN, "chancery-modtest"), *options, *args, path], capture_output=True,
                              text=True, timeout=250)

    def assert_wrong(self, text, line, message, **more):
        p = self.play(text, **more)
        self.assertEqual(p.returncode, 2, p.stdout + p.stderr)
        self.assertIn(f"a.play:{line}:", p.stdout)
        self.assertIn(message, p.stdout)

    def test_what_is_met_and_what_is_not(self):
        p = self.play("verify\nexpect deny\nexpect issue\n")
        self.assertEqual(p.returncode, 0 if "2 of 2" in p.stdout else 1)
        self.assertIn("FAIL", p.stdout)
        self.assertIn("1 of 2 expectations met", p.stdout)
        p = self.play("verify\nexpect issue\n")
        self.assertEqual(p.returncode, 0, p.stdout)

    def test_tap_and_json(self):
        text = "request\n  subject CN=x.y.test\nverify\nexpect deny CERTSRV_E_BAD_REQUESTSUBJECT\nexpect pend\n"
        p = self.play(text, "--tap")
        self.assertIn("ok 1 - ", p.stdout)
        self.assertIn("not ok 2 - ", p.stdout)
        self.assertTrue(p.stdout.rstrip().endswith("1..2"))
        v = json.loads(self.play(text, "--json").stdout)
        self.assertEqual((v["met"], v["not_met"]), (1, 1))
        self.assertEqual(v["plays"][0]["results"][1]["line"], 5)
        self.assertIn("0x80094001 (CERTSRV_E_BAD_REQUESTSUBJECT)", v["plays"][0]["results"][1]["detail"])

    def test_lines_that_make_no_sense(self):
        self.assert_wrong("dance\n", 1, "there is nothing of that name")
        self.assert_wrong("\nexpect issue\n", 2, "must stand in front")
        self.assert_wrong("request\nsubject\n", 2, "takes 1 to 1 words")
        self.assert_wrong("subject CN=a\n", 1, 'put "request" in front')
        self.assert_wrong('verify\nexpect message has "open\n', 2, "is not closed")
        self.assert_wrong("verify\nexpect message has $HOME\n", 2, "$HOME")
        self.assert_wrong("verify\nexpect deny 0xzz\n", 2, "no code")
        self.assert_wrong("verify\nexpect property NotAfter ~ now\n", 2, "one of")
        self.assert_wrong("clock soon\n", 1, "a time such as")
        self.assert_wrong("notify certissued\n", 1, "it takes verify")
        self.assert_wrong("file /etc/passwd x\n", 1, "below $DIR")
        self.assert_wrong("file $DIR/../x y\n", 1, "below $DIR")
        self.assert_wrong("request\n  csr\n", 2, "PEM on the lines below")
        self.assert_wrong("verify\n", 1, "no module", module=None)
        self.assert_wrong("a" * 20000 + "\n", 1, "octets")

    def test_a_request_that_no_ca_would_take(self):
        self.assert_wrong("request\n  dns www.example.test\n  attribute novalue\n", 3, "NAME:VALUE")
        self.assert_wrong("request\n  csr $DIR/none.pem\n", 2, "none.pem")

    def test_what_the_ca_would_refuse_is_no_issue(self):
        bad = os.path.join(BAD, "none.so")
        p = self.play("request\n  extension 2.5.29.19 critical enabled hex:30030101ff\nverify\nexpect issue\n", module=bad)
        self.assertEqual(p.returncode, 1, p.stdout)
        self.assertIn("it issues, but the CA would not: lint", p.stdout)

    def test_a_request_inline(self):
        key, csr = os.path.join(self.folder, "k.pem"), os.path.join(self.folder, "r.pem")
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        key, "-out", csr, "-subj", "/CN=in.example.test"], check=True, capture_output=True)
        with open(csr, encoding="ascii") as f:
            pem = f.read()
        for text in (f"request\ncsr\n{pem}verify\nexpect issue\nexpect name dns:in.example.test\nexpect pend\n",
                     "request\ncsr r.pem\nverify\nexpect issue\nexpect name dns:in.example.test\nexpect pend\n"):
            p = self.play(text)
            self.assertIn("2 of 3", p.stdout)
            last = text.count("\n")
            self.assertIn(f"a.play:{last}:", p.stdout)

    def test_a_crash_and_a_hang_cost_one_play(self):
        p = self.play("verify\nexpect issue\n", "--timeout", "1000", module=os.path.join(BAD, "hang.so"))
        self.assertEqual(p.returncode, 1)
        self.assertIn("a.play:1: verify", p.stdout)
        self.assertIn("overran its deadline of 1000 ms", p.stdout)
        p = self.play("verify\nexpect issue\n", module=os.path.join(BAD, "leave.so"))
        self.assertEqual(p.returncode, 1)
        self.assertIn("ended with status 3", p.stdout)

    def test_memory_that_a_module_keeps(self):
        p = self.play("verify\nexpect issue\n", module=os.path.join(BAD, "leak.so"))
        if "libasan" in subprocess.run(["ldd", os.path.join(BIN, "chancery-modtest")], capture_output=True, text=True).stdout:
            self.assertEqual(p.returncode, 1, p.stdout + p.stderr)
            self.assertIn("LeakSanitizer", p.stderr)
        elif shutil.which("valgrind"):
            p = self.play("verify\nexpect issue\n", "--valgrind", module=os.path.join(BAD, "leak.so"))
            self.assertEqual(p.returncode, 1, p.stdout + p.stderr)
            self.assertIn("definitely lost", p.stderr)
            p = self.play("verify\nexpect issue\n", "--valgrind", module=os.path.join(BAD, "none.so"))
            self.assertEqual(p.returncode, 0, p.stdout + p.stderr)

    def test_settings_of_the_command_line(self):
        p = self.play("request\n  subject CN=a.b.example\nverify\nexpect issue\n", "--set", "Domain=b.example", "--both")
        self.assertEqual(p.returncode, 0, p.stdout)
        self.assertEqual(p.stdout.count("1 of 1"), 2)

    def test_without_a_fork(self):
        p = self.play("verify\nexpect issue\nexpect deny\n", "--no-fork")
        self.assertEqual(p.returncode, 1)
        self.assertIn("1 of 2", p.stdout)

    def test_usage(self):
        for args in ([], ["--nonsense", "a.play"], ["--timeout", "x", "a.play"], ["none.so", "a.play"]):
            p = subprocess.run([os.path.join(BIN, "chancery-modtest"), *args], capture_output=True, text=True, timeout=60)
            self.assertEqual(p.returncode, 2, args)
            self.assertIn("--help", p.stderr)

    def test_the_manual_has_every_word(self):
        tree = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
        with open(os.path.join(tree, "docs/man/chancery-modtest.1.scd"), encoding="utf-8") as f:
            manual = set(re.findall(r"[a-z]+", f.read()))
        words = set()
        for name in ("play.c", "request.c", "expect.c", "calls.c"):
            with open(os.path.join(tree, "src/modtest", name), encoding="utf-8") as f:
                words |= set(re.findall(r'\{"([a-z]+)", ', f.read()))
        self.assertGreater(len(words), 40)
        self.assertEqual(words - manual, set())

    def test_nothing_remains(self):
        here = tempfile.mkdtemp(prefix="chancery-test-")
        self.addCleanup(shutil.rmtree, here)
        path = os.path.join(self.folder, "b.play")
        with open(path, "w", encoding="utf-8") as f:
            f.write("file $DIR/x y\nverify\nexpect issue\n")
        subprocess.run([os.path.join(BIN, "chancery-modtest"), POLICY, path], env={**os.environ, "TMPDIR": here},
                       check=True, capture_output=True, timeout=60)
        self.assertEqual(os.listdir(here), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
