"""Killed at any moment between a revocation and the CRL that tells it, the daemon loses no revocation that it acknowledged (P9),
brings back none that was taken back, numbers its CRLs upwards over all its lives (P8), leaves a whole CRL wherever there was one,
and tells every exit module of each (P13). It needs no command to catch up after a restart."""
import glob
import http.client
import json
import os
import random
import re
import signal
import sqlite3
import threading
import time

import daemon
from crls import HOLD, REMOVE, Crl, Seen, Watcher, ocsp
from daemon import CSR_TYPE, Case, Certificate, Daemon, make_ca, make_csr, run, until

POINTS = ("revoke.before_write", "revoke.after_commit", "store.before_commit", "store.after_commit", "crl.after_number",
          "crl.after_entries", "crl.after_sign", "crl.after_file", "crl.amid_places", "crl.after_places",
          "crl.after_record", "exit.before", "exit.after", "reply.before")
# Revocations meet a run that takes its time, and the daemon dies later in that run or in a commit.
SLOWED = ("crl.after_entries:0:sleep60,crl.after_record", "crl.after_file:0:sleep60,revoke.after_commit",
          "crl.after_places:0:sleep60,store.after_commit", "store.before_commit:0:sleep5,crl.after_number")
SLOW = bool(os.environ.get("CHANCERY_SLOW"))
TIMES, RANDOM_ROUNDS, AUDIT_EVERY = (20, 120, 4) if SLOW else (1, 2, 5)
JSON = {"Content-Type": "application/json"}
GOOD, KEY_COMPROMISE, SUPERSEDED = -1, 1, 4

JOURNAL = r"""
#include <chancery/easy.h>
#include <stdio.h>

struct journal { char file[1024]; };
static chy_hresult init(chy_task *task, chy_long *events)
{
    struct journal *j = task->state;
    *events = CHY_EXITEVENT_CERTREVOKED | CHY_EXITEVENT_CRLISSUED;
    return chy_setting_text(task->host, "File", "", j->file, sizeof j->file);
}
static chy_hresult notify(chy_task *task, chy_long event)
{
    struct journal *j = task->state;
    chy_long id = 0;
    FILE *f = fopen(j->file, "a");
    if (!f) return CHY_ERROR_FILE_NOT_FOUND;
    if (event == CHY_EXITEVENT_CERTREVOKED) chy_request_long(task, "RequestID", &id);
    fprintf(f, "%d %d\n", (int)event, (int)id);
    return fclose(f) == 0 ? CHY_S_OK : CHY_ERROR_IO_DEVICE;
}
CHY_EXIT_MODULE("events", "Events.Exit", "1.0", "Writes a line per event", struct journal, init, notify);
"""


class Standing:
    """What is known of one certificate: how it stands, how it may stand, and how many changes were acknowledged."""

    def __init__(self, answer):
        self.serial, self.id = answer["serial"], answer["request_id"]
        self.now, self.maybe, self.changes = GOOD, None, 0

    def settle(self, reason):
        self.now, self.maybe = reason, None


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.of, self.errors = {}, []
        self.acknowledged = self.published = 0

    def take(self, rng, wanted):
        """One that nobody else works on and nothing is in doubt of."""
        with self.lock:
            free = [s for s in self.of.values() if s.now in wanted and s.maybe is None]
            if not free:
                return None
            s = rng.choice(free[-40:])
            s.maybe = s.now
            return s

    def done(self, s, reason, keep=False):
        """keep: whoever works on it goes on."""
        with self.lock:
            s.changes += 1
            self.acknowledged += 1
            s.now, s.maybe = reason, reason if keep else None


