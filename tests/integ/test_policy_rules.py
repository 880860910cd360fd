"""A real CA whose policy is a chain: policy-default decides by profile, policy-rules behind it by rules."""
import os
import re
import shlex
import shutil

from daemon import BIN, CHANCERY, TREE, Case, Certificate, Daemon, folder, make_ca, make_csr, run

CHAIN = "PolicyModules/policy-chain/"
DEFAULT, RULES = CHAIN + "policy-default/", CHAIN + "policy-rules/"
ISSUE, PENDING_FIRST = 1, 0x101
MEMBERS = os.path.normpath(os.path.join(BIN, "../tests/chain"))


def other():
    return make_csr(["DNS:www.other.test"], "/CN=www.other.test")


class Chained(Case):
    active = "policy-chain"

    @classmethod
    def setUpClass(cls):
        """A CA that is set up once, and copied for each test."""
        cls.ready = folder()
        cls.addClassCleanup(shutil.rmtree, cls.ready, ignore_errors=True)
        make_ca(cls.ready)
        with Daemon.of_dir(cls.ready) as d:
            d.set("PolicyModules/Active", cls.active)
            d.set(CHAIN + "Modules", ["policy-default", "policy-rules"])
            d.set(DEFAULT + "RequestDisposition", ISSUE)
            cls.configure(d)

    def setUp(self):
        self.path = os.path.join(self.temp(), "d")
        shutil.copytree(self.ready, self.path, ignore=shutil.ignore_patterns("*.sock"))
        (self.ca_dir,) = [e.path for e in os.scandir(os.path.join(self.path, "ca"))
                          if os.path.exists(os.path.join(e.path, "ca.pem"))]
        self.start_again()

    @classmethod
    def configure(cls, d):
        d.set(RULES + "Rules/*/San/dns/Allow", ["*.example.test"])
        d.set(RULES + "Rules/*/San/ip/Allow", ["10.0.0.0/8"])

    def start_again(self):
        self.d = Daemon.of_dir(self.path)
        self.addCleanup(self.d.close)
        self.addCleanup(self.d.stop)

    def rule(self, name, value):
        return self.d.set(RULES + name, value)

    def issued(self, answer):
        self.assertEqual(answer.status, 201, answer)
        return Certificate(answer.json["certificate"])

    def denied(self, answer, *words):
        self.assertEqual(answer.status, 403, answer)
        for word in words:
            self.assertIn(word, answer.json["detail"])

    def post(self, id, verb):
        return self.d.ask("POST", "/api/v1/requests/%d/%s" % (id, verb))

    def message(self, id):
        return self.d.ask("GET", "/api/v1/requests/%d" % id).json["message"]


