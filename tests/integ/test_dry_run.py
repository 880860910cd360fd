"""A dry run says what a submission would come to, and leaves nothing behind."""
import json
import os
import sqlite3

import daemon
from daemon import CHANCERY, CSR_TYPE, Case, Daemon, make_ca, make_csr, run, until

ISSUED, PENDING, DENIED, FAILED = 20, 9, 31, 30
DISPOSITION = {"issued": 0, "pending": 4, "denied": 3, "failed": 1}


class DryRun(Case):
    def setUp(self):
        self.path, self.out = self.temp(), self.temp()
        self.ca_dir = make_ca(self.path, "--issue")
        self.d = Daemon.of_dir(self.path)
        self.addCleanup(self.d.close)
        self.addCleanup(self.d.stop)
        self.d.policy("Profiles/waits/Pending", 1)
        self.d.policy("Profiles/waits/AllowedSubject", "CommonName")
        self.d.policy("Profiles/waits/SanTypes", "dns")
        self.d.set("ExitModules/exit-publish/Folder", self.out)
        self.d.set("ExitModules/exit-publish/Always", 1)
        # The CRL after the start is not to come between two looks.
        self.assertTrue(until(lambda: self.d.ask("GET", "/api/v1/crl").json["crls"]))

    def try_out(self, csr, profile=None, **more):
        query = "?dry_run=1" + ("&profile=" + profile if profile else "")
        return self.d.submit(csr, query=query, **more)

    def rows(self):
        db = sqlite3.connect("file:%s?mode=ro" % os.path.join(self.ca_dir, "ca.db"), uri=True)
        tables = [n for n, in db.execute("SELECT name FROM sqlite_schema WHERE type='table' ORDER BY name")]
        content = {t: db.execute("SELECT * FROM %s ORDER BY 1" % t).fetchall() for t in tables}
        db.close()
        return content

    def counters(self):
        lines = self.d.ask("GET", "/metrics").body.decode().splitlines()
        found = [line for line in lines if line.startswith(("chancery_requests_total", "chancery_exit_calls_total",
                                                            "chancery_lint_errors_total"))]
        self.assertGreater(len(found), 6)
        return found

    def cases(self):
        return ((make_csr(("DNS:www.example.test", "IP:10.0.0.1")), None, ISSUED), (make_csr(), "waits", PENDING),
                (make_csr(["email:a@example.test"], "/"), None, DENIED), (make_csr(kind="rsa1024"), None, FAILED),
                (make_csr(), "nothing-like-it", DENIED))

    def test_leaves_nothing_and_says_what_the_real_one_says(self):
        self.d.submit(make_csr())  # the first takes its block of ids
        self.assertTrue(until(lambda: self.rows()["outbox"] == []))
        before, published = self.rows(), sorted(os.listdir(self.out))
        counters = self.counters()
        dry = []
        for csr, profile, _ in self.cases():
            answer = self.try_out(csr, profile)
            self.assertEqual(answer.status, 200, answer)
            self.assertNotIn("Location", answer.headers)
            self.assertNotIn("request_id", answer.json)
            dry.append(answer.json)
        self.assertEqual(self.rows(), before)
        self.assertEqual(sorted(os.listdir(self.out)), published)
        self.assertEqual(self.counters(), counters)
        last = max(r[0] for r in before["request"])
        for n, ((csr, profile, disposition), said) in enumerate(zip(self.cases(), dry)):
            with self.subTest(n):
                real = self.d.submit(csr, query="?profile=" + profile if profile else "")
                self.assertEqual(real.json["request_id"], last + 1 + n)
                self.same(said, real.json, disposition)

    def same(self, said, real, disposition):
        self.assertEqual((said["disposition_code"], said["message"]), (disposition, real["message"]))
        self.assertEqual(real["disposition_code"], disposition)
        (decided,) = self.d.ask("GET", "/api/v1/requests/%d/evidence" % real["request_id"]).json["decisions"]
        for name in ("kind", "module", "disposition", "status", "lint", "settings"):
            self.assertEqual(said["decision"].get(name), decided.get(name), name)
        # Times move between the two.
        without = [[{k: v for k, v in c.items()} for c in d["changes"] if c["what"] != "validity"] for d in (said["decision"], decided)]
        self.assertEqual(without[0], without[1])
        if disposition != ISSUED:
            self.assertIsNone(said["certificate"])
            return
        row = self.d.ask("GET", "/api/v1/requests/%d" % real["request_id"]).json
        would = said["certificate"]
        self.assertEqual(would["subject"], row["subject"])
        self.assertEqual({e["oid"]: (e["critical"], e["hex"]) for e in would["extensions"]},
                         {e["oid"]: (e["critical"], e["value"]) for e in row["extensions"] if e["enabled"]})
        self.assertNotIn("serial", json.dumps(said))

    def test_the_command_line(self):
        for csr, profile, disposition in self.cases():
            name = {ISSUED: "issued", PENDING: "pending", DENIED: "denied", FAILED: "failed"}[disposition]
            argv = [CHANCERY, "--socket", self.d.socket, "request", "submit", self.file(csr), "--dry-run"]
            got = run(*argv, *(["--profile", profile] if profile else []), check=False)
            self.assertEqual(got.returncode, DISPOSITION[name], got)
            text = got.stdout.decode()
            self.assertIn("nothing was stored or signed", text)
            self.assertIn("→ " + name, text)
            self.assertEqual("subjectAltName: dns:www.example.test, ip:10.0.0.1\n" in text, disposition == ISSUED, text)
        argv = [CHANCERY, "--socket", self.d.socket, "request", "submit", self.file(make_csr()), "--dry-run"]
        self.assertEqual(run(*argv, "--out", "x", check=False).returncode, 2)
        self.assertTrue(json.loads(run(*argv, "--json").stdout)["dry_run"])
        self.assertEqual(self.rows()["request"], [])

    def test_a_slip_of_the_pen_issues_nothing(self):
        for query in ("?dry_run=yes", "?dry_run=", "?dryrun=1", "?dry-run=1", "?dryRun=true"):
            self.assert_problem(self.d.submit(make_csr(), query=query), 400)
        self.assertEqual(self.rows()["request"], [])
        self.assert_problem(self.try_out(b"garbage"), 400)
        self.assertEqual(self.d.submit(make_csr(), query="?dry_run=0").status, 201)

    def test_who_sees_what(self):
        t = Daemon.throwaway()
        self.addCleanup(t.close)
        t.set("AnonymousSubmit", 1)
        csr = make_csr(("DNS:localhost",), "/CN=localhost")
        answer = t.ask_http("POST", "/api/v1/requests?dry_run=1", csr, {"Content-Type": CSR_TYPE}, token=False)
        self.assertEqual((answer.status, answer.json["disposition"]), (200, "issued"))
        self.assertNotIn("decision", answer.json)
        t.set("AnonymousSubmit", 0)
        answer = t.ask_http("POST", "/api/v1/requests?dry_run=1", csr, {"Content-Type": CSR_TYPE}, token=False)
        self.assert_problem(answer, 403)
        t.stop()

    def test_in_the_document(self):
        paths = self.d.ask("GET", "/api/v1/openapi.json").json["paths"]
        (found,) = [p for p in paths["/api/v1/requests"]["post"]["parameters"] if p["in"] == "query"]
        self.assertEqual(found["name"], "dry_run")


