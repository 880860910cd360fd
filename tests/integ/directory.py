"""A daemon that publishes to a slapd of the test's own."""
import urllib.parse

import daemon
import slapd
from daemon import Case, Certificate, Daemon, make_ca, make_csr, until
from slapd import ADMIN, SUFFIX, Slapd

MODULE = "ExitModules/exit-ldap/"
PEOPLE, PKI = "ou=people," + SUFFIX, "ou=pki," + SUFFIX
CERT, CA_CERT, CRL = "userCertificate;binary", "cACertificate;binary", "certificateRevocationList;binary"
DELTA, ARL, CROSS = "deltaRevocationList;binary", "authorityRevocationList;binary", "crossCertificatePair;binary"
BY_NAME = {"UserDN": "uid=%{CommonName},ou=people,%6"}
BY_MAIL = {"UserSearchBase": PEOPLE, "UserFilter": "(&(objectClass=inetOrgPerson)(mail=%{SAN.email}))"}
OF_CA = {"CADN": "cn=%7,ou=pki,%6", "CAObjectClass": ["applicationProcess", "pkiCA", "deltaCRL"]}
CRL_POINTS = {"CRLDN": "cn=%7%8<CRLPartitionIndex> CRL,ou=pki,%6", "CRLObjectClass": ["cRLDistributionPoint"]}


class Directory(Case):
    suppressed, fault = b"", ""

    def setUp(self):
        self.s = Slapd()
        self.addCleanup(self.s.close)
        self.path = self.temp()
        self.ca_dir = make_ca(self.path, "--issue")
        with Daemon.of_dir(self.path) as d:
            d.set("ExitModules/Active", ["exit-ldap"])
            d.policy("DefaultProfile", "people")
            d.policy("Profiles/people/AllowedSubject", ["CommonName", "OrgUnit", "DomainComponent"])
            d.policy("Profiles/people/SanTypes", ["dns", "email"])
        # libldap over GnuTLS loses the keys of client certificates; all else that is lost counts.
        names = self.file(b"".join(b"leak:lib%s\n" % n for n in (b"gnutls", b"tasn1", b"gmp")) + self.suppressed, "lsan")
        self.d = Daemon.of_dir(self.path, env={"LSAN_OPTIONS": "print_suppressions=0:suppressions=" + names, "CHANCERY_FAULT": self.fault})
        self.addCleanup(self.d.close)
        self.addCleanup(self.d.stop)

    def ldap(self, *more, **settings):
        """These settings of the module and no others; by StartTLS as the administrator if nothing else is said."""
        wanted = {"URI": self.s.url, "CACertFile": self.s.path("tls-ca.pem"), "BindDN": ADMIN, "PasswordFile": self.s.path("password"),
                  "BaseDN": SUFFIX, "Timeout": 3}
        for m in more:
            wanted.update(m)
        wanted.update(settings)
        for name in getattr(self, "was", {}):
            if wanted.get(name) is None:
                self.d.unset(MODULE + name)
        self.was = {k: v for k, v in wanted.items() if v is not None}
        for name, value in self.was.items():
            self.d.set(MODULE + name, value)

    def issue(self, subject, names=(), **more):
        answer = self.d.submit(make_csr(names, subject), **more)
        self.assertEqual(answer.status, 201, answer)
        return answer.json["serial"], Certificate(answer.json["certificate"]).der

    def post(self, path, body=None):
        answer = self.d.ask("POST", "/api/v1" + path, body, {"Content-Type": "application/json"} if body else None)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def assert_values(self, dn, attribute, *values):
        until(lambda: self.s.values(dn, attribute) == set(values))
        self.assertEqual(self.s.values(dn, attribute), set(values), self.d.stderr()[-3000:])

    def assert_said(self, *words, since=0):
        def said():
            return any(all(w in line for w in words) for line in self.d.stderr()[since:].splitlines())
        self.assertTrue(until(said), (words, self.d.stderr()[-3000:]))

    def all_with(self, attribute):
        return {dn for dn in self.s.search(filter="(%s=*)" % attribute.split(";")[0], attributes=("1.1",))}

    def served(self, kind, key=0, shard=0):
        """The CRL that the daemon serves."""
        for c in self.d.ask("GET", "/api/v1/crl").json["crls"]:
            if (c["kind"], c["key_index"], c["shard"]) == (kind, key, shard):
                return self.d.ask("GET", "/crl/" + urllib.parse.quote(c["name"], safe="()+!")).body
        return None


def main():
    if not slapd.available():
        raise SystemExit("slapd and ldap-utils are needed: apt-get install slapd ldap-utils")
    daemon.main()
