"""A web server that events are posted to: HTTPS with a certificate of its own making, with and without a client certificate
asked for, and plain HTTP. What it answers stands in the path. Standard library and openssl only.

As a program: `receiver.py FOLDER` prints its ports on one line, then a line for each request."""
import hashlib
import hmac
import http.server
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time

SECRET = b"a secret of more than sixteen octets"
OTHER = b"the next secret, that replaces it"
TOKEN = "token.of.the-bearer_1"


def openssl(*argv):
    subprocess.run(("openssl",) + argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def make_certificates(folder):
    """A CA, and below it a server for localhost, one for another name and a client; a stranger signed by itself."""
    at = lambda name: os.path.join(folder, name)
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl(*new, "-subj", "/CN=receiver CA", "-keyout", at("ca.key"), "-out", at("ca.pem"))
    below = new + ("-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-addext", "basicConstraints=critical,CA:FALSE")
    openssl(*below, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", at("server.key"), "-out", at("server.pem"))
    openssl(*below, "-subj", "/CN=other", "-addext", "subjectAltName=DNS:other.example.test",
            "-keyout", at("other.key"), "-out", at("other.pem"))
    openssl(*below, "-subj", "/CN=the client", "-keyout", at("client.key"), "-out", at("client.pem"))
    openssl(*new, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", at("stranger.key"), "-out", at("stranger.pem"))
    for name, text in (("secret", SECRET + b"\n"), ("other", OTHER), ("token", TOKEN.encode() + b"\n")):
        with open(at(name), "wb") as f:
            f.write(text)
    for name in ("ca.key", "server.key", "other.key", "client.key", "stranger.key", "secret", "other", "token"):
        os.chmod(at(name), 0o600)


def verify(header, body, *secrets, now=None, tolerance=300):
    """What a receiver does: the time is near, and one of the signatures is that of a secret it knows."""
    fields = [f.split("=", 1) for f in header.split(",")]
    when = [v for k, v in fields if k == "t"][0]
    if abs((now or time.time()) - int(when)) > tolerance:
        return False
    given = [v for k, v in fields if k == "v1"]
    expected = [hmac.new(s, when.encode() + b"." + body, hashlib.sha256).hexdigest() for s in secrets]
    return any(hmac.compare_digest(a, b) for a in given for b in expected)


_made = []


def copy_certificates(folder):
    """Those of the first time, made once per program."""
    if not _made:
        _made.append(tempfile.TemporaryDirectory(prefix="chancery-receiver-"))
        make_certificates(_made[0].name)
    shutil.copytree(_made[0].name, folder, dirs_exist_ok=True)


class Post:
    def __init__(self, handler, body):
        self.path, self.headers, self.body = handler.path, handler.headers, body
        self.connection = handler.client_address
        peer = handler.connection.getpeercert() if isinstance(handler.connection, ssl.SSLSocket) else None
        self.client = dict(f for (f,) in peer["subject"]).get("commonName") if peer else None

    @property
    def json(self):
        return json.loads(self.body)

    def signed(self, *secrets):
        return verify(self.headers["Chancery-Signature"] or "t=0", self.body, *secrets)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        r = self.server.receiver
        body = self.rfile.read(int(self.headers["Content-Length"]))
        post = Post(self, body)
        with r.lock:
            r.posts.append(post)
            count = sum(p.path == self.path for p in r.posts)
        r.told(post)
        what = self.path.strip("/").split("?")[0].split("-")
        try:
            getattr(self, "do_" + what[0])(count, *what[1:])
        except OSError:
            self.close_connection = True

    def do_status(self, count, status, wait=None):
        self.answer(int(status), b"words of the server", **({"Retry_After": wait} if wait else {}))

    def do_after(self, count, failures, status, wait=None):
        """200 after so many answers of another status."""
        if count > int(failures):
            self.answer(200)
        else:
            self.do_status(count, status, wait)

    def do_redirect(self, count):
        self.answer(302, Location="/status-200")

    def do_slow(self, count):
        self.server.receiver.stop.wait(30)
        self.answer(200)

    def do_trickle(self, count):
        """Accepted, but the body never ends."""
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.server.receiver.stop.wait(30)

    def do_big(self, count):
        self.answer(200, b"x" * 1000000)

    def do_garbage(self, count, kind):
        self.wfile.write({"text": b"what is this?\r\n\r\n", "old": b"a body without a head",
                          "zeros": bytes(1000), "status": b"HTTP/1.1 2OO OK\r\nContent-Length: 0\r\n\r\n",
                          "half": b"HTTP/1.1 200 OK\r\nContent-Le", "nothing": b"",
                          "head": b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"y" * 90 + b"\r\n"
                          + b"X-More: " + b"z" * 60000 + b"\r\nX-Most: " + b"z" * 60000 + b"\r\n\r\n"}[kind])
        self.close_connection = True


class Receiver:
    def __init__(self, folder):
        self.folder, self.posts, self.servers = folder, [], []
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.told = lambda post: None
        copy_certificates(folder)
        self.plain = self.serve()
        self.https = self.serve("server")
        self.mtls = self.serve("server", client=True)
        self.wrong_name = self.serve("other")
        self.stranger = self.serve("stranger")

    def file(self, name):
        return os.path.join(self.folder, name)

    def serve(self, name=None, client=False, port=0):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.daemon_threads, server.receiver = True, self
        if name:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.file(name + ".pem"), self.file(name + ".key"))
            if client:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(self.file("ca.pem"))
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *args: None
        self.servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return server.server_address[1]

    def close(self):
        self.stop.set()
        for s in self.servers:
            s.shutdown()
            s.server_close()


def tell(post):
    h = post.headers
    print(post.path, "signed" if "Chancery-Signature" in h and post.signed(SECRET) else "unsigned",
          "next" if "Chancery-Signature" in h and post.signed(OTHER) else "-",
          h["Idempotency-Key"] or "-", h["Chancery-Attempt"] or "-", h["Authorization"] == "Bearer " + TOKEN,
          (post.client or "-").replace(" ", "_"), post.connection[1], h["Content-Type"].split(";")[0],
          h["X-Tenant"] or "-", post.body.decode(), flush=True)


def main():
    r = Receiver(sys.argv[1])
    r.told = tell
    print(r.plain, r.https, r.mtls, r.wrong_name, r.stranger, flush=True)
    sys.stdin.read()
    _made[0].cleanup()
    os._exit(0)


if __name__ == "__main__":
    main()
