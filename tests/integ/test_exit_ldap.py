"""exit-ldap: certificates of users in a real slapd, to the octet as they were issued; what its page in docs/ says."""
import os
import re
import unittest

import daemon
from daemon import Certificate, run, until
from directory import BY_MAIL, BY_NAME, CERT, PEOPLE, Directory, main
from slapd import SUFFIX

PAGE = os.path.join(daemon.TREE, "docs/modules/exit-ldap.md")
SOURCE = os.path.join(daemon.TREE, "modules/exit-ldap")


class Page(unittest.TestCase):
    def read(self, path):
        with open(path) as f:
            return f.read()

    def section(self, title):
        return self.read(PAGE).split(title + "\n")[1].split("\n## ")[0].split("\n### ")[0]

    def test_settings_of_the_page_are_those_of_the_code(self):
        rows = re.findall(r"^\| (`.*?) \|", self.section("## Settings"), re.M)
        told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
        self.assertEqual(told, set(re.findall(r'\.name = "(\w+)"', self.read(os.path.join(SOURCE, "settings.c")))))

    def test_fields_of_the_page_are_those_of_the_code(self):
        code = self.read(os.path.join(SOURCE, "template.c")).split("user_fields[] = {")[1].split("};")[0]
        known = set(re.findall(r'\{"([\w.]+)"', code))
        told = set(re.findall(r"%\{([\w.]+)\}", self.section("### Patterns")))
        self.assertLess(told, known)


