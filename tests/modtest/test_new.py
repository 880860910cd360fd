"""chancery module new: what it makes builds and tests itself, from the build tree and from what is installed."""
import os
import shutil
import subprocess
import tempfile
import unittest

BIN = os.environ["CHANCERY_BIN"]
BUILD = os.path.dirname(BIN)
KINDS = [(kind, lang) for kind in ("policy", "exit") for lang in ("c", "python")]


class New(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="chancery-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def run_in(self, folder, *args, **env):
        p = subprocess.run(args, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=250)
        self.assertEqual(p.returncode, 0, f"{args}: {p.stdout}{p.stderr}")
        return p.stdout

    def new(self, *args, program=BIN):
        return subprocess.run([os.path.join(program, "chancery"), "module", "new", *args], cwd=self.folder,
                              capture_output=True, text=True, timeout=60)

    def make(self, kind, lang, program, *configure, **env):
        name = f"my-{kind}-{lang}"
        p = self.new(name, "--kind", kind, "--lang", lang, program=program)
        self.assertEqual(p.returncode, 0, p.stderr)
        folder = os.path.join(self.folder, name)
        for file in os.listdir(folder):
            with open(os.path.join(folder, file), encoding="utf-8") as f:
                text = f.read()
            for word in ("@NAME@", "@CLASS@", "@FOLDER@", "@ACTIVATE@"):
                self.assertNotIn(word, text)
            if file.endswith(".c"):
                self.assertLess(text.count("\n"), 50)
        self.run_in(folder, "cmake", "-B", "build", *configure, **env)
        self.run_in(folder, "cmake", "--build", "build", **env)
        said = self.run_in(folder, "ctest", "--test-dir", "build", "--output-on-failure", **env)
        self.assertIn("100% tests passed", said)
        return folder

    def test_from_the_build_tree(self):
        for kind, lang in KINDS:
            with self.subTest(kind=kind, lang=lang):
                self.make(kind, lang, BIN, Chancery_DIR=os.path.join(BUILD, "cmake"))

    def test_from_what_is_installed(self):
        prefix = os.path.join(self.folder, "prefix")
        self.run_in(self.folder, "cmake", "--install", BUILD, "--prefix", prefix)
        for kind, lang in (("policy", "c"), ("exit", "python")):
            with self.subTest(kind=kind, lang=lang):
                folder = self.make(kind, lang, os.path.join(prefix, "bin"), "-DCMAKE_PREFIX_PATH=" + prefix)
                if lang == "c":
                    self.run_in(folder, "cmake", "--install", "build")
                    self.assertTrue(any(f"my-{kind}-c.so" in files for _, _, files in os.walk(prefix)))

    def test_a_broken_module_fails_its_test(self):
        folder = self.make("policy", "c", BIN, Chancery_DIR=os.path.join(BUILD, "cmake"))
        source = os.path.join(folder, "my-policy-c.c")
        with open(source, encoding="utf-8") as f:
            text = f.read()
        with open(source, "w", encoding="utf-8") as f:
            f.write(text.replace("!chy_is_below", "chy_is_below"))
        self.run_in(folder, "cmake", "--build", "build")
        p = subprocess.run(["ctest", "--test-dir", "build", "--output-on-failure"], cwd=folder, capture_output=True,
                           text=True, timeout=100)
        self.assertNotEqual(p.returncode, 0)
        self.assertIn("test.play:7: expect issue", p.stdout)

    def test_refusals(self):
        os.mkdir(os.path.join(self.folder, "there"))
        for args, status in ((("there", "--kind", "exit"), 1), (("Upper", "--kind", "exit"), 2), (("a",), 2),
                             (("a", "--kind", "both"), 2), (("a", "--kind", "exit", "--lang", "cobol"), 2),
                             (("../a", "--kind", "exit"), 2), (("x" * 33, "--kind", "exit"), 2)):
            p = self.new(*args)
            self.assertEqual(p.returncode, status, (args, p.stderr))
            self.assertTrue(p.stderr)
        self.assertEqual(os.listdir(self.folder), ["there"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
