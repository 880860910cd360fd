"""Killed at any moment, the daemon loses nothing that it acknowledged (P2), uses no number twice (P1) and tells every
exit module of every certificate (P13). A kill leaves the system's page cache alone: what a loss of power does is not
shown here."""
import glob
import http.client
import itertools
import os
import random
import shutil
import signal
import sqlite3
import threading
import time

import daemon
import sinks
from daemon import CSR_TYPE, Case, Daemon, make_ca, make_csr, until

POINTS = ("intake.after_id", "intake.after_policy", "intent.before_write", "intent.after_commit", "sign.before", "sign.after",
          "final.before_write", "final.after_commit", "reply.before", "exit.before", "exit.after", "store.before_commit",
          "store.after_commit")
SLOW = bool(os.environ.get("CHANCERY_SLOW"))
TIMES, RANDOM_ROUNDS = (5, 500) if SLOW else (1, 12)  # 630 lives among the slow tests, 38 else
ISSUED, PENDING, DENIED = 20, 9, 31


class Ledger:
    """What clients were told, and what is in doubt because the answer never came."""

    def __init__(self):
        self.lock = threading.Lock()
        self.told, self.in_doubt, self.errors = {}, set(), []
        self.floor = 0  # every id of an earlier life is at most this

    def note(self, answer):
        if answer.status not in (201, 202, 403):
            self.errors.append(repr(answer))
            return None
        got = answer.json
        id, der = got["request_id"], None
        if got["disposition"] == "issued":
            der = daemon.pem_to_der(got["certificate"])
        with self.lock:
            if id in self.told and self.told[id][0] != PENDING:
                self.errors.append("request id %d was given twice" % id)
            if id not in self.told and id <= self.floor:
                self.errors.append("request id %d does not rise above %d" % (id, self.floor))
            self.told[id] = (got["disposition_code"], der)
            self.in_doubt.discard(id)
        return id

    def new_life(self):
        self.floor = max(self.told, default=0)


class Client(threading.Thread):
    """Submits until the daemon is gone. One in three kinds of request is denied, one waits and is then released."""
    good = make_csr(form="DER")
    bad = make_csr(["email:a@example.test"], "/", form="DER")

    def __init__(self, path, ledger, kinds):
        super().__init__(daemon=True)
        self.path, self.ledger, self.kinds = path, ledger, kinds
        self.start()

    def run(self):
        c = daemon.UnixConnection(self.path, 20)
        try:
            for kind in itertools.cycle(self.kinds):
                body = self.bad if kind == "deny" else self.good
                target = "/api/v1/requests" + ("?profile=waits" if kind == "pend" else "")
                id = self.ledger.note(daemon.ask_over(c, "POST", target, body, {"Content-Type": CSR_TYPE}))
                if kind == "pend" and id:
                    with self.ledger.lock:
                        self.ledger.in_doubt.add(id)
                    self.ledger.note(daemon.ask_over(c, "POST", "/api/v1/requests/%d/resubmit" % id))
        except (OSError, http.client.HTTPException):
            pass
        finally:
            c.close()