SHY = r"""
#include <chancery/easy.h>
#include <stdio.h>
static chy_hresult init(chy_task *task) { (void)task; return CHY_S_OK; }
static chy_long verify(chy_task *task)
{
    chy_long dry = 0, id = -1;
    char text[64];
    chy_hresult hr = chy_request_long(task, "DryRun", &dry);
    if (CHY_FAILED(chy_request_long(task, "RequestID", &id))) id = -1;
    for (int i = 0; i < 10000; i++) chy_set_subject(task, i % 2 ? "one" : "two");
    snprintf(text, sizeof text, "dry %d (0x%08x) id %d", (int)dry, (unsigned)hr, (int)id);
    chy_set_subject(task, "at the end");
    return chy_deny(task, CHY_E_ACCESSDENIED, text);
}
CHY_POLICY_MODULE("shy", "Shy.Policy", "1.0", "Says what it sees", int, init, verify);
"""


class Modules(Case):
    def test_a_module_is_told_and_cannot_hide_behind_many_changes(self):
        path, folder = self.temp(), self.temp()
        make_ca(path, "--issue")
        made = os.path.join(folder, "shy.so")
        run("cc", "-std=c17", "-D_GNU_SOURCE", "-fPIC", "-shared", "-I", daemon.INCLUDE, "-o", made,
            self.file(SHY.encode(), "shy.c"))
        os.chmod(made, 0o755)
        with Daemon.of_dir(path) as d:
            d.set("PolicyModules/Active", made)
        with Daemon.of_dir(path) as d:
            dry = d.submit(make_csr(), query="?dry_run=1").json
            real = d.submit(make_csr())
            (decided,) = d.ask("GET", "/api/v1/requests/%d/evidence" % real.json["request_id"]).json["decisions"]
            self.assertIn("dry 1 (0x00000000) id 0", dry["message"])
            self.assertIn("dry 0 (0x80094004) id %d" % real.json["request_id"], decided["message"])
            self.assertEqual(dry["decision"]["changes"], decided["changes"])
            changes = [(c["before"] and c["before"]["text"], c["after"]["text"], c["times"]) for c in decided["changes"]]
            self.assertEqual(len(changes), 33)
            self.assertEqual(changes[0], ("www.example.test", "two", 1))
            self.assertEqual(changes[-1], ("one", "at the end", 10001 - 32))
            self.assertEqual((decided["changes_merged"], decided["changes_lost"]), (10001 - 33, 0))


if __name__ == "__main__":
    daemon.main()
