"""chancery request export: what the CA did with a request, its policy module does again in a play."""
import os
import subprocess

from daemon import BIN, MODULES, Case, main, make_csr


class Export(Case):
    def setUp(self):
        self.d = self.start()
        self.folder = self.temp()

    def export(self, number):
        path = os.path.join(self.folder, "%d.play" % number)
        subprocess.run([os.path.join(BIN, "chancery"), "--socket", self.d.info["socket"], "request", "export", str(number),
                        "--out", path], check=True, capture_output=True, timeout=60)
        return path

    def play(self, path):
        return subprocess.run([os.path.join(BIN, "chancery-modtest"), os.path.join(MODULES, "policy-default.so"), path],
                              capture_output=True, text=True, timeout=100)

    def assert_same_again(self, answer, *words):
        path = self.export(answer.json["request_id"])
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for word in words:
            self.assertIn(word, text)
        p = self.play(path)
        self.assertEqual(p.returncode, 0, text + p.stdout + p.stderr)
        return text

    def test_issued(self):
        answer = self.d.submit(make_csr(["DNS:www.example.test", "IP:127.0.0.1"], "/CN=www.example.test/O=Own \"Name\" $5"),
                               {"Owner": 'a "b" \\ $HOME # c'})
        self.assertEqual(answer.status, 201, answer)
        text = self.assert_same_again(answer, "expect issue", "expect extension 2.5.29.17", "expect extension 2.5.29.37",
                                      'attribute "Owner:a \\"b\\" \\\\ \\$HOME # c"')
        self.assertNotIn("expect deny", text)

    def test_denied(self):
        answer = self.d.submit(make_csr(["DNS:www.example.test"]), {"CertificateTemplate": "no-such-profile"})
        self.assertEqual(answer.status, 403, answer)
        self.assert_same_again(answer, "expect deny 0x")

    def test_pending_under_its_settings(self):
        self.d.policy("RequestDisposition", 0)
        answer = self.d.submit(make_csr(["DNS:www.example.test"]))
        self.assertEqual(answer.status, 202, answer)
        self.assert_same_again(answer, "expect pend", "setting RequestDisposition 0")

    def test_other_settings_are_seen(self):
        path = self.export(self.d.submit(make_csr(["DNS:www.example.test"])).json["request_id"])
        with open(path, encoding="utf-8") as f:
            text = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("setting RequestDisposition 1", "setting RequestDisposition 2"))
        p = self.play(path)
        self.assertEqual(p.returncode, 1, text + p.stdout)
        self.assertIn("it denies with", p.stdout)

    def test_what_is_not_there(self):
        p = subprocess.run([os.path.join(BIN, "chancery"), "--socket", self.d.info["socket"], "request", "export", "999999"],
                           capture_output=True, text=True, timeout=60)
        self.assertEqual(p.returncode, 5, p.stderr)


if __name__ == "__main__":
    main()
