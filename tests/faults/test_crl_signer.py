"""A key that signs wrongly, nothing, or not at all, while CRLs are made and OCSP is asked. No CRL is published whose signature does
not verify: the one before stays, the CA says so, and when the key is mended the next one comes by itself."""
import os

from crl_case import Publishing
from crls import OCSP_REQUEST
from daemon import main, run, until
from disturb import ALWAYS, END, FAIL, WRONG, Orders, name_of

SLOW = bool(os.environ.get("CHANCERY_SLOW"))
TRY_LATER, INTERNAL_ERROR = bytes([0x30, 3, 0x0A, 1, 3]), bytes([0x30, 3, 0x0A, 1, 2])


class Signer(Publishing):
    def setUp(self):
        self.orders = Orders(self.temp())
        self.env = self.orders.env
        super().setUp()

    def ask_ocsp(self, serial, *options):
        path = os.path.join(self.temp(), "request")
        run("openssl", "ocsp", "-issuer", self.ca_pem, "-serial", "0x" + serial, *options, "-reqout", path)
        with open(path, "rb") as f:
            return self.d.ask("POST", "/ocsp", f.read(), {"Content-Type": OCSP_REQUEST}).body

    def test_crls(self):
        for manner in (WRONG, FAIL, END) * (8 if SLOW else 1):
            with self.subTest(name_of(1, manner)):
                first, second = self.issue(), self.issue()
                before = self.served()
                with self.orders.during("sign", 1, ALWAYS, 1, manner):
                    self.revoke(first)  # publishes by itself, and fails
                    self.assertTrue(until(lambda: self.ready().json.get("degraded"), 10), self.ready())
                    a = self.publish()
                    if manner == WRONG:
                        self.assert_problem(a, a.status, "bad-signature")
                        self.assertIn("does not verify", self.ready().body.decode())
                    self.assertGreaterEqual(a.status, 400, a)
                    self.revoke(second)
                    self.assertEqual((self.served().der, self.at_path().der), (before.der, before.der))
                    self.assertIn("publishing failed", self.ready().body.decode())
                self.check_heals()
                self.no_strays()
                self.assertGreater(self.served().number, before.number)

    def test_one_of_base_and_delta(self):
        """The first signs, the second does not: the base alone may be in its place, but both are as they were or newer."""
        for manner in (WRONG, FAIL, END):
            for n in (1, 2):
                before = self.served()
                serial = self.issue()
                with self.orders.during("sign", n, n, 1, manner):
                    a = self.publish()
                self.assertGreaterEqual(a.status, 400, a)
                self.assertEqual(self.served().der, before.der)
                self.assertGreaterEqual(self.at_path().number, before.number)
                self.revoke(serial)
                self.check_heals()
                self.no_strays()

    def test_ocsp(self):
        """Better no answer than one that nobody signed."""
        serial, other = self.issue(), self.issue()
        self.check_heals()
        for manner in (FAIL, END):
            with self.orders.during("sign", 1, ALWAYS, 1, manner):
                for options in ((), ("-no_nonce",)):
                    self.assertIn(self.ask_ocsp(serial, *options), (TRY_LATER, INTERNAL_ERROR), name_of(1, manner))
            self.assertTrue(until(lambda: len(self.ask_ocsp(serial)) > 100, 10))
        with self.orders.during("sign", 1, ALWAYS, 1, FAIL):
            self.revoke(other)
            self.assertIn(self.ask_ocsp(other, "-no_nonce"), (TRY_LATER, INTERNAL_ERROR))
        self.check_heals()


if __name__ == "__main__":
    main()
