"""chanceryd --throwaway: its ready line, its limits, its end, and a hundred of them at once."""
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import time

import daemon
from daemon import Case, Certificate, Daemon, make_csr, run, until

PREFIX = "chancery-throwaway-"


def folders_of(pids):
    bases = ["/dev/shm", os.environ.get("TMPDIR", "/tmp"), "/tmp"]
    names = {e for b in bases if os.path.isdir(b) for e in os.listdir(b) if e.startswith(PREFIX)}
    return [n for n in names if int(n[len(PREFIX):].split("-")[0]) in pids]


class ReadyLine(Case):
    def test_has_exactly_the_agreed_fields(self):
        d = self.start()
        self.assertTrue(d.line.endswith(b"}\n"))
        self.assertEqual(list(d.info), ["ready", "pid", "url", "http", "socket", "dir", "ca_name", "config", "ca_cert",
                                        "token"])
        self.assertIs(d.info["ready"], True)
        self.assertEqual(d.info["pid"], d.proc.pid)
        self.assertRegex(d.info["url"], r"^https://127\.0\.0\.1:[1-9][0-9]*$")
        self.assertRegex(d.info["http"], r"^http://127\.0\.0\.1:[1-9][0-9]*$")
        self.assertEqual(d.info["socket"], d.info["dir"] + "/chancery.sock")
        self.assertTrue(d.info["ca_cert"].startswith(d.info["dir"] + "/"))
        self.assertEqual(d.info["config"], "localhost\\" + d.info["ca_name"])
        self.assertRegex(d.info["token"], r"^[0-9a-f]{64}$")

    def test_is_all_of_standard_output_and_all_works_when_it_comes(self):
        d = self.start()
        self.assertEqual(d.ask("GET", "/readyz").status, 200)
        self.assertEqual(d.ask_http("GET", "/readyz").status, 200)
        self.assertEqual(d.ask_tls("GET", "/readyz").status, 200)
        self.assertEqual(d.submit(make_csr()).status, 201)
        self.assertEqual(d.stop(), "")  # stop() also finds standard output empty

    def test_what_is_changed_at_once_does_not_cost_it_its_own_certificate(self):
        d = self.start(env={"CHANCERY_FAULT": "identity.before:1:sleep300"})
        d.policy("RequestDisposition", 0)
        self.assertEqual(d.submit(make_csr()).status, 202)
        run("curl", "-sf", "--cacert", d.info["ca_cert"], d.info["url"] + "/healthz")
        d.stop()

    def test_folder_is_private(self):
        d = self.start()
        self.assertEqual(os.stat(d.dir).st_mode & 0o777, 0o700)
        for folder, _, files in os.walk(d.dir):
            for name in files:
                mode = os.stat(os.path.join(folder, name)).st_mode
                self.assertFalse(mode & 0o002, name)
                if "key" in name:
                    self.assertFalse(mode & 0o077, name)


class End(Case):
    def assert_gone(self, d):
        self.assertFalse(os.path.exists(d.dir), d.dir)
        self.assertFalse(os.path.exists("/proc/%d" % d.proc.pid))

    def test_by_sigterm(self):
        d = self.start()
        d.stop(signal.SIGTERM)
        self.assert_gone(d)

    def test_by_sigint(self):
        d = self.start()
        d.stop(signal.SIGINT)
        self.assert_gone(d)

    def test_by_end_of_input(self):
        d = self.start("--exit-on-eof", stdin=subprocess.PIPE)
        self.assertEqual(d.submit(make_csr()).status, 201)
        d.proc.stdin.close()
        self.assertEqual(d.wait(20), 0)
        d.stop()
        self.assert_gone(d)

    def test_input_at_its_end_is_no_reason_without_the_option(self):
        d = self.start(stdin=subprocess.DEVNULL)
        time.sleep(0.3)
        self.assertIsNone(d.proc.poll())

    def test_with_an_open_idle_connection(self):
        d = self.start()
        c = daemon.UnixConnection(d.socket)
        self.assertEqual(daemon.ask_over(c, "GET", "/healthz").status, 200)
        began = time.monotonic()
        d.stop()
        self.assertLess(time.monotonic() - began, 8)
        c.close()
        self.assert_gone(d)

    def test_in_the_middle_of_work(self):
        d = self.start()
        csr = make_csr()

        def one(_):
            try:
                return d.submit(csr).status
            except (OSError, daemon.http.client.HTTPException):
                return None
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(one, i) for i in range(64)]
            time.sleep(0.05)
            d.stop()
            seen = {j.result() for j in jobs}
        self.assertLessEqual(seen, {201, 503, None})
        self.assert_gone(d)

    def test_folder_of_a_killed_one_is_swept_by_the_next(self):
        d = Daemon.throwaway()
        d.close()
        self.assertTrue(os.path.isdir(d.dir))
        living = self.start()
        self.assertFalse(os.path.exists(d.dir))
        second = self.start()
        self.assertTrue(os.path.isdir(living.dir))
        second.stop()


