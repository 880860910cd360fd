"""What systemd hears of the daemon: readiness, the end, and the log as fields in the journal."""
import array
import os
import shutil
import socket
import subprocess
import sys

from daemon import Case, Daemon, main


def receive(s):
    """A journal entry comes in the datagram, or in a file that it carries."""
    data, control, _, _ = s.recvmsg(1 << 20, 256)
    for level, kind, octets in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            (fd,) = array.array("i", octets[:4])
            with os.fdopen(fd, "rb") as f:
                f.seek(0)
                return f.read()
    return data


def listen(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(path)
    s.settimeout(60)
    return s


class Notify(Case):
    def test_ready_and_stopping(self):
        path = os.path.join(self.temp(), "notify")
        with listen(path) as s:
            d = self.start(env={"NOTIFY_SOCKET": path})
            self.assertEqual(receive(s), b"READY=1")
            d.stop()
            self.assertEqual(receive(s), b"STOPPING=1")

    def test_nobody_listens(self):
        d = self.start(env={"NOTIFY_SOCKET": os.path.join(self.temp(), "nobody")})
        d.stop()


class Journal(Case):
    def test_fields(self):
        """In a /run of its own, where this test is the journal."""
        me = [shutil.which("unshare"), "-m", sys.executable, "-B", os.path.abspath(__file__), "--journal"]
        ran = subprocess.run(me, capture_output=True, text=True, timeout=120)
        if "unshare failed" in ran.stderr or "cannot mount" in ran.stderr:
            self.skipTest("no name space of mounts here: " + ran.stderr.strip())
        self.assertEqual(ran.returncode, 0, ran.stderr)
        fields = ran.stdout.split("\n")
        self.assertIn("CHANCERY_EVENT=daemon.ready", fields)
        self.assertIn("PRIORITY=6", fields)
        self.assertTrue(any(f.startswith("CHANCERY_SOCKET=/") for f in fields), fields)
        self.assertTrue(any(f.startswith("MESSAGE=daemon.ready socket=/") for f in fields), fields)


def be_the_journal():
    if subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=False).returncode:
        sys.exit("cannot mount")
    os.makedirs("/run/systemd/journal")
    with listen("/run/systemd/journal/socket") as s:
        d = Daemon.throwaway("--log-level", "debug", "--log-format", "journal")
        ready = b""
        while b"CHANCERY_EVENT=daemon.ready" not in ready:
            ready = receive(s)
        d.stop()
        d.close()
        print(ready.decode(errors="replace"))


if __name__ == "__main__":
    if sys.argv[1:] == ["--journal"]:
        be_the_journal()
    else:
        main()
