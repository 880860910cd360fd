"""exit-ldap: the ways to a directory, whom it trusts, and a directory that goes, comes back or stands still."""
import os
import signal

import slapd
from daemon import until
from directory import BY_NAME, CERT, PEOPLE, Directory, main
from slapd import ADMIN, SUFFIX


class Ways(Directory):
    """How the server is reached, and that it goes and comes back."""

    suppressed = b"leak:liblber\n"  # the context that all connections with one client certificate share

    def assert_works(self, uid):
        dn = self.s.person(uid)
        _, cert = self.issue("/CN=" + uid)
        self.assert_values(dn, CERT, cert)

    def test_ways_in(self):
        self.ldap(BY_NAME, URI=self.s.tls_url)
        self.assert_works("ldaps")
        external = {"BindDN": None, "PasswordFile": None, "SASLMechanism": "EXTERNAL"}
        self.s.modify("dn: %s\nchangetype: modify\nreplace: description\ndescription: x\n" % PEOPLE)
        self.ldap(BY_NAME, external, URI=self.s.socket_url)
        self.assert_works("ldapi")
        self.ldap(BY_NAME, external, ClientCertFile=self.s.path("client.pem"), ClientKeyFile=self.s.path("client.key"))
        self.assert_works("starttls-external")
        self.ldap(BY_NAME, external, URI=self.s.tls_url, ClientCertFile=self.s.path("client.pem"), ClientKeyFile=self.s.path("client.key"))
        self.assert_works("ldaps-external")
        self.ldap(BY_NAME, RequireTLS=0, StartTLS=0)
        self.assert_works("clear")
        self.ldap(BY_NAME, URI=["ldap://127.0.0.1:%d" % slapd.free_port(), self.s.url])
        self.assert_works("second")
        self.assert_said("cannot be used", "Can't contact LDAP server")

    def test_who_is_not_trusted_learns_nothing(self):
        self.s.person("ann")
        other = self.temp()
        slapd.make_tls(other)
        self.ldap(BY_NAME, CACertFile=os.path.join(other, "tls-ca.pem"))
        self.issue("/CN=ann")
        self.assert_said(self.s.url, "cannot be used", "Connect error")
        self.ldap(BY_NAME, CACertFile=os.path.join(other, "tls-ca.pem"), URI=self.s.tls_url)
        self.issue("/CN=ann")
        self.assert_said(self.s.tls_url, "cannot be used", "Connect error")
        self.assertEqual(self.all_with(CERT), set())
        self.ldap(BY_NAME)
        self.issue("/CN=ann")
        self.assertTrue(until(lambda: self.all_with(CERT)))

    def test_a_wrong_password(self):
        self.s.person("ann")
        path = self.file(b"wrong\n", "password")
        os.chmod(path, 0o600)
        self.ldap(BY_NAME, PasswordFile=path)
        self.issue("/CN=ann")
        self.assert_said("Invalid credentials (49)")
        with open(path, "w") as f:
            f.write(slapd.PASSWORD)
        self.issue("/CN=ann")
        self.assertTrue(until(lambda: self.all_with(CERT)))
        self.assertNotIn(slapd.PASSWORD, self.d.stderr())

    def test_it_goes_and_comes_back(self):
        ann = self.s.person("ann")
        self.ldap(BY_NAME)
        _, first = self.issue("/CN=ann")
        self.assert_values(ann, CERT, first)
        self.s.stop()
        self.s.start()
        _, second = self.issue("/CN=ann")  # on a new connection, at once
        self.assert_values(ann, CERT, first, second)
        self.s.stop(signal.SIGKILL)
        _, third = self.issue("/CN=ann")
        self.assert_said("Can't contact LDAP server")
        self.s.start()
        _, fourth = self.issue("/CN=ann")
        self.assertTrue(until(lambda: {first, second, fourth} <= self.s.values(ann, CERT)))

    def test_it_stands_still(self):
        ann = self.s.person("ann")
        self.d.set("ModuleTimeoutMilliseconds", 4000)
        self.ldap(BY_NAME, Timeout=1)
        _, first = self.issue("/CN=ann")
        self.assert_values(ann, CERT, first)
        self.s.proc.send_signal(signal.SIGSTOP)
        try:
            _, second = self.issue("/CN=ann")
            self.assert_said("Timed out")
        finally:
            self.s.proc.send_signal(signal.SIGCONT)
        _, third = self.issue("/CN=ann")
        self.assertTrue(until(lambda: {first, third} <= self.s.values(ann, CERT)))
        self.assertFalse(self.d.module("exit-ldap")["quarantined"])


if __name__ == "__main__":
    main()
