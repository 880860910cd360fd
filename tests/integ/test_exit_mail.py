"""exit-mail: events of the real daemon at a real mail server, and what its page in docs/ says."""
import os
import re
import time

import daemon
from daemon import CHANCERY, Certificate, Daemon, main, make_csr, run
from mailserver import HOLDER, ISSUE, MINE, PEND, USER, Mailing

PAGE = os.path.join(daemon.TREE, "docs/modules/exit-mail.md")
CODE = os.path.join(daemon.TREE, "modules/exit-mail/")


class Life(Mailing):
    disposition = PEND

    def test_each_event(self):
        server = self.server()
        d = self.begin(server, EventFilter=0x2ff & ~0x10, To="PKI <pki@example.test>", Issued__To=["%EMail"], Shutdown__To="night@example.test")
        answer = d.submit(make_csr(**HOLDER), attributes={"CertificateTemplate": "email"})
        id = answer.json["request_id"]
        (m,) = server.wait(1, event="Pending")
        self.assertEqual((m.to, m["To"]), (["pki@example.test"], "PKI <pki@example.test>"))
        self.assertRegex(m["Subject"], r"^Test CA: request of Holder waits")
        self.assertIn("Request:    %d\n" % id, m.body)
        issued = d.ask("POST", "/api/v1/requests/%d/resubmit" % id).json
        c = Certificate(issued["certificate"])
        (m,) = server.wait(1, event="Issued")
        self.assertEqual(m.to, ["holder@example.test"])
        self.assertIn("Serial:      %s\n" % c.serial, m.body)
        self.assertIn(time.strftime("Not after:   %Y-%m-%d %H:%M:%S UTC\n", time.gmtime(c.not_after)), m.body)
        pem = re.search(r"-----BEGIN CERTIFICATE-----.*-----END CERTIFICATE-----\n", m.body, re.S).group(0)
        self.assertEqual(daemon.pem_to_der(pem), c.der)
        self.revoke(c.serial)
        (m,) = server.wait(1, event="Revoked")
        self.assertIn("Reason:      4 (superseded)\n", m.body)
        self.assertIn("Serial:      %s\n" % c.serial, m.body)
        denied = d.submit(make_csr()).json["request_id"]
        d.ask("POST", "/api/v1/requests/%d/deny" % denied)
        (m,) = server.wait(1, event="Denied")
        self.assertIn("Request:    %d\n" % denied, m.body)
        self.assertRegex(m.body, r"Reason:     .+ \(0x[0-9a-f]{8}\)\n")
        self.assertEqual(d.ask("POST", "/api/v1/crl").status, 200)
        m = server.wait(1, event="CRLIssued")[0]
        self.assertEqual(m["Subject"], "Test CA: CRLs issued")
        self.quiet()
        ids = [m["Message-ID"] for m in server.mails]
        self.assertEqual(len(set(ids)), len(ids), ids)
        for m in server.mails:
            self.assertRegex(m["Message-ID"], r"^<[A-Za-z0-9=._-]+@[a-z0-9.-]+>$")
            self.assertLess(abs(m["Date"].datetime.timestamp() - time.time()), 300)
            self.assertEqual(m["Auto-Submitted"], "auto-generated")

    def test_hold_and_release(self):
        server = self.server()
        d = self.begin(server, EventFilter=8, To="pki@example.test")
        id = d.submit(make_csr()).json["request_id"]
        serial = d.ask("POST", "/api/v1/requests/%d/resubmit" % id).json["serial"]
        self.revoke(serial, "certificateHold")
        server.wait(1, event="Revoked")
        self.assertEqual(d.ask("POST", "/api/v1/certificates/%s/release" % serial).status, 200)
        (m,) = server.wait(1, event="Unrevoked")
        self.assertIn(serial, m.body)
        d.set("Modules/exit-mail/Paused", 1)  # both wait, and each is told as what it was
        self.revoke(serial, "certificateHold")
        self.assertEqual(d.ask("POST", "/api/v1/certificates/%s/release" % serial).status, 200)
        d.set("Modules/exit-mail/Paused", 0)
        server.wait(2, event="Unrevoked")
        self.assertEqual([m.event for m in server.mails], ["Revoked", "Unrevoked"] * 2)

    def test_what_a_requester_writes_stays_a_value(self):
        server = self.server()
        names = ["a\nBcc: evil@x.test", "=?utf-8?Q?a=0ABcc:_evil@x.test?=", "\u00c4rger \u4f60\u597d \U0001f600 " * 4, "x" * 64, ".\n.\nQUIT"]
        d = self.begin(server, To="pki@example.test", Denied__TitleFormat="%1", Denied__TitleArg=["Request.CommonName"],
                       Denied__BodyFormat=["%1", ".", "%2", "end"], Denied__BodyArg=["Request.CommonName", "Attribute.Note"])
        for sent, name in enumerate(names, 1):
            argv = ["openssl", "req", "-new", "-utf8", "-key", "/dev/stdin", "-subj", "/CN=" + name.strip()[:64],
                    "-addext", "subjectAltName=DNS:www.example.test"]
            csr = run(*argv, data=daemon.private_key()).stdout
            answer = d.submit(csr, attributes={"Note": name.replace("\n", " ") + "\u202egnp.exe"})
            self.assertEqual(answer.status, 403, answer)
            m = server.wait(sent)[-1]
            self.assertEqual((m.to, m["Bcc"], m["To"]), (["pki@example.test"], None, "pki@example.test"))
            self.assertEqual(m["Subject"], name.strip()[:64].replace("\n", "?"))
            lines = m.body.split("\n")
            self.assertEqual((len(lines), lines[1], lines[3]), (5, ".", "end"), lines)
            self.assertTrue(lines[2].endswith("?gnp.exe"), lines)
            self.assertTrue(all(len(line) <= 78 for line in m.raw.split(b"\r\n")), m.raw)


