"""Starts the built daemon, talks to it and looks at what it issued. Standard library and openssl only."""
import contextlib
import errno
import http.client
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

TREE = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
BIN = os.environ.get("CHANCERY_BIN", os.path.join(TREE, "build/release/bin"))
INCLUDE = os.environ.get("CHANCERY_INCLUDE", os.path.join(TREE, "include"))
CHANCERYD = os.path.join(BIN, "chanceryd")
CHANCERY = os.path.join(BIN, "chancery")
MODULES = os.path.normpath(os.path.join(BIN, "../modules"))
CSR_TYPE = "application/pkcs10"


def run(*argv, data=None, check=True):
    done = subprocess.run(argv, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    if check and done.returncode:
        raise AssertionError("%s: %d\n%s%s" % (argv, done.returncode, done.stdout.decode(), done.stderr.decode()))
    return done


def until(condition, seconds=20, step=0.02):
    """What condition returns once it is true; else its last answer, after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)


def free_port():
    """A port that stays free while nobody listens on it: below those that the kernel gives to whoever connects or asks for any."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        end = min(int(f.read().split()[0]), 32768)
    while True:
        with socket.socket() as s:
            port = random.randrange(10240, end)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError as e:
                if e.errno != errno.EADDRINUSE:
                    raise


class Answer:
    def __init__(self, status, headers, body, version=11):
        self.status, self.headers, self.body, self.version = status, headers, body, version
        self.type = headers.get("Content-Type")

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "%d %s" % (self.status, self.body[:600].decode(errors="replace"))


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask_over(connection, method, path, body=None, headers=None):
    with contextlib.suppress(BrokenPipeError):  # it may have answered before it had all
        connection.request(method, path, body, headers or {})
    r = connection.getresponse()
    return Answer(r.status, r.headers, r.read(), r.version)


class Daemon:
    """One chanceryd. Its standard error is kept; a sanitizer's word in it fails the test at stop()."""

    def __init__(self, argv, env=None, stdin=subprocess.DEVNULL, program=CHANCERYD):
        self.log = tempfile.TemporaryFile()
        self.env = dict(os.environ, **(env or {}))
        self.info, self.dir, self.socket = {}, None, None
        self.proc = subprocess.Popen([program] + argv, stdin=stdin, stdout=subprocess.PIPE, stderr=self.log,
                                     env=self.env)

    @classmethod
    def throwaway(cls, *argv, **options):
        d = cls(["--throwaway"] + list(argv), **options)
        d.wait_ready_line()
        return d

    @classmethod
    def of_dir(cls, folder, *argv, wait=True, **options):
        d = cls(["--dir", folder] + list(argv), **options)
        d.dir, d.socket = folder, os.path.join(folder, "chancery.sock")
        if wait:
            d.wait_socket()
        return d

    def wait_ready_line(self, seconds=60):
        readable, _, _ = select.select([self.proc.stdout], [], [], seconds)
        self.line = self.proc.stdout.readline() if readable else b""
        if not self.line:
            said = self.stderr()
            self.close()
            raise AssertionError("no ready line: " + said)
        self.info = json.loads(self.line)
        self.dir, self.socket = self.info["dir"], self.info["socket"]

    def wait_socket(self, seconds=60):
        def answers():
            if self.proc.poll() is not None:
                return True
            try:
                return self.ask("GET", "/healthz").status == 200
            except OSError:
                return False
        if not until(answers, seconds) or self.proc.poll() is not None:
            status, said = self.kill(), self.stderr()
            self.close()
            raise AssertionError("the daemon did not start (%s): %s" % (status, said))

    def stderr(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def ask(self, method, path, body=None, headers=None, timeout=60):
        """Over the Unix socket, on a fresh connection."""
        c = UnixConnection(self.socket, timeout)
        try:
            return ask_over(c, method, path, body, headers)
        finally:
            c.close()

    def ask_http(self, method, path, body=None, headers=None, token=True):
        host, port = self.info["http"].split("//")[1].split(":")
        c = http.client.HTTPConnection(host, int(port), timeout=60)
        try:
            return ask_over(c, method, path, body, self.with_token(headers, token))
        finally:
            c.close()

    def ask_tls(self, method, path, body=None, headers=None, token=True, version=None):
        context = ssl.create_default_context(cafile=self.info["ca_cert"])
        if version:
            context.minimum_version = context.maximum_version = version
        host, port = self.info["url"].split("//")[1].split(":")
        c = http.client.HTTPSConnection(host, int(port), timeout=60, context=context)
        try:
            return ask_over(c, method, path, body, self.with_token(headers, token))
        finally:
            c.close()

    def with_token(self, headers, token):
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = "Bearer " + (self.info["token"] if token is True else token)
        return headers

    def submit(self, request, attributes=None, headers=None, query=""):
        if attributes is None:
            return self.ask("POST", "/api/v1/requests" + query, request, dict({"Content-Type": CSR_TYPE}, **(headers or {})))
        text = request.decode() if isinstance(request, bytes) else request
        return self.ask("POST", "/api/v1/requests" + query, json.dumps({"request": text, "attributes": attributes}),
                        dict({"Content-Type": "application/json"}, **(headers or {})))

    def set(self, path, value):
        a = self.ask("PUT", "/api/v1/config/" + path, json.dumps({"value": value}),
                     {"Content-Type": "application/json"})
        assert a.status == 200, a
        return a

    def policy(self, name, value):
        return self.set("PolicyModules/policy-default/" + name, value)

    def unset(self, path):
        return self.ask("DELETE", "/api/v1/config/" + path)

    def module(self, name):
        for m in self.ask("GET", "/api/v1/modules").json["modules"]:
            if m["name"] == name:
                return m
        return None

    def metric(self, name):
        text = self.ask("GET", "/metrics").body.decode()
        found = re.search(r"^chancery_%s(?:\{[^}]*\})? (\S+)$" % name, text, re.M)
        return float(found.group(1)) if found else None

    def send(self, number):
        self.proc.send_signal(number)

    def wait(self, seconds=60):
        return self.proc.wait(seconds)

    def stop(self, number=signal.SIGTERM):
        """A clean stop: status 0, and nothing that a sanitizer wrote. Again: nothing."""
        if self.proc.stdout.closed:
            return ""
        if self.proc.poll() is None:
            self.send(number)
        status = self.wait()
        said = self.stderr()
        rest = self.proc.stdout.read()
        self.proc.stdout.close()
        assert "Sanitizer" not in said and "runtime error" not in said, said
        assert status == 0, "exit status %d: %s" % (status, said)
        assert rest == b"", rest
        return said

    def kill(self):
        if self.proc.poll() is None:
            self.proc.kill()
        return self.wait()

    def close(self):
        self.kill()
        self.proc.stdout.close()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.stop()
        finally:
            self.close()


def folder(prefix="chancery-test-"):
    return tempfile.mkdtemp(prefix=prefix, dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


def make_ca(path, *options, name="Test CA"):
    run(CHANCERY, "ca", "init", "--dir", path, "--name", name, *options)
    (found,) = [e.path for e in os.scandir(os.path.join(path, "ca"))
                if os.path.exists(os.path.join(e.path, "ca.pem"))]
    return found


KEY_OPTIONS = {
    "rsa1024": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
    "rsa2048": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "rsa3072": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
    "rsa2048-e3": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_keygen_pubexp:3"],
    "p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "p521": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "ed25519": ["-algorithm", "ED25519"],
    "ed448": ["-algorithm", "ED448"],
}
_keys = {}


def private_key(kind="p256"):
    """PEM; made once per kind and test program."""
    if kind not in _keys:
        _keys[kind] = run("openssl", "genpkey", *KEY_OPTIONS[kind]).stdout
    return _keys[kind]


def make_csr(names=("DNS:www.example.test",), subject="/CN=www.example.test", kind="p256", extensions=(), form="PEM"):
    """A PKCS#10 by openssl: names into subjectAltName, extensions as lines of its configuration dialect."""
    argv = ["openssl", "req", "-new", "-key", "/dev/stdin", "-subj", subject, "-outform", form]
    if names:
        argv += ["-addext", "subjectAltName=" + ",".join(names)]
    for e in extensions:
        argv += ["-addext", e]
    return run(*argv, data=private_key(kind)).stdout


def pem_to_der(pem):
    return ssl.PEM_cert_to_DER_cert(pem.decode() if isinstance(pem, bytes) else pem)


class Certificate:
    """What openssl reads in a certificate."""

    def __init__(self, data):
        if isinstance(data, str):
            data = data.encode()
        if data[:1] == b"0":
            data = ssl.DER_cert_to_PEM_cert(data).encode()
        self.pem = data
        self.der = pem_to_der(data.decode())
        self.text = run("openssl", "x509", "-noout", "-text", "-nameopt", "RFC2253", data=data).stdout.decode()
        fields = run("openssl", "x509", "-noout", "-serial", "-dates", "-subject", "-issuer", "-nameopt", "RFC2253",
                     data=data).stdout.decode()
        self.field = dict(line.split("=", 1) for line in fields.splitlines())
        self.serial = self.field["serial"].lower()
        self.not_before = ssl.cert_time_to_seconds(self.field["notBefore"])
        self.not_after = ssl.cert_time_to_seconds(self.field["notAfter"])
        self.subject, self.issuer = self.field["subject"], self.field["issuer"]

    def has(self, *lines):
        return all(line in self.text for line in lines)


class Case(unittest.TestCase):
    maxDiff = None

    def temp(self):
        path = folder()
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def start(self, *argv, **options):
        """A throwaway that the test's end stops and checks."""
        d = Daemon.throwaway(*argv, **options)
        self.addCleanup(d.close)
        self.addCleanup(d.stop)
        return d

    def start_mortal(self, path, fault=None):
        """A daemon of that folder, which may die of the fault before it answers."""
        d = Daemon.of_dir(path, "--log-level", "warning", wait=False, env={"CHANCERY_FAULT": fault or ""})
        self.addCleanup(d.close)

        def up():
            if d.proc.poll() is not None:
                return True
            try:
                return d.ask("GET", "/healthz").status == 200
            except (OSError, http.client.HTTPException):
                return False
        self.assertTrue(until(up, 30), "no start: " + d.stderr())
        return d

    def file(self, data, name="file"):
        path = os.path.join(self.temp(), name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def assert_problem(self, answer, status, code=None):
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.type, "application/problem+json", answer)
        self.assertEqual(answer.json["status"], status)
        for name in ("type", "title", "detail", "code", "hresult"):
            self.assertIn(name, answer.json)
        if code:
            self.assertEqual(answer.json["code"], code, answer)

    def assert_verifies(self, pem, ca_file):
        """By two implementations that share nothing with ours."""
        leaf = self.file(pem if isinstance(pem, bytes) else pem.encode(), "leaf.pem")
        run("openssl", "verify", "-x509_strict", "-CAfile", ca_file, leaf)
        run("certtool", "--verify", "--load-ca-certificate", ca_file, "--infile", leaf)


def main():
    unittest.main(verbosity=2)
