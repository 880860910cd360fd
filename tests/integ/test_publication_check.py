"""What certificates point to is asked for at a real web server: small CRLs whole, large ones by their size."""
import glob
import http.server
import os
import sqlite3
import threading

import daemon
from daemon import Case, Daemon, make_ca, make_csr, until

MANY = 92000  # entries: more than 3 MB of CRL


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder):
        self.asked, self.without_length, self.meanwhile = [], False, None
        server = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __init__(self, *args):
                super().__init__(*args, directory=folder)

            def send_header(self, name, value):
                if not (server.without_length and name == "Content-Length"):
                    super().send_header(name, value)

            def copyfile(self, source, out):
                if server.meanwhile:
                    server.meanwhile()
                super().copyfile(source, out)

            def log_request(self, *args):
                server.asked.append(self.command)

            def log_message(self, *args):
                pass
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class PublicationCheck(Case):
    def setUp(self):
        self.path, self.out = self.temp(), self.temp()
        self.ca_dir = make_ca(self.path, "--issue")
        self.web = Server(self.out)
        self.addCleanup(self.web.server_close)
        self.addCleanup(self.web.shutdown)

    def begin(self):
        d = Daemon.of_dir(self.path)
        self.addCleanup(d.close)
        self.addCleanup(d.stop)
        d.set("CRLPublishOnRevoke", "no")
        d.set("CRLPublicationURLs", ["1:%s/%%3%%8%%9.crl" % self.out])
        self.assertEqual(d.ask("POST", "/api/v1/crl").status, 200)
        (self.crl,) = glob.glob(self.out + "/*.crl")
        return d

    def revoke_one(self, d):
        made = d.submit(make_csr())
        self.assertEqual(made.status, 201, made)
        serial = made.json["serial"]
        self.assertEqual(d.ask("POST", "/api/v1/certificates/%s/revoke" % serial).status, 200)

    def fill(self):
        """While no daemon runs: rows like the one that is revoked. Their packed standing is made at the next start."""
        (name,) = glob.glob(self.ca_dir + "/*.db")
        db = sqlite3.connect(name)
        with db:
            db.execute("CREATE TEMP TABLE one AS SELECT * FROM request WHERE revoked_when IS NOT NULL")
            db.execute("UPDATE one SET standing=NULL,raw_request=x'2d',raw_certificate=x'2d',message=NULL")
            columns = [c[1] for c in db.execute("PRAGMA table_info(request)")]
            asked = ["n.i+one.id" if c == "id" else "x'4f'||randomblob(15)" if c == "serial" else c for c in columns]
            asked = ["CAST(%s AS BLOB)" % a if "randomblob" in a else a for a in asked]
            db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d) INSERT INTO request(%s) "
                       "SELECT %s FROM n,one" % (MANY, ",".join(columns), ",".join(asked)))
        db.close()

    def check(self, d):
        """Asked anew, as after any change of the settings; what is said then."""
        before = len(self.web.asked)
        d.set("CRLPublicationURLs", ["1:%s/%%3%%8%%9.crl" % self.out,
                                     "2:http://127.0.0.1:%d/%%3%%8%%9.crl" % self.web.server_address[1]])
        self.assertTrue(until(lambda: len(self.web.asked) > before))
        return lambda: d.ask("GET", "/readyz").json["cas"][0]["warnings"] or ""

    def assert_told(self, d, text):
        warnings = self.check(d)
        self.assertTrue(until(lambda: text in warnings()), "%s: %s" % (text, warnings()))

    def assert_well(self, d):
        warnings = self.check(d)
        self.assertTrue(until(lambda: not warnings()), warnings())

    def test_a_small_one_is_fetched(self):
        d = self.begin()
        self.assert_well(d)
        self.assertEqual(set(self.web.asked), {"GET"})
        with open(self.crl, "rb") as f:
            old = f.read()
        self.revoke_one(d)
        self.assertEqual(d.ask("POST", "/api/v1/crl").status, 200)
        with open(self.crl, "wb") as f:
            f.write(old)
        self.assert_told(d, "it is stale")
        os.unlink(self.crl)
        self.assert_told(d, "the answer is 404")
        self.assertEqual(d.ask("POST", "/api/v1/crl").status, 200)
        self.assert_well(d)

    def test_what_is_published_while_it_is_asked_for_is_no_fault(self):
        d = self.begin()
        self.assert_well(d)
        done = []
        self.web.meanwhile = lambda: done.append(d.ask("POST", "/api/v1/crl").status)
        warnings = self.check(d)
        self.assertTrue(until(lambda: done))
        self.assertEqual(until(warnings, 1.5), "")
        self.assertEqual(set(done), {200})

    def test_of_a_large_one_the_size_is_asked(self):
        d = self.begin()
        self.revoke_one(d)
        d.stop()
        self.fill()
        d = self.begin()
        size = os.path.getsize(self.crl)
        self.assertGreater(size, 3 << 20)
        self.assert_well(d)
        self.assertEqual(set(self.web.asked), {"HEAD"})
        os.truncate(self.crl, size - 1)
        self.assert_told(d, "it is not the newest CRL: it has %d octets, the newest %d" % (size - 1, size))
        os.unlink(self.crl)
        self.assert_told(d, "the answer is 404")
        self.assertEqual(d.ask("POST", "/api/v1/crl").status, 200)
        self.assert_well(d)
        self.web.without_length = True
        self.assert_told(d, "no Content-Length")
        self.assertEqual(set(self.web.asked), {"HEAD"})


if __name__ == "__main__":
    daemon.main()