class Digests(Mailing):
    def test_many_events_one_mail(self):
        server = self.server()
        d = self.begin(server, StateDirectory=self.temp(), To="pki@example.test", DigestMinutes=60, ReminderDays=[])
        serials = [self.issue()["serial"] for _ in range(3)]
        self.quiet()
        server.nothing_more(0, 0.3)
        d.stop()
        d = self.again()
        serials.append(self.issue()["serial"])
        self.quiet()
        d.set(MINE + "DigestMinutes", "1s")
        (m,) = server.wait(1)
        self.assertEqual((m.event, m["Subject"]), ("Digest", "Test CA: 4 events"))
        self.assertEqual(re.findall(r"Serial:      (\S+)", m.body), serials)
        server.nothing_more(1)


class Page(Mailing):
    def test_settings_are_those_of_the_code(self):
        with open(PAGE) as f:
            tables = re.findall(r"(?:^\|.*\n)+", f.read(), re.M)
        def told(table):
            return set(re.findall(r"^\| `([A-Za-z]+)` \|", table, re.M))
        with open(CODE + "settings.c") as f:
            known = set(re.findall(r'\.name = "([A-Za-z/]+)"', f.read()))
        with open(CODE + "folders.c") as f:
            folder = set(re.findall(r'strcasecmp\(name, "([A-Za-z]+)"\)', f.read()))
        self.assertEqual(told(tables[0]), {n for n in known if not n.endswith("/")})
        self.assertEqual(told(tables[1]), folder)
        with open(PAGE) as f:
            self.assertEqual({n for n in known if n.endswith("/")}, set(re.findall(r"`([A-Z][A-Za-z]+/)`", f.read())))

    def test_the_first_minute(self):
        server = self.server(auth=True)
        state = os.path.join(self.temp(), "mail")
        with open(PAGE) as f:
            lines = re.findall(r"^    chancery (config set .*)$", f.read(), re.M)
        self.assertEqual(len(lines), 10)
        with Daemon.of_dir(self.path) as d:
            for line in lines:
                words = re.match(r"(config) (set) (\S+) (.*)$", line).groups()
                value = words[3].strip("'").replace("/etc/chancery/mail.password", self.password()).replace("/var/lib/chancery/mail", state)
                value = value.replace("mail.corp.example", "localhost").replace("587", str(server.port))
                run(CHANCERY, "--socket", d.socket, *words[:3], value)
            d.policy("RequestDisposition", ISSUE)
        self.again()
        self.issue()
        (m,) = server.wait(1)
        self.assertEqual(m.user, USER)
        self.assertEqual((m.to, m.sender, m["From"]), (["holder@example.test"], "ca@corp.example", "Corp CA <ca@corp.example>"))


if __name__ == "__main__":
    main()