class Chain(Chained):
    def test_both_members_have_their_say(self):
        module = self.d.module("policy-chain")
        self.assertTrue(module["loaded"], module)
        c = self.issued(self.d.submit(make_csr(["DNS:www.example.test", "IP:10.1.2.3"])))
        self.assertTrue(c.has("DNS:www.example.test", "IP Address:10.1.2.3", "TLS Web Server Authentication"), c.text)
        self.assert_verifies(c.pem, os.path.join(self.ca_dir, "ca.pem"))
        self.denied(self.d.submit(make_csr(["DNS:www.example.test", "DNS:www.other.test", "IP:192.0.2.1"])),
                    'policy-rules: dns "www.other.test" fits no pattern (Rules/*/San/dns/Allow)',
                    'ip "192.0.2.1" fits no pattern (Rules/*/San/ip/Allow)')
        self.denied(self.d.submit(make_csr(), attributes={"CertificateTemplate": "no-such"}), "policy-default: unknown profile")
        log = self.d.stderr()
        self.assertRegex(log, r"member 1 is policy-default \S+, sha256 [0-9a-f]{64}, direct, concurrent")
        self.assertRegex(log, r"member 2 is policy-rules \S+, sha256 [0-9a-f]{64}, direct, concurrent")

    def test_the_hash_in_the_log_is_that_of_the_file(self):
        path = os.path.join(os.path.dirname(CHANCERY), "../modules/policy-rules.so")
        told = re.search(r"policy-rules \S+, sha256 ([0-9a-f]{64})", self.d.stderr()).group(1)
        self.assertEqual(run("sha256sum", path).stdout.split()[0].decode(), told)

    def test_a_change_counts_at_once(self):
        csr = other()
        self.denied(self.d.submit(csr))
        self.rule("Rules/*/San/dns/Allow", ["*.example.test", "*.other.test"])
        self.issued(self.d.submit(csr))
        self.d.set(DEFAULT + "Profiles/tls-server/KeyTypes", ["rsa2048+"])
        self.denied(self.d.submit(csr), "policy-default: the key (elliptic curve, 256)")

    def test_what_is_not_understood_leaves_the_rules_of_before(self):
        self.rule("Rules/*/San/dns/Allow", ["re:(unclosed"])
        self.denied(self.d.submit(other()), "fits no pattern")
        self.issued(self.d.submit(make_csr()))
        self.assertIn('setting Rules/*/San/dns/Allow has the pattern \\"re:(unclosed\\", which has a',
                      self.d.stderr().replace("\\u0022", '\\"'))

    def test_a_member_that_fails_fails_all(self):
        self.rule("Rules/*/Validity/Days", 3)
        self.d.stop()
        self.start_again()
        self.assertEqual(self.d.ask("GET", "/readyz").status, 503)
        self.assertNotEqual(self.d.submit(make_csr()).status, 201)
        log = self.d.stderr()
        self.assertIn("setting Rules/*/Validity/Days is no rule", log)
        self.assertIn("member policy-rules failed to initialise (0x80070057): nothing is served", log)

    def test_pending_sticks_and_rules_are_asked_again(self):
        self.d.set(DEFAULT + "RequestDisposition", PENDING_FIRST)
        ids = []
        for _ in range(2):
            answer = self.d.submit(make_csr())
            self.assertEqual(answer.status, 202, answer)
            ids.append(answer.json["request_id"])
        self.denied(self.d.submit(other()), "policy-rules: ")
        self.assertEqual(self.post(ids[0], "resubmit").status, 201)
        self.rule("Rules/tls-server/San/dns/Deny", ["www.*"])
        self.denied(self.post(ids[1], "resubmit"), "(Rules/tls-server/San/dns/Deny)")

    def test_derived_names_and_own_addresses(self):
        self.rule("Rules/tls-client/Subject/CommonName/Set", "agent {CommonName}")
        self.rule("Rules/tls-client/Subject/Organization/Set", "Corp Inc.")
        self.rule("Rules/tls-client/Subject/Organization/MinCount", 1)
        self.rule("Rules/tls-client/Crl/Urls", ["http://crl.example.test/clients.crl"])
        self.rule("Rules/tls-client/Aia/Ocsp", ["http://ocsp.example.test/"])
        self.rule("Rules/tls-client/Validity/MaxHours", 10)
        self.rule("Rules/tls-client/Pend", 1)
        profile = {"CertificateTemplate": "tls-client"}
        answer = self.d.submit(make_csr([], "/CN=anna"), attributes=profile)
        self.assertEqual(answer.status, 202, answer)
        c = self.issued(self.post(answer.json["request_id"], "resubmit"))
        self.assertEqual(sorted(c.subject.split(",")), ["CN=agent anna", "O=Corp Inc."])
        self.assertTrue(c.has("URI:http://crl.example.test/clients.crl", "OCSP - URI:http://ocsp.example.test/"), c.text)
        self.assertEqual(c.not_after - c.not_before, 10 * 3600 - 1)

    def test_audit_only(self):
        self.rule("AuditOnly", 1)
        answer = self.d.submit(other())
        self.issued(answer)
        self.assertIn('policy-rules: audit only, would be denied: dns "www.other.test" fits no pattern',
                      self.message(answer.json["request_id"]))
        self.assertIn("would be denied", self.d.stderr())

    def test_members_are_shown_by_the_lint_of_modules(self):
        done = run(CHANCERY, "module", "check", os.path.join(os.path.dirname(CHANCERY), "../modules/policy-chain.so"))
        self.assertIn(b"class PolicyChain.Policy: policy, direct and late-bound, concurrent", done.stdout)


