"""A real Exim on a port of its own: unpacked and not installed (./dev puts it into build/deps/exim), run by an unprivileged user out of
a temporary folder. It takes mail over TLS from who knows the password, and delivers into files."""
import glob
import grp
import os
import pwd
import shutil
import subprocess

import daemon
from daemon import free_port, until
from mailserver import PASSWORD, USER, Mail, certificate

DEPS = os.path.join(daemon.TREE, "build/deps/exim")
CONFIG = """
keep_environment =
primary_hostname = mail.example.test
exim_user = {user}
exim_group = {group}
spool_directory = {folder}/spool
log_file_path = {folder}/log-%slog
pid_file_path = {folder}/exim.pid
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
deliver_drop_privilege = true
tls_advertise_hosts = *
tls_certificate = {folder}/mail.pem
tls_privatekey = {folder}/mail.pem.key
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  deny message = 5.1.1 no such mailbox
    local_parts = gone
  defer message = 4.2.0 not now
    condition = ${{if exists{{{folder}/busy}}}}
  accept authenticated = *
    encrypted = *
  deny message = 5.7.1 relaying denied
begin routers
here:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  envelope_to_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{login}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
  server_advertise_condition = ${{if def:tls_in_cipher}}
"""


def program():
    """None: there is none."""
    found = [p for p in (DEPS + "/usr/sbin/exim4", "/usr/sbin/exim4") if os.path.exists(p)]
    wrapper = glob.glob(DEPS + "/usr/lib/*/libnss_wrapper.so") + glob.glob("/usr/lib/*/libnss_wrapper.so")
    return (found[0], wrapper[0]) if found and wrapper else None


class Exim:
    def __init__(self):
        self.folder, self.port, self.proc = daemon.folder("exim-"), free_port(), None
        self.uid, self.gid = (65534, 65534) if os.getuid() == 0 else (os.getuid(), os.getgid())
        certificate(self.path("mail.pem"), "DNS:localhost")
        shutil.copy(program()[0], self.path("exim"))
        self.write("exim.conf", CONFIG.format(folder=self.folder, port=self.port, login=USER.decode(), password=PASSWORD.decode(),
                                              user=pwd.getpwuid(self.uid).pw_name, group=grp.getgrgid(self.gid).gr_name))
        with open("/etc/passwd") as p, open("/etc/group") as g:  # the binary insists on its own user
            self.write("passwd", p.read() + "Debian-exim:x:%d:%d::/:/bin/false\n" % (self.uid, self.gid))
            self.write("group", g.read() + "Debian-exim:x:%d:\n" % self.gid)
        for name in ("spool", "mail"):
            os.mkdir(self.path(name))
        for name in [""] + os.listdir(self.folder):
            os.chown(self.path(name), self.uid, self.gid)
        self.up()

    def path(self, name):
        return os.path.join(self.folder, name) if name else self.folder

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)

    def up(self):
        environment = {"LD_PRELOAD": program()[1], "NSS_WRAPPER_PASSWD": self.path("passwd"), "NSS_WRAPPER_GROUP": self.path("group"),
                       "LD_LIBRARY_PATH": ":".join(glob.glob(DEPS + "/usr/lib/*-linux-gnu*"))}
        drop = dict(user=self.uid, group=self.gid, extra_groups=[]) if os.getuid() == 0 else {}
        with open(self.path("out"), "ab") as out:
            self.proc = subprocess.Popen([self.path("exim"), "-C", self.path("exim.conf"), "-bdf"], env=environment, stdout=out, stderr=out, **drop)
        if not until(lambda: os.path.exists(self.path("exim.pid")) or self.proc.poll() is not None) or self.proc.poll() is not None:
            with open(self.path("out")) as f:
                raise AssertionError("exim does not start: " + f.read())

    def down(self):
        if self.proc:
            self.proc.terminate()
            self.proc.wait()
        self.proc = None

    def close(self):
        self.down()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        with open(self.path("log-mainlog")) as f:
            return f.read()

    @property
    def mails(self):
        """What was delivered, as the mailbox has it."""
        found = []
        for name in sorted(glob.glob(self.path("mail/new/*"))):
            with open(name, "rb") as f:
                found.append(Mail(None, None, f.read()))
        return found

    def wait(self, n, seconds=60):
        assert until(lambda: len(self.mails) >= n, seconds), self.log()
        return self.mails