class Kill(Case):
    def setUp(self):
        self.path, self.out = self.temp(), self.temp()
        self.ca_dir = make_ca(self.path, "--issue")
        with Daemon.of_dir(self.path) as d:
            for setting, value in (("Pending", 1), ("AllowedSubject", "CommonName"), ("SanTypes", "dns")):
                d.policy("Profiles/waits/" + setting, value)
            d.set("ExitModules/exit-publish/Folder", self.out)
            d.set("ExitModules/exit-publish/Always", 1)
            self.make_sinks(d)
        self.ledger = Ledger()
        self.lives = 0
        self.random = random.Random(int(os.environ.get("CHANCERY_SEED", "1")))

    def make_sinks(self, d):
        """Beside exit-publish a module that takes all, a slow one, and one that refuses for lives on end."""
        self.sinks = self.temp()
        so = [sinks.compile_sink(self.sinks, name) for name in ("taker", "slow", "moody")]
        d.set("ExitModules/Active", ["exit-publish"] + so)
        d.set("ExitRetrySeconds", 1)
        for name in ("taker", "slow", "moody"):
            d.set("ExitModules/%s/File" % name, os.path.join(self.sinks, name))
        d.set("ExitModules/slow/SleepMs", 3)
        self.mood = os.path.join(self.sinks, "mood")
        d.set("ExitModules/moody/RefuseWhile", self.mood)

    def change_mood(self, refuses):
        if refuses:
            open(self.mood, "w").close()
        elif os.path.exists(self.mood):
            os.remove(self.mood)

    def begin(self, fault=None):
        """A daemon that may die of the fault while it still settles what the last one left."""
        return self.start_mortal(self.path, fault)

    def audit(self, d, ids):
        """Every answer that was given stands, octet for octet."""
        def none_active():
            return d.ask("GET", "/api/v1/requests?where=disposition%20%3D%20active").json["requests"] == []
        self.assertTrue(until(none_active), d.stderr())
        c = daemon.UnixConnection(d.socket)
        for id in ids:
            answer = daemon.ask_over(c, "GET", "/api/v1/requests/%d" % id)
            self.assertEqual(answer.status, 200, (id, answer))
            self.check_one(id, answer.json["disposition_code"], answer.json.get("certificate"))
        c.close()

    def check_one(self, id, disposition, certificate):
        told, der = self.ledger.told[id]
        if id in self.ledger.in_doubt:
            self.assertIn(disposition, (PENDING, ISSUED), id)
            return
        self.assertEqual(disposition, told, id)
        if der:
            self.assertEqual(certificate if isinstance(certificate, bytes) else daemon.pem_to_der(certificate), der, id)

    def life(self, fault=None, seconds=None):
        before = set(self.ledger.told)
        self.lives += 1
        self.change_mood(self.random.random() < 0.5)
        d = self.begin(fault)
        clients = [Client(d.socket, self.ledger, kinds)
                   for kinds in (("issue",), ("issue",), ("issue", "deny"), ("pend", "issue"))]
        if seconds is not None:
            time.sleep(seconds)
            if d.proc.poll() is None:
                d.proc.kill()
        status = d.wait(20)
        for c in clients:
            c.join(30)
            self.assertFalse(c.is_alive())
        self.assertEqual(status, -signal.SIGKILL, d.stderr())
        self.assertNotIn("Sanitizer", d.stderr())
        self.assertEqual(self.ledger.errors, [], fault)
        self.ledger.new_life()
        return sorted(set(self.ledger.told) - before)

    def test_rounds(self):
        rounds = [("%s:%d:kill" % (p, self.random.randint(1, 30)), None) for p in POINTS * TIMES]
        rounds += [("%s:%d:kill" % (p, self.random.randint(1, 4)), None) for p in POINTS * TIMES]
        rounds += [(None, self.random.uniform(0.02, 0.6)) for _ in range(RANDOM_ROUNDS)]
        self.random.shuffle(rounds)
        for n, (fault, seconds) in enumerate(rounds):
            new = self.life(fault, seconds)
            if n % 3 == 2:  # else the next life settles, perhaps dying of its own fault meanwhile
                d = self.begin()
                self.audit(d, new)
                d.kill()
        d = self.begin()
        self.audit(d, sorted(self.ledger.told)[-200:])
        self.assertGreater(len(self.ledger.told), 100)
        self.finish(d)

    def published(self):
        return {int(f[:-4]) for f in os.listdir(self.out) if f.endswith(".cer") and not f.startswith(".")}

    def drain(self, d):
        """However many the machine made of them (the slow module takes three milliseconds for each): it goes on."""
        left = d.metric("exit_backlog")
        while left:
            self.assertTrue(until(lambda: d.metric("exit_backlog") < left, 30), left)
            left = d.metric("exit_backlog")

    def finish(self, d):
        """The whole database against all that was told, after a clean stop."""
        issued = set()
        after = 0
        while after is not None:
            page = d.ask("GET", "/api/v1/certificates?sort=request_id&limit=1000&after=%d" % after).json
            issued |= {r["request_id"] for r in page["certificates"]}
            after = page.get("after")
        self.assertTrue(until(lambda: self.published() >= issued, 30), sorted(issued - self.published()))
        self.change_mood(False)
        self.drain(d)
        d.stop()
        copy = os.path.join(self.temp(), "copy")
        shutil.copytree(self.ca_dir, copy)
        (name,) = [f for f in glob.glob(copy + "/**", recursive=True) if f.endswith((".db", ".sqlite"))]
        db = sqlite3.connect(name)
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        self.assertEqual(db.execute("SELECT count(*) FROM intent").fetchone(), (0,))
        self.assertEqual(db.execute("SELECT count(*) FROM outbox").fetchone(), (0,))
        rows = {r[0]: r[1:] for r in db.execute("SELECT id,disposition,serial,raw_certificate FROM request")}
        decided = {}
        for rank, in db.execute("SELECT rank FROM evidence"):
            decided.setdefault(rank >> 16, []).append(rank & 0xffff)
        db.close()
        # No decision without its evidence, no evidence without a decision, and none written over.
        self.assertEqual(set(decided), set(rows))
        self.assertEqual([i for i, numbers in decided.items() if sorted(numbers) != list(range(len(numbers)))], [])
        self.assertFalse([i for i, r in rows.items() if r[0] not in (ISSUED, PENDING, DENIED)])
        for id in self.ledger.told:
            self.assertIn(id, rows)
            self.check_one(id, rows[id][0], rows[id][2])
        certificates = {i: r for i, r in rows.items() if r[0] == ISSUED}
        self.assertEqual(set(certificates), issued)
        self.assertEqual(len({r[1] for r in certificates.values()}), len(certificates))
        self.assertEqual(self.published(), set(certificates))
        for id, (_, _, der) in certificates.items():
            with open(os.path.join(self.out, "%d.cer" % id), "rb") as f:
                self.assertEqual(f.read(), der, id)
        for name in ("taker", "slow", "moody"):
            self.check_sink(name, {id: row[0] for id, row in rows.items()})
        print("%d lives, %d requests told, %d certificates in the database" % (self.lives, len(self.ledger.told), len(certificates)))

    def check_sink(self, name, dispositions):
        """Without repeats of a key: every event exactly once, and those of a request in their order."""
        event_of = {ISSUED: sinks.ISSUED, DENIED: sinks.DENIED, PENDING: sinks.PENDING}
        once = [e for e in sinks.once(sinks.told(os.path.join(self.sinks, name))) if e.request]
        pairs = [(e.request, e.event) for e in once]
        self.assertEqual(len(pairs), len(set(pairs)), name)
        last = {request: event for request, event in pairs}
        self.assertEqual(last, {id: event_of[d] for id, d in dispositions.items()}, name)
        self.assertFalse([p for p in pairs if p[1] == sinks.PENDING and dispositions[p[0]] == DENIED], name)


if __name__ == "__main__":
    daemon.main()