class Quota(Chained):
    @classmethod
    def configure(cls, d):
        cls.state = folder()
        cls.addClassCleanup(shutil.rmtree, cls.state, ignore_errors=True)
        d.set(RULES + "StateDirectory", cls.state)
        d.set(RULES + "Rules/*/Quota/Count", 2)
        d.set(RULES + "Rules/*/Quota/Period", "7d")

    def setUp(self):
        log = os.path.join(self.state, "quota.log")
        if os.path.exists(log):
            os.truncate(log, 0)
        super().setUp()

    def test_counts_outlive_the_daemon(self):
        tried = self.d.submit(make_csr(), query="?dry_run=1")
        self.assertEqual(tried.status, 200, tried)
        self.issued(self.d.submit(make_csr()))
        self.d.kill()
        self.d.close()
        self.start_again()
        self.issued(self.d.submit(make_csr()))
        self.denied(self.d.submit(make_csr()), "had 2 requests in 10080 minutes (Rules/*/Quota/Count)")
        self.d.stop()
        self.start_again()
        self.denied(self.d.submit(make_csr()), "(Rules/*/Quota/Count)")
        self.rule("Rules/*/Quota/Count", 3)
        self.issued(self.d.submit(make_csr()))

    def test_a_request_that_waited_counts_once(self):
        self.d.set(DEFAULT + "RequestDisposition", PENDING_FIRST)
        ids = [self.d.submit(make_csr()).json["request_id"] for _ in range(2)]
        self.denied(self.d.submit(make_csr()), "(Rules/*/Quota/Count)")
        for id in ids:
            self.assertEqual(self.post(id, "resubmit").status, 201)
        self.assertEqual(os.path.getsize(os.path.join(self.state, "quota.log")), 2 * 40)


class Alone(Chained):
    active = "policy-rules"

    @classmethod
    def configure(cls, d):
        rules = "PolicyModules/policy-rules/Rules/web/"
        d.set(rules + "San/FromRequest", 1)
        d.set(rules + "San/dns/Allow", ["*.example.test"])
        d.set(rules + "San/OnlyListed", 1)
        d.set(rules + "Subject/CommonName/MaxCount", 1)
        d.set(rules + "Subject/OnlyListed", 1)
        d.set(rules + "KeyUsage/Set", ["digitalSignature"])
        d.set(rules + "Eku/Set", ["1.3.6.1.5.5.7.3.1"])
        d.set(rules + "Validity/MaxDays", 30)

    def test_it_decides_without_policy_default(self):
        web = {"CertificateTemplate": "web"}
        c = self.issued(self.d.submit(make_csr(), attributes=web))
        self.assertTrue(c.has("DNS:www.example.test", "TLS Web Server Authentication", "Digital Signature"), c.text)
        self.assertEqual(c.not_after - c.not_before, 30 * 86400 - 1)
        self.assert_verifies(c.pem, os.path.join(self.ca_dir, "ca.pem"))
        self.denied(self.d.submit(make_csr(["IP:10.0.0.1"]), attributes=web), "there is no rule for ip (Rules/web/San/OnlyListed)")
        self.denied(self.d.submit(make_csr()), "there are no rules for profile")
        ca = make_csr(extensions=["basicConstraints=critical,CA:TRUE"])
        self.assertNotIn("CA:TRUE", self.issued(self.d.submit(ca, attributes=web)).text)