class Officer(threading.Thread):
    """Issues, revokes, holds and releases until the daemon is gone."""
    csr = make_csr(form="DER")

    def __init__(self, path, ledger, seed):
        super().__init__(daemon=True)
        self.path, self.ledger, self.rng = path, ledger, random.Random(seed)
        self.start()

    def run(self):
        c = daemon.UnixConnection(self.path, 20)
        try:
            while self.act(c):
                pass
        except (OSError, http.client.HTTPException):
            pass
        finally:
            c.close()

    def act(self, c):
        what = self.rng.choice(("issue", "issue", "revoke", "hold", "hold", "release", "worse"))
        if what == "issue":
            return self.issue(c)
        wanted, after = {"revoke": ((GOOD,), SUPERSEDED), "hold": ((GOOD,), HOLD), "release": ((HOLD,), GOOD),
                         "worse": ((HOLD,), KEY_COMPROMISE)}[what]
        s = self.ledger.take(self.rng, wanted)
        return self.change(c, s, after) if s else True

    def issue(self, c):
        a = daemon.ask_over(c, "POST", "/api/v1/requests", self.csr, {"Content-Type": CSR_TYPE})
        if a.status != 201:
            self.ledger.errors.append(repr(a))
            return False
        with self.ledger.lock:
            self.ledger.of[a.json["serial"]] = Standing(a.json)
        return True

    def change(self, c, s, after):
        s.maybe = after  # from here on it may be so
        verb, body = ("release", "{}") if after == GOOD else ("revoke", json.dumps({"reason": after}))
        a = daemon.ask_over(c, "POST", "/api/v1/certificates/%s/%s" % (s.serial, verb), body, JSON)
        if a.status != 200:
            self.ledger.errors.append("%s %s: %r" % (verb, s.serial, a))
            return False
        self.ledger.done(s, after)
        return True


class Bulk(Officer):
    """Six at once by their name: held, and then revoked for good. Each may have been reached or not when the daemon dies."""
    size = 6

    def act(self, c):
        name = "bulk-%08x.example.test" % self.rng.getrandbits(32)
        csr, mine = make_csr(("DNS:" + name,), "/CN=" + name, form="DER"), []
        for _ in range(self.size):
            a = daemon.ask_over(c, "POST", "/api/v1/requests", csr, {"Content-Type": CSR_TYPE})
            if a.status != 201:
                self.ledger.errors.append(repr(a))
                return False
            mine.append(Standing(a.json))
            mine[-1].maybe = GOOD  # nobody else takes it
            with self.ledger.lock:
                self.ledger.of[a.json["serial"]] = mine[-1]
        return self.change_all(c, name, mine, HOLD) and self.change_all(c, name, mine, KEY_COMPROMISE)

    def change_all(self, c, name, mine, after):
        for s in mine:
            s.maybe = after
        body = json.dumps({"where": "common_name=" + name, "reason": after})
        a = daemon.ask_over(c, "POST", "/api/v1/certificates/revoke", body, JSON)
        if a.status != 200 or a.json["changed"] != self.size:
            self.ledger.errors.append("bulk %s: %r" % (name, a))
            return False
        for s in mine:
            self.ledger.done(s, after, keep=True)
        return True


class Publisher(threading.Thread):
    """Orders CRLs, base and delta, on top of those that the revocations bring."""

    def __init__(self, path, ledger):
        super().__init__(daemon=True)
        self.path, self.ledger = path, ledger
        self.start()

    def run(self):
        c = daemon.UnixConnection(self.path, 20)
        try:
            for kind in ("base", "delta") * 100000:
                a = daemon.ask_over(c, "POST", "/api/v1/crl", json.dumps({"kind": kind}), JSON)
                if a.status != 200:
                    self.ledger.errors.append("publish: %r" % a)
                    return
                self.ledger.published += a.json["made"] > 0
                time.sleep(0.02)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            c.close()


class Crash(Case):
    def setUp(self):
        self.path, self.out = self.temp(), self.temp()
        self.ca_dir = make_ca(self.path, "--issue")
        self.ca_pem = os.path.join(self.ca_dir, "ca.pem")
        self.journal = os.path.join(self.temp(), "journal")
        self.random = random.Random(int(os.environ.get("CHANCERY_SEED", "1")))
        self.lives = self.struck = 0

    def configure(self, *settings):
        with Daemon.of_dir(self.path) as d:
            for name, value in settings:
                d.set(name, value)
            self.assertEqual(d.ask("POST", "/api/v1/crl").status, 200)

    def configure_all(self):
        self.configure(("ExitModules/Active", [self.module()]), ("ExitModules/events/File", self.journal),
                       ("CRLPublicationURLs", ["65:%s/%%3%%8%%9.crl" % self.out]), ("PublicationCheck", "no"),
                       ("CRLDeltaPeriodUnits", 1), ("CRLPublishDelaySeconds", 1))

    def module(self):
        source, made = self.file(JOURNAL.encode(), "events.c"), os.path.join(self.temp(), "events.so")
        run("cc", "-std=c17", "-D_GNU_SOURCE", "-fPIC", "-shared", "-I", daemon.INCLUDE, "-o", made, source)
        os.chmod(made, 0o755)
        return made

    def begin(self, fault=None):
        """A daemon that may die of the fault before it answers."""
        self.lives += 1
        return self.start_mortal(self.path, fault)

    def die(self, d, seconds, fault=None):
        """Of its fault, or after so many seconds."""
        if not until(lambda: d.proc.poll() is not None, seconds, 0.01):
            d.proc.kill()
        elif fault:
            self.struck += 1
        self.assertEqual(d.wait(20), -signal.SIGKILL, d.stderr())
        self.assertNotIn("Sanitizer", d.stderr())
        self.assertNotIn("runtime error", d.stderr())
        d.proc.stdout.close()

    def row(self, c, serial):
        a = daemon.ask_over(c, "GET", "/api/v1/certificates/" + serial)
        self.assertEqual(a.status, 200, a)
        return a.json

    def certificates(self, d):
        return d.ask("GET", "/api/v1/ca").json["certificates"]


