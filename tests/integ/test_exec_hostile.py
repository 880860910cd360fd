"""Programs as policy modules that lie, die, talk too much or say nothing."""
import json
import os
import re
import sys
import time

import daemon
from daemon import make_csr, until
from programs import Exec

HOSTILE = r"""
import json, os, sys, time
def say(text):
    sys.stdout.buffer.write(text if isinstance(text, bytes) else text.encode())
    sys.stdout.buffer.flush()
for line in sys.stdin:
    call = json.loads(line)
    id = call["id"]
    if call["call"].endswith("Initialize"):
        say('{"id":%d,"result":0}\n' % id)
        continue
    mode = call["attributes"]["mode"]
    keep = '"extensions":[{"oid":"2.5.29.17"}]'
    good = '{"id":%d,"result":"issue",%s}\n' % (id, keep)
    said = {
        "good": good,
        "number": '{"id":%d,"result":1,%s}\n' % (id, keep),
        "stale": '{"id":%d,"result":"deny"}\n%s' % (id - 1, good),
        "zero": '{"id":%d,"result":0}\n' % id,
        "empty": '\n', "garbage": 'issue\n', "list": '[]\n', "nothing": '{}\n', "noid": '{"result":"issue"}\n',
        "future": '{"id":%d,"result":"issue"}\n' % (id + 1),
        "true": '{"id":%d,"result":true}\n' % id, "null": '{"id":%d,"result":null}\n' % id,
        "float": '{"id":%d,"result":1.5}\n' % id, "three": '{"id":%d,"result":3}\n' % id,
        "upper": '{"id":%d,"result":"ISSUE"}\n' % id, "one": '{"id":%d,"result":"1"}\n' % id,
        "hex": '{"id":%d,"result":"0x00000001",%s}\n' % (id, keep),
        "both": '{"id":%d,"result":"issue","error":"0x80004005"}\n' % id,
        "twice": '{"id":%d,"result":"deny","result":"issue"}\n' % id,
        "typo": '{"id":%d,"result":"issue","extentions":[]}\n' % id,
        "two": '{"id":%d,"result":"issue"}{"id":%d,"result":"issue"}\n' % (id, id),
        "deep": '{"id":%d,"result":%s1%s}\n' % (id, "[" * 500, "]" * 500),
        "many": '{"id":%d,"result":[%s]}\n' % (id, ",".join(["1"] * 100000)),
        "utf8": b'{"id":%d,"result":"issue","message":"\xc3\x28"}\n' % id,
        "nul": '{"id":%d,"result":"issue","message":"a\\u0000b"}\n' % id,
        "error": '{"id":%d,"error":"0x80004005","message":"no"}\n' % id,
        "setter": '{"id":%d,"result":"issue","properties":{"NotAfter":"2999-01-01T00:00:00Z"},%s}\n' % (id, keep),
        "absent": '{"id":%d,"result":"issue","extensions":[{"oid":"1.2.3.4"}]}\n' % id,
        "base64": '{"id":%d,"result":"issue","extensions":[{"oid":"1.2.3.4","value":"BQA"}]}\n' % id,
    }
    if mode == "long":
        say(b"x" * 3000000 + b"\n")
    elif mode == "endless":
        while True:
            say(b"x" * 65536)
    elif mode == "half":
        say(good[:20]); os._exit(0)
    elif mode == "end":
        os._exit(3)
    elif mode == "silent":
        os.spawnl(os.P_NOWAIT, "/bin/sleep", "sleep", "1000"); time.sleep(1000)
    elif mode == "elsewhere":
        try:
            os.setpgid(0, os.getpgid(os.getppid()))
        except PermissionError:
            pass
        time.sleep(1000)
    elif mode == "calls":
        while True:
            say('{"id":%d,"call":"ICertServerPolicy.GetRequestProperty","args":["RequestID"]}\n' % id)
            sys.stdin.readline()
    elif mode == "flood":
        while True:
            say('{"id":%d,"result":"issue"}\n' % (id - 1) * 1000)
    elif mode == "setcontext":
        say('{"id":%d,"call":"ICertServerPolicy.SetContext","args":[1]}\n' % id)
        heard = sys.stdin.readline()
        say('{"id":%d,"result":"deny","message":%s}\n' % (id, json.dumps(heard)))
    elif mode == "noisy":
        for i in range(100000):
            print("<4>noise %d" % i, file=sys.stderr)
        say(good)
    elif mode == "look":
        files = []
        for f in sorted(map(int, os.listdir("/proc/self/fd"))):
            try:
                files.append(os.readlink("/proc/self/fd/%d" % f).split(":")[0])
            except FileNotFoundError:
                pass
        with open("/proc/self/status") as f:
            status = f.read()
        say('{"id":%d,"result":"deny","message":%s}\n' % (id, json.dumps(json.dumps(
            [files, sorted(os.environ), os.getcwd(), os.getpgid(0) == os.getpid(),
             [l.split()[1] for l in status.splitlines() if l.startswith(("SigBlk", "SigIgn", "NoNewPrivs"))]]))))
    else:
        say(said[mode])
"""

