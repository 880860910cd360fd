"""docs/modules.md: its commands are run as they stand there, in a fresh folder, with what is installed of this build."""
import os
import re
import subprocess
import unittest

from daemon import BIN, Case

DOC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "modules.md")
# What the page leaves to its reader: the daemon it started ends with the shell.
FRAME = "set -eu\ndaemon=\ntrap '[ -z \"$daemon\" ] || kill $daemon 2>/dev/null || true' EXIT\n"


class ModulesPage(Case):
    def test_every_command(self):
        with open(DOC, encoding="utf-8") as f:
            blocks = re.findall(r"^```sh\n(.*?)^```$", f.read(), re.S | re.M)
        self.assertGreaterEqual(len(blocks), 8)
        folder, prefix = self.temp(), os.path.join(self.temp(), "prefix")
        subprocess.run(["cmake", "--install", os.path.dirname(BIN), "--prefix", prefix], check=True, capture_output=True)
        pc = next(d for d, _, files in os.walk(prefix) if "chancery.pc" in files)
        script = FRAME + "".join(f"echo '# block {n}'\n{b}" for n, b in enumerate(blocks, 1))
        p = subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True, timeout=280,
                           stdin=subprocess.DEVNULL,
                           env={"PATH": os.path.join(prefix, "bin") + ":" + os.environ["PATH"], "HOME": folder,
                                "PKG_CONFIG_PATH": pc, "CMAKE_PREFIX_PATH": prefix})
        self.assertEqual(p.returncode, 0, p.stdout[-6000:] + p.stderr[-6000:])
        self.assertIn(f"# block {len(blocks)}", p.stdout)
        for promised in ("100% tests passed", "expect pend\n    it issues", "all is well", "acme-policy", "pass  contexts"):
            self.assertIn(promised, p.stdout)
        line = re.search(r"`test.play:(\d+): expect pend", open(DOC, encoding="utf-8").read()).group(1)
        self.assertIn(f"test.play:{line}: expect pend", p.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
