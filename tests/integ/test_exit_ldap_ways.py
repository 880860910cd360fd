"""exit-ldap: the ways to a directory, whom it trusts, and a directory that goes, comes back or stands still."""
import os
import signal
import socket
import threading
import time

import slapd
from daemon import free_port, until
from directory import BY_MAIL, BY_NAME, CERT, PEOPLE, Directory, main
from slapd import ADMIN, SUFFIX


class Ways(Directory):
    """How the server is reached, and that it goes and comes back."""

    suppressed = b"leak:liblber\n"  # the context that all connections with one client certificate share

    def assert_works(self, uid):
        dn = self.s.person(uid)
        _, cert = self.issue("/CN=" + uid)
        self.assert_values(dn, CERT, cert)

    def setUp(self):
        super().setUp()
        self.d.set("ExitRetrySeconds", 1)

    def owed(self):
        """EventID to how often it was tried."""
        return {e["event_id"]: e["attempts"] for e in self.d.ask("GET", "/api/v1/modules/exit-ldap/events").json["events"]}

    def assert_refused(self, n):
        """So many events are tried again and again."""
        self.assertTrue(until(lambda: sum(a > 0 for a in self.owed().values()) == n, 60), self.d.stderr()[-3000:])

    def assert_taken(self):
        """Each of them, as the event that it was: nobody asked for anything else meanwhile."""
        self.assertTrue(until(lambda: not self.owed(), 60), self.d.stderr()[-3000:])

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
        self.ldap(BY_NAME, URI=["ldap://127.0.0.1:%d" % free_port(), self.s.url])
        self.assert_works("second")
        self.assert_said("cannot be used", "Can't contact LDAP server")

    def test_who_is_not_trusted_learns_nothing(self):
        ann = self.s.person("ann")
        other = self.temp()
        slapd.make_tls(other)
        self.ldap(BY_NAME, CACertFile=os.path.join(other, "tls-ca.pem"))
        self.issue("/CN=ann")
        self.assert_said(self.s.url, "cannot be used", "Connect error")
        self.ldap(BY_NAME, CACertFile=os.path.join(other, "tls-ca.pem"), URI=self.s.tls_url)
        self.issue("/CN=ann")
        self.assert_said(self.s.tls_url, "cannot be used", "Connect error")
        self.assertEqual(self.all_with(CERT), set())
        self.assert_refused(2)
        self.ldap(BY_NAME)
        self.assert_taken()
        self.assertEqual(len(self.s.values(ann, CERT)), 2)

    def test_a_wrong_password(self):
        self.s.person("ann")
        path = self.file(b"wrong\n", "password")
        os.chmod(path, 0o600)
        self.ldap(BY_NAME, PasswordFile=path)
        self.issue("/CN=ann")
        self.assert_said("Invalid credentials (49)")
        self.assert_refused(1)
        with open(path, "w") as f:
            f.write(slapd.PASSWORD)
        self.assert_taken()
        self.assertTrue(self.all_with(CERT))
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
        self.assert_refused(1)
        self.s.start()
        self.assert_taken()
        self.assert_values(ann, CERT, first, second, third)

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
            self.assert_refused(1)
        finally:
            self.s.proc.send_signal(signal.SIGCONT)
        self.assert_taken()
        self.assert_values(ann, CERT, first, second)
        self.assertFalse(self.d.module("exit-ldap")["quarantined"])


class Flood(Directory):
    """A directory whose answer has no end."""

    def serve(self, client):
        with client:
            client.recv(65536)
            entry = b"\x04\x08cn=ann,o\x30\x00"
            entry = b"\x64" + bytes([len(entry)]) + entry
            found = b"\x02\x01\x01" + entry
            try:
                while not self.over:
                    client.sendall((b"\x30" + bytes([len(found)]) + found) * 1000)
            except OSError:
                pass

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.served += 1
            self.serve(client)

    def test_an_answer_without_an_end(self):
        self.over, self.served = False, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=self.accept)
        thread.start()
        try:
            self.ldap(BY_MAIL, URI="ldap://127.0.0.1:%d" % self.listener.getsockname()[1], RequireTLS=0, StartTLS=0, BindDN=None,
                      PasswordFile=None, Timeout=20)
            began = time.monotonic()
            self.issue("/CN=ann", ("email:ann@example.test",))
            self.assert_said("it says more than it was asked for")
            self.assertLess(time.monotonic() - began, 15)
            self.assertFalse(self.d.module("exit-ldap")["quarantined"])
        finally:
            self.over = True
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            thread.join()
        ann = self.s.person("ann", mail="ann@example.test")
        self.ldap(BY_MAIL)
        self.assertTrue(until(lambda: self.s.values(ann, CERT), 60), self.d.stderr()[-2000:])  # the same event


if __name__ == "__main__":
    main()
