"""chancery module check: what is wrong with a module is found, each in its line, and a good one has none."""
import json
import os
import subprocess
import tempfile
import unittest

BIN, MODULES, BAD = os.environ["CHANCERY_BIN"], os.environ["MODULES"], os.environ["BAD_MODULES"]


def check(path, *options):
    p = subprocess.run([os.path.join(BIN, "chancery"), "--json", "module", "check", path, "--calls", "2000", "--seconds",
                        "5", *options], capture_output=True, text=True, timeout=280)
    return p.returncode, json.loads(p.stdout)


class Check(unittest.TestCase):
    def assert_found(self, name, where, text, *also):
        status, v = check(os.path.join(BAD, name + ".so"))
        failed = {f["check"]: f["text"] for f in v["findings"] if f["result"] == "fail"}
        self.assertEqual(sorted(failed), sorted([where, *also]), f"{name}: {v['findings']}")
        self.assertIn(text, failed[where])
        self.assertEqual(status, 1)
        self.assertTrue(v["loads"])
        self.assertFalse(v["passed"])

    def assert_clean(self, path, *options):
        status, v = check(path, *options)
        self.assertEqual([f for f in v["findings"] if f["result"] in ("fail", "skip")], [])
        self.assertEqual(status, 0)
        self.assertTrue(v["passed"])

    def test_one_without_fault(self):
        self.assert_clean(os.path.join(BAD, "none.so"))

    def test_one_that_takes_its_time(self):
        self.assert_clean(os.path.join(BAD, "slow.so"))

    def test_the_samples(self):
        with tempfile.TemporaryDirectory() as folder:
            names = os.path.join(folder, "names")
            with open(names, "w", encoding="utf-8") as f:
                f.write("www.example.test\n")
            for name in ("example-policy", "example-exit", "exit-count", "exit-revoked", "policy-approve-wildcards",
                         "policy-list", "policy-min-key", "policy-purpose", "policy-quota", "policy-work-hours"):
                with self.subTest(name):
                    self.assert_clean(os.path.join(MODULES, name + ".so"), "--set", "File=" + names)

    def test_the_shipped(self):
        self.assert_clean(os.path.join(MODULES, "policy-default.so"))
        self.assert_clean(os.path.join(MODULES, "exit-publish.so"))

    def test_without_its_settings_it_is_not_tried(self):
        status, v = check(os.path.join(MODULES, "example-exit.so"))
        skipped = [f for f in v["findings"] if f["result"] == "skip"]
        self.assertEqual(skipped[0]["check"], "start")
        self.assertIn("set File to an absolute path", skipped[0]["text"])
        self.assertEqual(status, 0)

    def test_memory_that_is_kept(self):
        self.assert_found("leak", "memory", "each call keeps")

    def test_setters_that_are_not_looked_at(self):
        status, v = check(os.path.join(BAD, "careless.so"))
        failed = [f["check"] for f in v["findings"] if f["result"] == "fail"]
        self.assertEqual(failed, ["contexts", "refusals", "odd", "mixed", "late"])
        self.assertEqual(status, 1)

    def test_one_that_does_not_look(self):
        status, v = check(os.path.join(BAD, "blind.so"))
        failed = {f["check"]: f["text"] for f in v["findings"] if f["result"] == "fail"}
        self.assertEqual(sorted(failed), ["classes", "contexts"])
        self.assertIn("of which it can have seen nothing", failed["contexts"])
        self.assertEqual(status, 1)

    def test_a_crash(self):
        self.assert_found("crash", "refusals", "it ")  # it crashed, or a sanitizer ended it

    def test_callback_objects(self):
        self.assert_found("hoard", "objects", "given back", "memory")
        self.assert_found("twice", "objects", "released twice")

    def test_the_process_is_left_alone(self):
        self.assert_found("move", "process", "working directory")
        self.assert_found("files", "files", "descriptors are open")

    def test_one_that_leaves(self):
        self.assert_found("leave", "call", "status 3")

    def test_exports(self):
        self.assert_found("export", "exports", "another_name")

    def test_linkage(self):
        status, v = check(os.path.join(BAD, "linkage.so"), "--load-only")
        text = " ".join(f["text"] for f in v["findings"] if f["check"] == "linkage" and f["result"] in ("fail", "warn"))
        for part in ("relative/lib", "noexecstack", "relro"):
            self.assertIn(part, text)
        self.assertEqual(status, 1)

    def test_what_is_no_module(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "text.so")
            with open(path, "w", encoding="utf-8") as f:
                f.write("no module\n")
            os.chmod(path, 0o644)
            status, v = check(path)
            self.assertEqual((status, v["loads"], v["findings"]), (1, False, []))
            self.assertTrue(v["error"])

    @unittest.skipUnless(os.environ.get("CHANCERY_SLOW"), "takes ten seconds")
    def test_one_that_hangs(self):
        self.assert_found("hang", "call", "more than ten seconds")


if __name__ == "__main__":
    unittest.main(verbosity=2)