FAILS = ("empty garbage list nothing noid future true null float three upper one hex both twice typo two deep many utf8 nul "
         "error base64 long half end endless calls").split()


class Hostile(Exec):
    """What a program says that is no clear "issue" issues nothing, and costs no more than that call."""

    def setUp(self):
        super().setUp()
        self.begin(*self.policy(sys.executable, "-B", self.program(HOSTILE)),
                   ("ModuleTimeoutMilliseconds", 20000))
        self.csr = make_csr()

    def play(self, mode):
        return self.d.submit(self.csr, {"mode": mode})

    def good(self, mode="good"):
        self.assertEqual(self.play(mode).status, 201, (mode, self.d.stderr()))

    def pids(self):
        """Processes below the daemon, zombies too."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % pid) as f:
                    fields = f.read().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == self.d.proc.pid:
                found.append((int(pid), fields[0]))
        return found

    def test_what_is_no_answer(self):
        self.good()
        self.good("number")
        self.good("stale")
        zero = self.play("zero")
        self.assertEqual(zero.status, 202, zero)
        for mode in FAILS:
            with self.subTest(mode):
                answer = self.play(mode)
                self.assertNotIn(answer.status, (201, 202), answer)
                self.good()
        self.assertTrue(until(lambda: len(self.pids()) == 1, 30), self.pids())
        self.assertIn("an answer with the unknown member extentions", self.d.stderr())

    def test_back_off(self):
        """A program that does nothing but end is held back, and comes again after a while."""
        self.good()
        before = len(os.listdir("/proc/%d/fd" % self.d.proc.pid))
        for _ in range(6):
            self.play("end")
        self.assertIn("started anew in a while", self.d.stderr())
        self.assertTrue(until(lambda: self.play("good").status == 201, 60))
        self.assertLessEqual(len(os.listdir("/proc/%d/fd" % self.d.proc.pid)), before + 1)

    def test_what_the_server_refuses(self):
        for mode in ("setter", "absent"):
            answer = self.play(mode)
            self.assertEqual(answer.status, 403, (mode, answer))
        self.good()

    def test_context_is_hidden(self):
        answer = self.play("setcontext")
        self.assertEqual(answer.status, 403, answer)
        self.assertIn("0x80020006", answer.body.decode())

    def test_what_it_inherits(self):
        answer = self.play("look")
        self.assertEqual(answer.status, 403, answer)
        found = re.search(r"\[\[.*\]\]", answer.json["detail"])
        self.assertTrue(found, answer)
        files, environment, folder, leader, status = json.loads(found.group(0))
        self.assertEqual(files, ["pipe"] * 3)
        self.assertEqual(environment, ["CHANCERY_HELPERS", "LANG", "PATH", "PYTHONPATH"])
        self.assertEqual((folder, leader), ("/", True))
        self.assertEqual([int(s, 16) & ~0x1001000 for s in status], [0, 0, 1])

    def test_what_it_says_beside(self):
        self.good("noisy")
        self.assertIn("noise 100", self.d.stderr())
        self.assertLess(self.d.stderr().count("noise"), 1000)

    def test_silence_costs_one_call(self):
        self.good()
        before = self.pids()
        self.d.stop()
        self.begin(("ModuleTimeoutMilliseconds", 1500))
        for n, mode in enumerate(("silent", "flood", "elsewhere")):
            began = time.monotonic()
            answer = self.play(mode)
            self.assertNotIn(answer.status, (201, 202), answer)
            self.assertGreater(time.monotonic() - began, 1)
            self.assertEqual(self.d.stderr().count("did not answer in time"), n + 1)
            self.assertNotIn("module.deadline", self.d.stderr())
            self.assertFalse(self.d.module("policy-exec")["quarantined"])
            self.good()
        self.assertNotEqual(before, self.pids())
        self.good()
        self.assertEqual(len(self.pids()), 1)

    def test_dies_with_the_daemon(self):
        self.good()
        ((pid, _),) = self.pids()
        self.d.close()
        self.assertTrue(until(lambda: self.gone(pid), 20))

    def gone(self, pid):
        try:
            with open("/proc/%d/stat" % pid) as f:
                return ") Z " in f.read()
        except (FileNotFoundError, ProcessLookupError):
            return True


if __name__ == "__main__":
    daemon.main()