class Revocations(Crash):
    def setUp(self):
        super().setUp()
        self.configure_all()
        self.ledger, self.seen = Ledger(), Seen()
        self.names = {"base": "Test CA.crl", "delta": "Test CA+.crl"}
        self.checked = {}  # serial to what the last audit saw

    def life(self, fault=None, seconds=2.5):
        d = self.begin(fault)
        watcher = Watcher(d.socket, self.seen, self.out, self.names, 0.01)
        others = [Officer(d.socket, self.ledger, self.random.random()) for _ in range(3)] + [
            Bulk(d.socket, self.ledger, self.random.random()), Publisher(d.socket, self.ledger)]
        self.die(d, seconds, fault)
        for t in others + [watcher]:
            t.join(30)
            self.assertFalse(t.is_alive())
        self.assertEqual(self.ledger.errors + self.seen.errors, [], fault)

    def test_rounds(self):
        rounds = [("%s:%d:kill" % (p, self.random.randint(1, 12 if p[:3] in ("crl", "exi") else 40)), 2.5) for p in POINTS * TIMES]
        rounds += [("%s:%d:kill" % (p, self.random.randint(1, 6)), 2.5) for p in SLOWED * (TIMES if SLOW else 0)]
        rounds += [(None, self.random.uniform(0.05, 1)) for _ in range(RANDOM_ROUNDS)]
        if not SLOW:
            rounds.append(("%s:2:kill" % self.random.choice(SLOWED), 2.5))
        self.random.shuffle(rounds)
        for n, (fault, seconds) in enumerate(rounds):
            self.life(fault, seconds)
            if n % AUDIT_EVERY == AUDIT_EVERY - 1:
                d = self.begin()
                self.audit(d)
                self.die(d, 0)
        d = self.begin()
        self.audit(d)
        self.finish(d)

    def audit(self, d):
        """Rows and histories, then what OCSP answers, then the CRL that comes by itself."""
        watcher = Watcher(d.socket, self.seen, self.out, self.names, 0.05)
        c = daemon.UnixConnection(d.socket)
        changed = [s for s in self.ledger.of.values() if s.maybe is not None or self.checked.get(s.serial) != (s.now, s.changes)]
        for s in changed:
            self.audit_row(s, self.row(c, s.serial))
        c.close()
        told = ocsp(d, self, self.ca_pem, [s.serial for s in changed if self.checked.get(s.serial) != (s.now, s.changes)])
        for s in changed:
            if s.serial in told:
                self.assertEqual(told[s.serial], ("good", 0) if s.now == GOOD else ("revoked", s.now), s.serial)
            self.checked[s.serial] = s.now, s.changes
        self.audit_crls(d)
        watcher.stop()
        self.assertEqual(self.seen.errors, [])

    def audit_row(self, s, row):
        if row["disposition"] == "revoked":
            stands = row["revoked_reason"]
        else:
            self.assertEqual(row["disposition"], "issued", row)
            stands = GOOD
        self.assertIn(stands, (s.now, s.maybe) if s.maybe is not None else (s.now,), row)
        changes, doubt = len(row["history"]), s.maybe is not None and s.maybe != s.now
        self.assertEqual(changes, s.changes + (doubt and stands == s.maybe), row)
        s.changes = changes
        s.settle(stands)

    def audit_crls(self, d):
        wanted = {s.serial: s.now for s in self.ledger.of.values() if s.now != GOOD}

        def listed():
            base, delta = self.fetch(d, "base"), self.fetch(d, "delta")
            if not base or not delta:
                return False
            both = dict(base.entries, **delta.entries)
            return base.entries == wanted and {k: r for k, r in both.items() if r != REMOVE} == wanted
        if not until(listed, 15, 0.1):
            base = self.fetch(d, "base")
            self.fail("CRL %d after 15 s: missing %s, too many %s, %s\n%s" %
                      (base.number, sorted(wanted.keys() - base.entries.keys()), sorted(base.entries.keys() - wanted.keys()),
                       d.ask("GET", "/api/v1/crl"), d.stderr()))
        self.assertTrue(until(lambda: self.at_path("base").entries == wanted, 5, 0.1))
        ready = d.ask("GET", "/readyz")
        self.assertEqual((ready.status, ready.json.get("degraded", False)), (200, False), ready)

    def fetch(self, d, kind):
        a = d.ask("GET", "/crl/" + self.names[kind].replace(" ", "%20"))
        return self.seen.note("audit", a.body) if a.status == 200 else None

    def at_path(self, kind):
        with open(os.path.join(self.out, self.names[kind]), "rb") as f:
            return Crl(f.read())

    def finish(self, d):
        """A CRL more has a higher number than any; after a clean stop: the database, the folders, the events."""
        highest = self.seen.highest()
        made = d.ask("POST", "/api/v1/crl")
        self.assertEqual(made.status, 200, made)
        self.assertGreater(made.json["number"], highest)
        kept = {(i["kind"], i["number"]) for i in d.ask("GET", "/api/v1/crl").json["crls"]}
        d.stop()
        self.assertEqual(sorted(os.listdir(self.ca_dir + "/crl")),
                         sorted("0-0-%d%s.crl" % (n, "+" if kind == "delta" else "") for kind, n in kept))
        strays = sorted(f for f in os.listdir(self.out) if f not in self.names.values())
        self.assertEqual(strays, [], "left in the folder by the kills")
        self.seen.verify(self, self.ca_pem)
        (name,) = glob.glob(self.ca_dir + "/*.db")
        db = sqlite3.connect(name)
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        self.assertEqual(db.execute("SELECT (SELECT count(*) FROM intent)+(SELECT count(*) FROM outbox)").fetchone(), (0,))
        history = dict(db.execute("SELECT request_id,count(*) FROM revocation GROUP BY request_id"))
        db.close()
        self.assertEqual({s.id: s.changes for s in self.ledger.of.values() if s.changes},
                         {i: n for i, n in history.items() if i in {s.id for s in self.ledger.of.values()}})
        with open(self.journal) as f:
            events = [tuple(map(int, line.split())) for line in f]
        for id, n in history.items():
            self.assertGreaterEqual(events.count((8, id)), n, "events of request %d" % id)
        self.assertGreaterEqual(events.count((32, 0)), self.ledger.published)
        self.assertGreater(self.ledger.acknowledged, 100)
        self.assertGreater(self.struck, len(POINTS) * TIMES * 3 // 4)
        print("%d lives, %d ended by their fault: %d certificates, %d changes and %d publications acknowledged, %d fetches of "
              "%d CRLs, %d events" %
              (self.lives, self.struck, len(self.ledger.of), self.ledger.acknowledged, self.ledger.published, self.seen.fetches,
               len(self.seen.by_der), len(events)), flush=True)


class Leftovers(Crash):
    def left(self):
        return sorted(f for f in os.listdir(self.out) if f.endswith(".tmp"))

    def test_a_copy_that_was_cut_off_goes_with_the_next(self):
        self.configure(("CRLPublicationURLs", ["1:%s/%%3%%8%%9.crl" % self.out]), ("PublicationCheck", "no"))
        foreign = "another.crl.01234567.tmp"
        with open(os.path.join(self.out, foreign), "w"):
            pass
        for n in range(2):
            fault = "crl.amid_places:1:kill"
            d = self.begin(fault)
            try:
                d.ask("POST", "/api/v1/crl")
            except (OSError, http.client.HTTPException):
                pass
            self.die(d, 20, fault)
            mine = [f for f in self.left() if f != foreign]
            self.assertEqual((len(mine), self.struck), (1, n + 1), mine)
            self.assertRegex(mine[0], r"^Test CA\.crl\.[0-9a-f]{8}\.tmp$")
        d = self.begin()
        self.assertEqual(d.ask("POST", "/api/v1/crl").status, 200)
        d.stop()
        self.assertEqual(self.left(), [foreign])


class Renewals(Crash):
    def setUp(self):
        super().setUp()
        self.configure(("CRLPublicationURLs", ["1:%s/%%3%%8%%9.crl" % self.out]), ("PublicationCheck", "no"))

    def issue(self, d):
        a = d.submit(Officer.csr)
        self.assertEqual(a.status, 201, a)
        return a.json

    def renew(self, d, body):
        return d.ask("POST", "/api/v1/ca/renew", json.dumps(body), JSON)

    def certified_by(self, d, leaf, certs, index):
        der = d.ask("GET", "/aia/" + certs[index]["file"].replace(" ", "%20")).body
        ca = Certificate(der)
        run("openssl", "verify", "-partial_chain", "-trusted", self.file(ca.pem, "ca.pem"), self.file(leaf.encode(), "leaf.pem"))
        return ca

    def check_crls(self, d, revoked):
        """One for each key, with what that key has certified."""
        certs = self.certificates(d)

        def all_there():
            infos = {i["key_index"]: i for i in d.ask("GET", "/api/v1/crl").json["crls"]}
            return infos if set(infos) == {c["key_index"] for c in certs} and \
                sum(i["entries"] for i in infos.values()) == len(revoked) else None
        infos = until(all_there, 90, 0.1)  # a run that took long is not followed by another at once
        self.assertTrue(infos, (d.ask("GET", "/api/v1/crl"), d.stderr()))
        listed = {}
        for key, info in infos.items():
            der = d.ask("GET", "/crl/" + info["name"].replace(" ", "%20")).body
            ca = self.file(Certificate(d.ask("GET", "/aia/" + certs[key]["file"].replace(" ", "%20")).body).pem, "ca.pem")
            done = run("openssl", "crl", "-inform", "DER", "-noout", "-verify", "-CAfile", ca, data=der)
            self.assertIn(b"verify OK", done.stderr)
            listed.update({s: key for s in Crl(der).entries})
        self.assertEqual(listed, revoked)

    def test_cut_off(self):
        revoked, key_now = {}, 0
        bodies = [{}, {"new_key": True}, {"new_key": True, "key": "p384"}, {}]
        for body in bodies * (4 if SLOW else 1):
            d = self.begin("renew.before_file:1:kill")
            before = self.certificates(d)
            with self.assertRaises((OSError, http.client.HTTPException)):
                self.renew(d, body)
            self.die(d, 5)
            d = self.begin("renew.after_file:1:kill")
            self.assertEqual(self.certificates(d), before)
            old = self.issue(d)
            self.certified_by(d, old["certificate"], before, -1)
            with self.assertRaises((OSError, http.client.HTTPException)):
                self.renew(d, body)
            self.die(d, 5)
            d = self.begin()
            certs = self.certificates(d)
            self.assertEqual(certs[:-1], before)
            self.assertEqual(certs[-1]["index"], len(before))
            new = self.issue(d)
            self.certified_by(d, new["certificate"], certs, -1)
            key_new = certs[-1]["key_index"]
            self.assertEqual(key_new != key_now, bool(body.get("new_key")))
            for made, key in ((old, key_now), (new, key_new)):
                a = d.ask("POST", "/api/v1/certificates/%s/revoke" % made["serial"], "{}", JSON)
                self.assertEqual(a.status, 200, a)
                revoked[made["serial"]] = key
            key_now = key_new
            self.check_crls(d, revoked)
            d.stop()
        keys = [f for f in os.listdir(self.ca_dir) if re.match(r"key.*\.pem$", f)]
        print("%d lives, %d certificates of the CA, %d key files" % (self.lives, len(certs), len(keys)), flush=True)
        self.assertEqual(len(keys), 1 + sum(1 for b in bodies * (4 if SLOW else 1) if b.get("new_key")))
        self.assertFalse([f for f in os.listdir(self.ca_dir) if f.endswith(".tmp")])

    def test_both_certificates_work_after_a_whole_one(self):
        d = self.begin("renew.before_file:1:kill")
        with self.assertRaises((OSError, http.client.HTTPException)):
            self.renew(d, {"new_key": True})
        self.die(d, 5)
        d = self.begin()
        a = self.renew(d, {"new_key": True})
        self.assertEqual((a.status, a.json["index"]), (200, 1), a)
        self.certified_by(d, self.issue(d)["certificate"], self.certificates(d), 1)
        d.stop()


if __name__ == "__main__":
    daemon.main()
