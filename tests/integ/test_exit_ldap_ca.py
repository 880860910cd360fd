"""exit-ldap: what a CA's own entries hold, its certificates, CRLs of all its keys and partitions, cross certificates."""
import os
import re
import urllib.parse

import daemon
from daemon import run, until
from directory import ARL, CA_CERT, CERT, CRL, CRL_POINTS, CROSS, DELTA, OF_CA, PKI, Directory, main
from slapd import ADMIN, SUFFIX


class Authorities(Directory):
    def ca_certs(self):
        return {self.d.ask("GET", "/aia/" + urllib.parse.quote(c["file"], safe="()")).body
                for c in self.d.ask("GET", "/api/v1/ca").json["certificates"]}

    def test_certificates_crls_and_renewal(self):
        ca, crl = "cn=Test CA," + PKI, "cn=Test CA CRL," + PKI
        self.ldap(OF_CA, CRL_POINTS, Publish=["ca", "crl", "delta", "arl"])
        serial, _ = self.issue("/CN=a")
        self.d.set("CRLPublishOnRevoke", "no")
        self.d.set("CRLDeltaPeriodUnits", 1)
        self.post("/crl")
        self.assert_values(crl, CRL, self.served("base"))
        self.assert_values(crl, ARL, self.served("base"))
        self.assert_values(ca, CA_CERT, *self.ca_certs())
        self.post("/certificates/%s/revoke" % serial)
        self.post("/crl", '{"kind":"delta"}')
        self.assertIn(bytes.fromhex(serial), self.served("delta"))
        self.assert_values(crl, DELTA, self.served("delta"))
        self.post("/ca/renew", "{}")
        self.post("/ca/renew", '{"new_key":true}')
        self.assertTrue(until(lambda: self.served("base", 2)))
        self.assertEqual(len(self.ca_certs()), 3)
        self.assert_values(ca, CA_CERT, *self.ca_certs())
        self.assert_values("cn=Test CA(2) CRL," + PKI, CRL, self.served("base", 2))
        self.post("/crl")
        self.assertIn(bytes.fromhex(serial), self.served("base"))
        self.assert_values(crl, CRL, self.served("base"))
        self.assertEqual(self.all_with(CRL), {crl, "cn=Test CA(2) CRL," + PKI})

    def test_an_older_crl_takes_no_newers_place(self):
        dn = "cn=Test CA," + PKI
        self.ldap(OF_CA, Publish="crl")
        self.post("/crl")
        first = self.served("base")
        self.assert_values(dn, CRL, first)
        number = first.index(b"\x55\x1d\x14") + 5  # OCTET STRING, INTEGER, its length
        newer = bytearray(first)
        newer[number + 2] += 1
        foreign = bytearray(first)
        foreign[first.index(b"Test CA")] = ord("X")
        self.s.put(dn, CRL, bytes(newer), bytes(foreign))
        self.post("/crl")
        self.assert_said("cn=Test CA,ou=pki", "what stands there is newer, and stays")
        self.assertEqual(self.s.values(dn, CRL), {bytes(newer), bytes(foreign)})
        self.s.put(dn, CRL, first, bytes(foreign))
        self.post("/crl")
        self.assert_values(dn, CRL, self.served("base"), bytes(foreign))
        self.assertNotEqual(first, self.served("base"))

    def test_the_first_minute_of_the_page(self):
        with open(os.path.join(daemon.TREE, "docs/modules/exit-ldap.md")) as f:
            text = f.read().split("## The first minute")[1].split("What stands there")[0]
        commands = [line[4:] for line in text.splitlines() if re.match("    (ldap|chancery) ?", line) and "Active" not in line]
        self.assertGreater(len(commands), 10)
        script = "\n".join(commands).replace("ldap://ldap.corp.example", self.s.url).replace("cn=ca,dc=corp,dc=example", ADMIN)
        script = script.replace("dc=corp,dc=example", SUFFIX).replace("/etc/chancery/ldap.password", self.s.path("password"))
        self.d.set("ExitModules/exit-ldap/CACertFile", self.s.path("tls-ca.pem"))
        self.d.set("CRLPublishOnRevoke", "no")
        run("env", "PATH=%s:%s" % (daemon.BIN, os.environ["PATH"]), "CHANCERY_SOCKET=" + self.d.socket, "sh", "-ec", script)
        bob = self.s.person("bob", mail="bob@example.test")
        _, cert = self.issue("/CN=whoever", ("email:bob@example.test",))
        self.assert_values(bob, CERT, cert)
        self.post("/crl")
        self.assert_values("cn=Test CA," + PKI, CA_CERT, *self.ca_certs())
        self.assert_values("cn=Test CA CRL," + PKI, CRL, self.served("base"))

    def test_two_keys_share_an_entry(self):
        dn = "cn=Test CA," + PKI
        self.ldap(OF_CA, Publish=["ca", "crl"])
        self.post("/ca/renew", '{"new_key":true}')
        self.assertTrue(until(lambda: self.served("base", 1)))
        self.post("/crl")
        self.assert_values(dn, CRL, self.served("base"), self.served("base", 1))

    def test_partitions(self):
        self.ldap(OF_CA, CRL_POINTS, Publish="crl")
        self.d.set("PublicationCheck", "no")
        self.d.set("CRLPublicationURLs", ["6:http://127.0.0.1/crl/%3%8<CRLPartitionIndex>%9.crl"])
        self.d.set("CRLMaxPartitions", 2)
        self.post("/crl")
        self.assertTrue(until(lambda: self.served("base", 0, 2)))
        for shard, name in ((0, "Test CA CRL"), (1, "Test CA_Partition00001 CRL"), (2, "Test CA_Partition00002 CRL")):
            self.assert_values("cn=%s,%s" % (name, PKI), CRL, self.served("base", 0, shard))
        self.ldap(OF_CA, Publish="crl")
        serial, _ = self.issue("/CN=a")
        self.post("/certificates/%s/revoke" % serial)
        self.post("/crl")
        self.assert_said("CRLDN has no <CRLPartitionIndex>")
        self.assert_values("cn=Test CA," + PKI, CRL, self.served("base"))

    def test_cross_certificates(self):
        with open(os.path.join(self.ca_dir, "ca.pem")) as f:
            own = f.read()
        path = self.temp()
        names = {n: os.path.join(path, n) for n in ("key", "ca.pem", "own.pem", "to.der", "by.der")}
        with open(names["own.pem"], "w") as f:
            f.write(own)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Other CA", "-keyout", names["key"],
            "-out", names["ca.pem"])
        key = run("openssl", "x509", "-pubkey", "-noout", data=own.encode()).stdout
        run("openssl", "x509", "-new", "-subj", "/CN=Test CA", "-force_pubkey", self.file(key), "-CA", names["ca.pem"], "-CAkey", names["key"],
            "-days", "9", "-outform", "DER", "-out", names["to.der"])
        run("openssl", "x509", "-new", "-subj", "/CN=Other CA", "-force_pubkey", self.file(run("openssl", "ec", "-in", names["key"], "-pubout").stdout),
            "-CA", names["own.pem"], "-CAkey", os.path.join(self.ca_dir, "key.pem"), "-days", "9", "-outform", "DER", "-out", names["by.der"])
        dn = "cn=Test CA," + PKI
        self.ldap(OF_CA, Publish=["ca", "cross"], CrossCertFiles=[names["to.der"], names["by.der"]])
        self.post("/crl")

        def pair(tag, name):
            with open(names[name], "rb") as f:
                der = f.read()
            return b"\x30\x82" + (len(der) + 4).to_bytes(2, "big") + bytes((tag, 0x82)) + len(der).to_bytes(2, "big") + der
        expected = {pair(0xa0, "to.der"), pair(0xa1, "by.der")}
        self.assert_values(dn, CROSS, *expected)
        self.post("/crl")
        self.assert_values(dn, CROSS, *expected)
        with open(names["to.der"], "wb") as f:
            f.write(b"\x30\x03\x02\x01\x00")
        self.post("/crl")
        self.assert_said("CrossCertFiles", "is no certificate")
        self.assert_values(dn, CROSS, *expected)


class Announced(Authorities):
    """The event is committed before the CRLs are taken over: who reads it at once asks for the new ones all the same."""
    fault = "crl.before_taken_over:0:sleep400"
    test_an_older_crl_takes_no_newers_place = None
    test_cross_certificates = None
    test_partitions = None
    test_the_first_minute_of_the_page = None
    test_two_keys_share_an_entry = None


if __name__ == "__main__":
    main()