class Limits(Case):
    def test_marks_itself_and_lives_a_week_at_most(self):
        d = self.start("--name", "Fixture")
        self.assertRegex(d.info["ca_name"], r"^Fixture THROWAWAY [0-9a-f]{8}$")
        with open(d.info["ca_cert"], "rb") as f:
            ca = Certificate(f.read())
        self.assertIn("THROWAWAY", ca.subject)
        self.assertLessEqual(ca.not_after + 1 - ca.not_before, 7 * 86400)
        self.assertTrue(ca.has("CA:TRUE", "Name Constraints: critical", "DNS:test", "Certificate Sign, CRL Sign"))
        leaf = Certificate(d.submit(make_csr()).json["certificate"])
        self.assertLessEqual(leaf.not_after, ca.not_after)
        self.assertTrue(leaf.has("TLS Web Server Authentication, TLS Web Client Authentication"))

    def test_names_that_it_may(self):
        d = self.start()
        allowed = ["DNS:a.test", "DNS:b.c.localhost", "DNS:localhost", "DNS:x.example", "DNS:y.invalid", "IP:127.0.0.1",
                   "IP:10.1.2.3", "IP:172.31.0.1", "IP:192.168.7.7", "IP:::1", "IP:fd00::1"]
        answer = d.submit(make_csr(allowed, "/"))
        self.assertEqual(answer.status, 201, answer)
        self.assert_verifies(answer.json["certificate"], d.info["ca_cert"])

    def test_names_that_it_may_not(self):
        d = self.start()
        for name in ("DNS:www.google.com", "DNS:test.example.com", "DNS:xtest", "IP:8.8.8.8", "IP:172.32.0.1",
                     "IP:2001:db8::1", "DNS:com"):
            with self.subTest(name):
                answer = d.submit(make_csr(["DNS:ok.test", name], "/"))
                self.assert_problem(answer, 403)
                self.assertEqual(answer.json["disposition"], "denied")
                self.assertNotIn("certificate", answer.json)
        answer = d.submit(make_csr(["DNS:ok.test"], "/CN=www.google.com"))
        self.assertEqual(answer.status, 403, answer)

    def test_unconstrained(self):
        d = self.start("--unconstrained")
        answer = d.submit(make_csr(["DNS:www.google.com", "IP:8.8.8.8"], "/CN=www.google.com"))
        self.assertEqual(answer.status, 201, answer)
        with open(d.info["ca_cert"], "rb") as f:
            self.assertNotIn("Name Constraints", Certificate(f.read()).text)
        self.assert_verifies(answer.json["certificate"], d.info["ca_cert"])

    def test_permit_replaces_the_default(self):
        d = self.start("--permit", "dns:corp.example.net", "--permit", "ip:203.0.113.0/24")
        for name in ("DNS:a.corp.example.net", "IP:203.0.113.9"):
            self.assertEqual(d.submit(make_csr([name], "/")).status, 201, name)
        for name in ("DNS:a.test", "IP:10.0.0.1"):
            self.assertEqual(d.submit(make_csr([name], "/")).status, 403, name)
        self.assertEqual(d.ask_tls("GET", "/readyz").status, 200)  # its own certificate names loopback

    def test_listens_on_loopback_only(self):
        d = self.start()
        ports = {int(d.info[k].rsplit(":", 1)[1]) for k in ("url", "http")}
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            with open(table) as f:
                for line in f.readlines()[1:]:
                    address, port = line.split()[1].rsplit(":", 1)
                    if line.split()[3] == "0A" and int(port, 16) in ports:
                        self.assertEqual(address, "0100007F", line)