class Members(Chained):
    """Members that the chain is given by their path: one that is only called by name, one that is too slow."""

    @classmethod
    def configure(cls, d):
        d.set(CHAIN + "Modules", ["policy-default", os.path.join(MEMBERS, "chain-late.so"), os.path.join(MEMBERS, "chain-direct.so")])
        d.set(CHAIN + "chain-late/Answer", 1)
        d.set(CHAIN + "chain-direct/Answer", 1)

    def test_late_bound_and_its_own_folder(self):
        self.d.set(CHAIN + "chain-late/SetName", "late.example.test")
        c = self.issued(self.d.submit(make_csr()))
        self.assertIn("CN=late.example.test", c.subject)
        log = self.d.stderr()
        self.assertIn("member 2 is chain-late 1.0", log)
        self.assertIn("chain-late: lives in PolicyModules/policy-chain/chain-late", log)
        self.assertIn("chain-direct: sees late.example.test", log)
        self.d.set(CHAIN + "chain-late/Answer", 77)
        self.denied(self.d.submit(make_csr()), "chain-late: it returned 0x00000000 with disposition 77, which means nothing")

    def test_one_that_is_too_slow_takes_the_chain_out_of_use(self):
        self.d.set(CHAIN + "chain-direct/Slow", 20000)
        self.d.set("ModuleTimeoutMilliseconds", 3000)
        self.d.stop()
        self.start_again()
        answer = self.d.submit(make_csr())
        self.assertNotEqual(answer.status, 201, answer)
        self.assertIn("VerifyRequest overran its deadline", self.message(answer.json["request_id"]))
        self.assertNotEqual(self.d.submit(make_csr()).status, 201)
        self.d.kill()
        self.d.close()


class Pages(Case):
    """The pages say what is so."""

    def read(self, *path):
        with open(os.path.join(TREE, *path)) as f:
            return f.read()

    def rows(self, text):
        firsts = re.findall(r"^\| (`[^|]+`) \|", text, re.M)
        return {name for first in firsts for name in re.findall(r"`([^`]+)`", first)}

    def test_rules_of_the_page_are_those_of_the_code(self):
        page = self.read("docs/modules/policy-rules.md")
        settings = self.read("modules/policy-rules/settings.c")
        rules = self.read("modules/policy-rules/rule_settings.c")
        top, names = page.split("## Settings")[1].split("\n### ")[:2]
        rest = page.split("### The other rules")[1].split("\n## ")[0]
        self.assertEqual(self.rows(top), set(re.findall(r'\.name = "([\w/]+)"', settings)))
        members, fields = (re.search(r"struct member %s\[\] = \{(.*?)\n\};" % n, rules, re.S).group(1) for n in ("members", "field_members"))
        quoted = r'\{"([\w/]+)",'
        self.assertEqual(self.rows(names), set(re.findall(quoted, fields)))
        others = re.findall(quoted, members) + re.findall(r'\{"(\w+/\w+)",\s*\w+\}', rules)
        self.assertEqual(len(others), 30)
        self.assertEqual(self.rows(rest), set(others))

    def test_commands_of_the_pages(self):
        """Each block is typed in as it stands; the module comes up with all of them."""
        path, state = self.temp(), self.temp()
        make_ca(path)
        for name, active in (("policy-chain", "policy-chain"), ("policy-rules", "policy-chain"), ("policy-rules", "policy-rules")):
            with Daemon.of_dir(path) as d:
                lines = re.findall(r"^    (chancery config set .*)$", self.read("docs/modules/%s.md" % name), re.M)
                self.assertGreater(len(lines), 3)
                for line in lines:
                    argv = shlex.split(line.replace("/var/lib/chancery/quota", state))
                    run(CHANCERY, "--socket", d.socket, *argv[1:])
                d.set("PolicyModules/Active", active)
            with Daemon.of_dir(path) as d:
                self.assertEqual(d.ask("GET", "/readyz").status, 200, d.stderr())
                self.assertTrue(d.module(active)["loaded"])
                self.assertNotIn("ERROR", d.stderr())


if __name__ == "__main__":
    import daemon
    daemon.main()
