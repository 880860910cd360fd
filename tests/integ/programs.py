"""What the tests of policy-exec and exit-exec share: a folder of programs, and a daemon that uses them."""
import os
import shutil
import sys

import daemon
from daemon import Case, Certificate, Daemon, make_ca, make_csr

EXEC = os.path.join(daemon.TREE, "modules/exec")


class Exec(Case):
    def setUp(self):
        self.path, self.place = self.temp(), self.temp()
        self.ca_dir = make_ca(self.path)
        for kind in ("helpers", "examples"):
            for entry in os.scandir(os.path.join(EXEC, kind)):
                if entry.is_file():  # an interpreter may have left a folder of its own there
                    self.copy(entry.path)

    def copy(self, source):
        shutil.copy(source, self.place)
        os.chmod(os.path.join(self.place, os.path.basename(source)), 0o755)

    def program(self, text, name="program.py"):
        path = os.path.join(self.place, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o755)
        return path

    def begin(self, *settings, wait=True):
        with Daemon.of_dir(self.path) as d:
            for path, value in settings:
                d.set(path, value)
        d = Daemon.of_dir(self.path, wait=wait)
        self.addCleanup(d.close)
        self.addCleanup(d.stop)
        self.d = d
        return d

    def policy(self, *argv, **program):
        return self.module("PolicyModules", "policy-exec", argv, program) + [("PolicyModules/Active", "policy-exec")]

    def exit(self, *argv, **program):
        return self.module("ExitModules", "exit-exec", argv, program) + [("ExitModules/Active", ["exit-exec"])]

    def module(self, kind, name, argv, program):
        place = "%s/%s/" % (kind, name)
        given = [(place + "Program/" + k, v) for k, v in program.items()]
        return given + [(place + "Command", list(argv)),
                        (place + "Environment", ["PYTHONPATH=" + self.place, "CHANCERY_HELPERS=" + self.place])]

    def python(self, name):
        return [sys.executable, "-B", os.path.join(self.place, name)]

    def shell(self, name):
        return ["/bin/sh", os.path.join(self.place, name)]

    def issued(self, answer):
        self.assertEqual(answer.status, 201, answer)
        self.assert_verifies(answer.json["certificate"], os.path.join(self.ca_dir, "ca.pem"))
        return Certificate(answer.json["certificate"])

    def for_name(self, name, **more):
        return self.d.submit(make_csr(("DNS:" + name,), "/CN=" + name.replace("*", "star")), **more)

    def resubmit(self, answer):
        return self.d.ask("POST", "/api/v1/requests/%d/resubmit" % answer.json["request_id"])