class Users(Directory):
    def test_by_name_and_by_search(self):
        ann, bob = self.s.person("ann"), self.s.person("bob", mail="bob@example.test")
        self.ldap(BY_NAME)
        _, first = self.issue("/CN=ann")
        self.assert_values(ann, CERT, first)
        _, second = self.issue("/CN=ann")
        self.assert_values(ann, CERT, first, second)
        self.ldap(BY_MAIL)
        _, third = self.issue("/CN=whoever", ("email:bob@example.test",))
        self.assert_values(bob, CERT, third)
        self.assert_values(ann, CERT, first, second)
        self.ldap(BY_MAIL, UserTemplates=["Mail"], UserScope="one")
        self.issue("/CN=whoever", ("email:bob@example.test",))
        self.ldap(BY_MAIL, UserScope="one")
        _, fourth = self.issue("/CN=whoever", ("email:bob@example.test",))
        self.assert_values(bob, CERT, third, fourth)

    def test_revoked_and_released(self):
        ann = self.s.person("ann")
        self.ldap(BY_NAME, RemoveRevoked=1)
        (serial, cert), (_, other) = self.issue("/CN=ann"), self.issue("/CN=ann")
        self.assert_values(ann, CERT, cert, other)
        self.post("/certificates/%s/revoke" % serial, '{"reason":"certificateHold"}')
        self.assert_values(ann, CERT, other)
        self.post("/certificates/%s/release" % serial)
        self.assert_values(ann, CERT, cert, other)
        self.ldap(BY_NAME)
        self.post("/certificates/%s/revoke" % serial)
        _, third = self.issue("/CN=ann")
        self.assert_values(ann, CERT, cert, other, third)

    def test_made_when_it_is_not_there(self):
        dn = "uid=new,ou=people," + SUFFIX
        self.ldap(BY_NAME, UserObjectClass=["inetOrgPerson"], UserAttributes=["sn=%{CommonName}", "cn=%{CommonName}", "uid=new", "mail=%{SAN.email}"])
        _, cert = self.issue("/CN=new", ("email:new@example.test",))
        self.assert_values(dn, CERT, cert)
        self.assertEqual(self.s.search(dn)[dn], {"objectClass": {b"inetOrgPerson"}, "uid": {b"new"}, "cn": {b"new"}, "sn": {b"new"},
                                                 "mail": {b"new@example.test"}, CERT: {cert}})

    def test_not_there(self):
        self.ldap(BY_NAME)
        self.issue("/CN=later")
        self.assert_said("uid=later,ou=people", "No such object", "make the entry")
        later = self.s.person("later")
        _, cert = self.issue("/CN=later")
        self.assertTrue(until(lambda: cert in self.s.values(later, CERT)))
        for of_user in (BY_NAME, BY_MAIL):
            self.ldap(of_user, MissingUser="skip")
            self.issue("/CN=nobody", ("email:nobody@example.test",))
            self.issue("/CN=no mail")
        ann = self.s.person("ann", mail="ann@example.test")
        _, cert = self.issue("/CN=ann", ("email:ann@example.test",))
        self.assert_values(ann, CERT, cert)
        self.assert_said("%{SAN.email} has no value")
        self.s.person("twin", mail="ann@example.test")
        self.issue("/CN=ann", ("email:ann@example.test",))
        self.assert_said("(mail=ann@example.test)", "several entries are found")
        self.assertEqual(self.s.values(ann, CERT), {cert})

    def test_expired_are_removed(self):
        ann, bob = self.s.person("ann"), self.s.person("bob")
        self.ldap(BY_NAME)
        _, cert = self.issue("/CN=ann")
        self.assert_values(ann, CERT, cert)
        at = cert.index(bytes.fromhex(Certificate(cert).serial))
        old = bytearray(cert)
        old[at + 8] ^= 1  # another serial number
        times = [m.start() for m in re.finditer(rb"\x17\x0d\d{12}Z", cert)]
        old[times[1] + 2:times[1] + 8] = b"200101"
        odd = bytearray(old)
        odd[at + 8] ^= 2
        odd[times[1] + 2:times[1] + 8] = b"2x0101"
        with open(self.s.path("client.pem"), "rb") as f:
            foreign = bytearray(daemon.pem_to_der(f.read()))
        at = [m.start() for m in re.finditer(rb"\x17\x0d\d{12}Z", foreign)][1]
        foreign[at + 2:at + 8] = b"200101"
        self.s.put(ann, CERT, cert, bytes(old), bytes(odd), bytes(foreign))
        self.s.put(bob, CERT, bytes(old))
        _, next = self.issue("/CN=ann")
        self.assert_values(ann, CERT, cert, bytes(old), bytes(odd), bytes(foreign), next)  # off by default
        self.ldap(BY_NAME, RemoveExpired=1)
        _, last = self.issue("/CN=ann")
        self.assert_values(ann, CERT, cert, bytes(odd), bytes(foreign), next, last)
        self.assertEqual(self.s.values(bob, CERT), {bytes(old)})

    def test_nothing_breaks_out_of_a_name(self):
        ann = self.s.person("ann", mail="ann@example.test")
        subjects = ["ann,ou=closed", "x,ou=closed," + SUFFIX, "ann+cn=x", "ann\\,ou=people", "#0403414141", " y", "z ", "a\"n", "a;n", "<ann>",
                    "ann=1", "*", "ann\\2Cou=closed", "\\", "ü", "%{CommonName}%6", "a)(uid=*", "a" * 60]
        self.ldap(BY_NAME, UserObjectClass=["account", "pkiUser"])
        expected = {}
        for subject in subjects:
            escaped = subject.replace("\\", "\\\\").replace("/", "\\/").replace("+", "\\+")
            answer = self.d.submit(run("openssl", "req", "-new", "-utf8", "-key", "/dev/stdin", "-subj", "/CN=" + escaped, data=daemon.private_key()).stdout)
            if answer.status == 201:
                expected[subject] = Certificate(answer.json["certificate"]).der
        self.assertGreater(len(expected), 12)
        self.assertTrue(until(lambda: len(self.all_with(CERT)) == len(expected)), self.d.stderr()[-3000:])
        found = self.s.search()
        for subject, cert in expected.items():
            (dn,) = [dn for dn, e in found.items() if cert in e.get(CERT, ())]
            self.assertEqual(found[dn]["uid"], {subject.encode()})
            self.assertTrue(dn.endswith("," + PEOPLE) or dn.lower().endswith("," + PEOPLE), dn)
            self.assertEqual(len(re.findall(r"(?<!\\),", dn)), 3, dn)
        self.assertNotIn(CERT, found[ann])
        self.assertEqual([dn for dn in found if dn.endswith("ou=closed," + SUFFIX)], ["ou=closed," + SUFFIX])

    def test_nothing_breaks_out_of_a_filter(self):
        ann = self.s.person("ann", description="mine")
        self.ldap({"UserSearchBase": PEOPLE, "UserFilter": "(&(uid=%{CommonName})(objectClass=person))"}, MissingUser="skip")
        for subject in ("*", "a*", "ann)(uid=*", "x)(|(uid=*", "*)(objectClass=*", "ann\\29", "\\2a", "ann)(description=m*", "a\\6en"):
            self.issue("/CN=" + subject.replace("\\", "\\\\"))
        _, cert = self.issue("/CN=ann")
        self.assert_values(ann, CERT, cert)
        self.assertEqual(self.all_with(CERT), {ann})

    def test_a_whole_subject_names_an_entry(self):
        self.s.add("dn: cn=ann smith,%s\nobjectClass: inetOrgPerson\ncn: ann smith\nsn: smith\n" % PEOPLE)
        self.ldap(UserDN="%{Subject}", MissingUser="skip")
        _, cert = self.issue("/DC=test/DC=example/OU=people/CN=ann smith")
        self.assert_values("cn=ann smith," + PEOPLE, CERT, cert)
        self.issue("/DC=test/DC=example/OU=people,cn=ann smith/CN=x")
        self.issue("/DC=test/DC=example/OU=people/CN=x,cn=ann smith")
        _, last = self.issue("/DC=test/DC=example/OU=people/CN=ann smith")
        self.assert_values("cn=ann smith," + PEOPLE, CERT, cert, last)

    def test_refused_by_the_server(self):
        self.ldap({"UserDN": "cn=%{CommonName},ou=people,%6"}, UserObjectClass=["device"])
        self.issue("/CN=box")
        self.assert_said("cn=box,ou=people", "Object class violation (65)", "give the entry an object class")


if __name__ == "__main__":
    main()
