"""What `chancery module check` says of the policy modules at work: each callback fails, threads, odd values, leaks."""
import os

from daemon import CHANCERY, MODULES, Case, main, run


class Check(Case):
    def check(self, module, **settings):
        argv = [CHANCERY, "module", "check", os.path.join(MODULES, module + ".so")]
        for name, value in settings.items():
            argv += ["--set", "%s=%s" % (name, value)]
        said = run(*argv).stdout.decode()
        self.assertTrue(said.endswith("all is well\n"), said)
        self.assertIn("an ordinary request: it issues", said)
        self.assertNotIn("warn ", said)

    def test_rules(self):
        state = self.temp()
        self.check("policy-rules", **{
            "Rules/*/Subject/CommonName/Allow": "*.test,re:[a-z]+(\\.[a-z]+)*,*", "Rules/*/Subject/OrgUnit/Set": "x",
            "Rules/*/San/FromRequest": 1, "Rules/*/San/dns/Allow": "*", "Rules/*/Names/Deny": "*.evil.test,192.0.2.0/24",
            "Rules/*/Eku/Set": "1.3.6.1.5.5.7.3.1", "Rules/*/KeyUsage/Set": "digitalSignature", "Rules/*/Crl/Urls": "http://c/",
            "Rules/*/Aia/Ocsp": "http://o/", "Rules/*/Validity/MaxDays": 30, "Rules/*/Validity/StartDelayMinutes": 5,
            "Rules/*/Validity/WorkDays": "mon", "Rules/*/Quota/Count": 100000, "StateDirectory": state})

    def test_chain(self):
        self.check("policy-chain", **{
            "Modules": "policy-default,policy-rules", "policy-default/RequestDisposition": 1,
            "policy-rules/Rules/*/San/MaxCount": 50, "policy-rules/Rules/*/Subject/OrgUnit/Set": "{CommonName}"})


if __name__ == "__main__":
    main()
