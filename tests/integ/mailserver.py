"""A mail server of the tests' own (aiosmtpd), on a port that stays its own while it is down and up again, and a daemon that mails to it."""
import email
import email.policy
import logging
import os
import ssl
import sys
import time

sys.path.append("/usr/lib/python3/dist-packages")  # where Debian has it, should another Python be the first one
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from daemon import Case, Daemon, free_port, make_ca, make_csr, run, until

logging.disable(logging.CRITICAL)  # of the server, which tells of each client that hangs up on it
MINE = "ExitModules/exit-mail/"
ISSUE, PEND = 1, 0x101
HOLDER = dict(names=["email:holder@example.test"], subject="/CN=Holder/emailAddress=holder@example.test")
USER, PASSWORD = b"ca", b"correct horse"


def certificate(path, *names):
    """Self-signed, and so its own CA file."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=mail",
        "-addext", "subjectAltName=" + ",".join(names), "-keyout", path + ".key", "-out", path)
    return path


class Mail:
    def __init__(self, sender, to, raw, user=None, tls=None):
        self.sender, self.to, self.raw, self.user, self.tls = sender, to, raw, user, tls
        self.message = email.message_from_bytes(self.raw, policy=email.policy.default)

    def __getitem__(self, header):
        return self.message[header]

    @property
    def event(self):
        return self["X-Chancery-Event"]

    @property
    def body(self):
        return self.message.get_content().replace("\r\n", "\n")


class MailServer:
    def __init__(self, certificate=None, implicit=False, auth=False):
        self.port, self.mails, self.controller = free_port(), [], None
        self.refuse = {}  # the recipient's local part: the answer
        self.seen = []
        self.options = {"hostname": "127.0.0.1", "port": self.port, "ident": "test"}
        if certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate, certificate + ".key")
            if implicit:
                self.options["ssl_context"] = context
            else:
                self.options.update(tls_context=context, require_starttls=True)
        if auth:
            self.options.update(authenticator=self.authenticate, auth_required=bool(certificate), auth_require_tls=bool(certificate) and not implicit)
        self.up()

    def authenticate(self, server, session, envelope, mechanism, data):
        ok = isinstance(data, LoginPassword) and (data.login, data.password) == (USER, PASSWORD)
        self.seen.append((mechanism, ok))
        said = "535 5.7.8 what is %s of %s?" % (data.password.decode(), data.login.decode())
        return AuthResult(success=ok, handled=False, auth_data=data.login if ok else None, message=None if ok else said)

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = self.refuse.get(address.split("@")[0])
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        self.mails.append(Mail(envelope.mail_from, envelope.rcpt_tos, envelope.content, session.auth_data, session.ssl is not None or "ssl_context" in self.options))
        return "250 2.0.0 taken"

    def up(self):
        self.controller = Controller(self, **self.options)
        self.controller.start()

    def down(self):
        if self.controller:
            self.controller.stop()
        self.controller = None

    def wait(self, n, seconds=60, event=None):
        """The mails of this event, as soon as there are so many."""
        def have():
            return [m for m in list(self.mails) if event in (None, m.event)]
        assert until(lambda: len(have()) >= n, seconds), "%d of %s" % (len(have()), [m.event for m in self.mails])
        return have()

    def nothing_more(self, n, seconds=1):
        time.sleep(seconds)
        assert len(self.mails) == n, [(m.event, m.to) for m in self.mails]


class Mailing(Case):
    disposition = ISSUE

    def setUp(self):
        self.path = self.temp()
        make_ca(self.path, "--key", "p256")

    def server(self, *args, **options):
        s = MailServer(*args, **options)
        self.addCleanup(s.down)
        return s

    def password(self, text=PASSWORD, mode=0o600):
        path = self.file(text + b"\n", "password")
        os.chmod(path, mode)
        return path

    def begin(self, server, loaded=True, **settings):
        settings.setdefault("SMTPServer", "localhost")
        settings.setdefault("SMTPPort", server.port)
        with Daemon.of_dir(self.path) as d:
            for name, value in settings.items():
                d.set(MINE + name.replace("__", "/"), value)
            d.set("ExitModules/Active", ["exit-mail"])
            d.policy("RequestDisposition", self.disposition)
        return self.again(loaded)

    def again(self, loaded=True):
        self.d = Daemon.of_dir(self.path)
        self.addCleanup(self.d.close)
        self.addCleanup(self.d.stop)
        self.assertEqual(self.d.module("exit-mail")["loaded"], loaded, self.d.stderr())
        return self.d

    def issue(self, csr=None, template="email"):
        answer = self.d.submit(csr or make_csr(**HOLDER), attributes={"CertificateTemplate": template})
        self.assertEqual(answer.status, 201, answer)
        return answer.json

    def revoke(self, serial, reason="superseded"):
        a = self.d.ask("POST", "/api/v1/certificates/%s/revoke" % serial, '{"reason": "%s"}' % reason, {"Content-Type": "application/json"})
        self.assertEqual(a.status, 200, a)

    def quiet(self):
        self.assertTrue(until(lambda: self.d.metric("exit_backlog") == 0, 60))