class ExitStatus(Case):
    def refused(self, status, *argv, **options):
        done = subprocess.run([daemon.CHANCERYD, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60, **options)
        said = done.stderr.decode()
        self.assertEqual(done.returncode, status, said)
        self.assertEqual(done.stdout, b"")
        self.assertEqual(len(said.splitlines()), 1, said)
        self.assertTrue(said.startswith("chanceryd: "), said)
        return said

    def test_usage(self):
        self.assertIn("--frobnicate", self.refused(2, "--frobnicate"))
        self.assertIn("--throwaway", self.refused(2, "--throwaway", "--dir", "/nowhere"))
        self.assertIn("--dir", self.refused(2))
        self.refused(2, "--throwaway", "--workers", "many")
        self.refused(2, "--throwaway", "--log-level", "loud")
        self.refused(2, "--throwaway", "--name")
        self.refused(2, "serve")

    def test_help_and_version_are_no_errors(self):
        self.assertIn(b"usage: chanceryd", run(daemon.CHANCERYD, "--help").stdout)
        self.assertRegex(run(daemon.CHANCERYD, "--version").stdout, rb"^chanceryd \d+\.\d+")

    def test_configuration(self):
        for text in ("[chanceryd]\nworkers = x\n", "[chanceryd]\nnonsense = 1\n", "no section here\n",
                     "[chanceryd]\nworkers = 2\nworkers = 3\n", "[chanceryd]\ndir = /x\ntls_cert = /y\n"):
            with self.subTest(text):
                self.refused(3, "--config", self.file(text.encode()))
        self.refused(3, "--config", "/nowhere/chancery.conf")
        self.refused(3, "--throwaway", "--key", "rsa17")
        self.refused(3, "--throwaway", "--permit", "dns")

    def test_start(self):
        said = self.refused(4, "--dir", self.temp())
        self.assertIn("chancery ca init", said)
        busy = daemon.socket.socket()
        self.addCleanup(busy.close)
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        self.refused(4, "--throwaway", "--http", "127.0.0.1:%d" % busy.getsockname()[1])
        self.assertEqual(folders_of({os.getpid()}), [])


class TwoOnOneFolder(Case):
    def test_the_second_is_refused_and_the_first_unharmed(self):
        path = self.temp()
        daemon.make_ca(path, "--issue")
        with Daemon.of_dir(path) as d:
            done = subprocess.run([daemon.CHANCERYD, "--dir", path], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual(done.returncode, 4)
            self.assertIn(b"another chanceryd", done.stderr)
            self.assertEqual(d.submit(make_csr()).status, 201)


class Many(Case):
    COUNT = 100

    def life(self, csr):
        d = Daemon.throwaway("--workers", "2")
        try:
            answer = d.submit(csr)
            self.assertEqual(answer.status, 201, answer)
            certificate = answer.json["certificate"]
            with open(d.info["ca_cert"], "rb") as f:
                ca = f.read()
            self.barrier.wait(200)
            d.stop()
            return d.proc.pid, d.dir, certificate, ca
        finally:
            d.close()

    def test_a_hundred_at_once(self):
        import threading
        csr = make_csr()
        self.most = 0

        def look():
            self.most = len(run("pgrep", "-P", str(os.getpid()), "chanceryd", check=False).stdout.split())
        self.barrier = threading.Barrier(self.COUNT, action=look)
        with concurrent.futures.ThreadPoolExecutor(self.COUNT) as pool:
            lives = [j.result() for j in [pool.submit(self.life, csr) for _ in range(self.COUNT)]]
        self.assertEqual(self.most, self.COUNT)
        pids = {pid for pid, _, _, _ in lives}
        self.assertEqual(len(pids), self.COUNT)
        self.assertEqual(len({c for _, _, c, _ in lives}), self.COUNT)
        self.assertEqual(folders_of(pids), [])
        self.assertEqual([p for p in pids if os.path.exists("/proc/%d" % p)], [])
        _, _, certificate, ca = lives[0]
        self.assert_verifies(certificate, self.file(ca, "ca.pem"))


if __name__ == "__main__":
    daemon.main()
