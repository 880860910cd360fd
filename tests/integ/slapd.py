"""A real slapd in a temporary folder, on ports and a socket of its own, and ldapsearch to look into it."""
import base64
import os
import shutil
import signal
import subprocess
import urllib.parse

import daemon
from daemon import free_port, run, until

SUFFIX = "dc=example,dc=test"
ADMIN, PASSWORD = "cn=admin," + SUFFIX, "right horse"

CONF = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %(folder)s/pid
TLSCACertificateFile %(folder)s/tls-ca.pem
TLSCertificateFile %(folder)s/server.pem
TLSCertificateKeyFile %(folder)s/server.key
TLSVerifyClient try
sizelimit unlimited
%(more)s
authz-regexp "gidNumber=%(gid)d[+]uidNumber=%(uid)d,cn=peercred,cn=external,cn=auth" "cn=ca,%(suffix)s"
authz-regexp "cn=publisher" "cn=ca,%(suffix)s"
database mdb
maxsize 67108864
suffix "%(suffix)s"
rootdn "%(admin)s"
rootpw "%(password)s"
directory %(folder)s/db
dbnosync
access to dn.subtree="ou=closed,%(suffix)s" by * read
access to * by dn.exact="cn=ca,%(suffix)s" manage by * read
"""

LDIF = """
dn: %(suffix)s
objectClass: organization
objectClass: dcObject
o: Example
dc: example

dn: ou=people,%(suffix)s
objectClass: organizationalUnit
ou: people

dn: ou=closed,%(suffix)s
objectClass: organizationalUnit
ou: closed

dn: ou=pki,%(suffix)s
objectClass: organizationalUnit
ou: pki
"""


def make_tls(folder):
    """A CA for the wire, the server's certificate and one of a client; nothing of the CA under test."""
    def path(name):
        return os.path.join(folder, name)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=Wire CA",
        "-keyout", path("tls-ca.key"), "-out", path("tls-ca.pem"))
    for name, subject, san in (("server", "/CN=localhost", "DNS:localhost,IP:127.0.0.1"), ("client", "/CN=publisher", "DNS:publisher.test")):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", subject,
            "-addext", "subjectAltName=" + san, "-addext", "basicConstraints=critical,CA:FALSE", "-CA", path("tls-ca.pem"), "-CAkey", path("tls-ca.key"),
            "-keyout", path(name + ".key"), "-out", path(name + ".pem"))
        os.chmod(path(name + ".key"), 0o600)


def available():
    return os.path.exists("/usr/sbin/slapd") and shutil.which("ldapsearch") is not None


class Slapd:
    def __init__(self, more=""):
        self.folder = daemon.folder("slapd-")
        os.mkdir(os.path.join(self.folder, "db"))
        make_tls(self.folder)
        self.port, self.tls_port = free_port(), free_port()
        self.url, self.tls_url = "ldap://127.0.0.1:%d" % self.port, "ldaps://127.0.0.1:%d" % self.tls_port
        self.socket_url = "ldapi://" + urllib.parse.quote(self.path("socket"), safe="")
        with open(self.path("slapd.conf"), "w") as f:
            f.write(CONF % {"folder": self.folder, "suffix": SUFFIX, "admin": ADMIN, "password": PASSWORD, "uid": os.getuid(),
                            "gid": os.getgid(), "more": more})
        with open(self.path("password"), "w") as f:
            f.write(PASSWORD + "\n")
        os.chmod(self.path("password"), 0o600)
        # A copy: where AppArmor confines the installed one, that may not read this folder.
        shutil.copy("/usr/sbin/slapd", self.path("slapd"))
        self.proc = None
        self.start()
        self.add(LDIF % {"suffix": SUFFIX})

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self):
        with open(self.path("log"), "ab") as log:
            self.proc = subprocess.Popen([self.path("slapd"), "-d", "256", "-f", self.path("slapd.conf"),
                                          "-h", " ".join((self.url, self.tls_url, self.socket_url))], stdout=log, stderr=log)
        up = until(lambda: self.proc.poll() is not None or run("ldapsearch", "-x", "-H", self.url, "-s", "base", "-b", "", check=False).returncode == 0, 60)
        if not up or self.proc.poll() is not None:
            with open(self.path("log")) as f:
                raise AssertionError("slapd does not start: " + f.read()[-2000:])

    def stop(self, number=signal.SIGTERM):
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(number)
            self.proc.wait(60)

    def close(self):
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        with open(self.path("log"), errors="replace") as f:
            return f.read()

    def as_admin(self, program, *argv, data=None):
        return run(program, "-x", "-H", self.url, "-D", ADMIN, "-w", PASSWORD, *argv, data=data)

    def add(self, ldif):
        self.as_admin("ldapadd", data=ldif.encode())

    def modify(self, ldif):
        self.as_admin("ldapmodify", data=ldif.encode())

    def put(self, dn, attribute, *values):
        """Exactly these values."""
        lines = ["dn: " + dn, "changetype: modify", "replace: " + attribute]
        self.modify("\n".join(lines + ["%s:: %s" % (attribute, base64.b64encode(v).decode()) for v in values]) + "\n")

    def person(self, uid, **more):
        fields = dict({"sn": uid, "cn": uid}, **more)
        self.add("dn: uid=%s,ou=people,%s\nobjectClass: inetOrgPerson\nuid: %s\n" % (uid, SUFFIX, uid) +
                 "".join("%s: %s\n" % f for f in fields.items()))
        return "uid=%s,ou=people,%s" % (uid, SUFFIX)

    def search(self, base=SUFFIX, scope="sub", filter="(objectClass=*)", attributes=("*",)):
        """DN to attribute to the set of its values; nothing there: nothing."""
        done = run("ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", self.url, "-b", base, "-s", scope, filter, *attributes, check=False)
        if done.returncode == 32:
            return {}
        if done.returncode:
            raise AssertionError(done)
        found, entry = {}, None
        for line in done.stdout.decode().splitlines():
            name, _, value = line.partition(":")
            value = base64.b64decode(value[2:]) if value.startswith(": ") else value[1:].encode()
            if name == "dn":
                entry = found.setdefault(value.decode(), {})
            elif name:
                entry.setdefault(name, set()).add(value)
        return found

    def values(self, dn, attribute):
        """None: no such entry."""
        found = self.search(dn, "base", attributes=(attribute,))
        return {v for e in found.values() for v in e.get(attribute, ())} if found else None
