"""Exit events where several things go wrong at once (P13)."""
import json
import os
import sqlite3
import threading
import time
import unittest

import daemon
import sinks
from daemon import Daemon, make_csr, run, until
from test_events import CHANCERY, Events

JSON = {"Content-Type": "application/json"}


class Worse(Events):
    def begin_with(self, fault):
        d = Daemon.of_dir(self.path, env={"CHANCERY_FAULT": fault})
        self.addCleanup(d.close)
        return d

    def database(self):
        db = sqlite3.connect(os.path.join(self.ca_dir, "ca.db"))
        self.addCleanup(db.close)
        return db

    def set_aside(self):
        """One event that a refused, with the daemon stopped."""
        self.refuse("a", True)
        (id,) = self.issue()
        self.assertTrue(until(lambda: self.state("a")["events_retrying"] == 1), self.state("a"))
        self.d.stop()
        self.refuse("a", False)
        return id


class Storage(Worse):
    def test_a_full_disk_is_no_reason_to_tell_what_was_taken_again_and_again(self):
        id = self.set_aside()
        self.d = self.begin_with("store.commit_fails:0:fail")
        self.assertTrue(until(lambda: id in self.taken("a")), self.d.stderr())
        time.sleep(2)
        self.assertEqual(len([e for e in self.told("a") if e.request == id and e.taken]), 1)
        self.restart()
        self.assertTrue(until(lambda: self.state("a")["events_waiting"] == 0), self.state("a"))


class Clock(Worse):
    def test_an_attempt_planned_by_a_clock_that_was_wrong_is_not_waited_for(self):
        id = self.set_aside()
        db = self.database()
        db.execute("UPDATE outbox SET next_try=next_try+?", (4 * 365 * 86400 * 1000000,))
        db.commit()
        db.close()
        self.d = self.begin()
        self.until_taken("a", [id])


class Replayed(Worse):
    def test_a_release_is_replayed_though_the_hold_was_before(self):
        (id,) = self.issue()
        self.assertEqual(self.d.ask("POST", "/api/v1/requests/%d/revoke" % id, '{"reason": 6}').status, 200)
        self.assertTrue(until(lambda: id in self.taken("a", sinks.REVOKED)))
        time.sleep(1.1)
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        time.sleep(0.1)
        self.assertEqual(self.d.ask("POST", "/api/v1/requests/%d/release" % id, "").status, 200)
        self.assertTrue(until(lambda: len(self.told("a")) == 3), self.told("a"))
        self.assertIn("1 event", self.cli("module", "replay", "a", "--since", since))
        self.assertTrue(until(lambda: len(self.told("a")) == 4), self.told("a"))
        self.assertEqual(self.told("a")[3], self.told("a")[2])

    def test_what_was_committed_of_a_replay_is_told_though_the_rest_was_not(self):
        ids = self.issue(3)
        self.until_taken("a", ids)
        self.d.stop()
        db = self.database()
        db.execute("CREATE TRIGGER refuses BEFORE INSERT ON outbox WHEN NEW.request_id=%d"
                   " AND EXISTS(SELECT 1 FROM meta WHERE path='exit/%s/mask')"
                   " BEGIN SELECT RAISE(FAIL,'not this one'); END" % (ids[1], self.so["a"]))
        db.commit()
        db.close()
        self.d = self.begin()
        body = json.dumps({"since": "2020-01-01T00:00:00Z"})
        self.assertNotEqual(self.d.ask("POST", "/api/v1/modules/a/replay", body, JSON).status, 200)
        self.assertTrue(until(lambda: len([e for e in self.told("a") if e.taken]) == 5), self.told("a"))
        self.assertTrue(until(lambda: self.state("a")["events_waiting"] == 0), self.state("a"))


class Synchronous(Worse):
    def test_what_was_told_before_it_was_waited_for_is_not_waited_for(self):
        """b reads the second event from the outbox while the writer has not yet come to its answer."""
        self.d.set("Modules/b/Synchronous", 1)
        self.d.set("ExitModules/b/SleepMs", 600)
        self.d.stop()
        self.d = self.begin_with("final.after_commit:0:sleep1500")
        took = []

        def submit():
            started = time.monotonic()
            self.assertEqual(self.d.submit(make_csr()).status, 201)
            took.append(time.monotonic() - started)
        threads = [threading.Thread(target=submit) for _ in range(2)]
        for t in threads:
            t.start()
            time.sleep(0.3)
        for t in threads:
            t.join()
        self.assertEqual(len(took), 2)
        self.assertLess(max(took), 20)  # 30 s is the deadline


class Paused(Worse):
    def test_a_pause_ends_what_is_being_caught_up_with(self):
        self.cli("module", "pause", "a")
        ids = self.issue(30)
        self.d.set("ExitModules/a/SleepMs", 200)
        self.cli("module", "resume", "a")
        self.assertTrue(until(lambda: len(self.taken("a")) >= 2))
        self.cli("module", "pause", "a")
        told = len(self.taken("a"))
        time.sleep(1.5)
        self.assertLessEqual(len(self.taken("a")), told + 1)
        self.d.set("ExitModules/a/SleepMs", 0)
        self.cli("module", "resume", "a")
        self.until_taken("a", ids)
        self.assertEqual(self.taken("a"), ids)


class Names(Worse):
    def test_a_module_that_calls_itself_as_another_keeps_nothing_from_it(self):
        folder = self.temp()
        other = os.path.join(folder, "other.so")
        os.rename(sinks.compile_sink(folder, "exit-publish"), other)
        self.d.set("ExitModules/exit-publish/File", self.file_of("other"))
        self.d.set("ExitModules/Active", [other, "exit-publish"])
        self.restart()
        ids = self.issue(3)
        self.until_taken("other", ids)

        def stock():
            return self.d.ask("GET", "/api/v1/modules").json["modules"][2]
        self.assertEqual((stock()["name"], stock()["class"]), ("exit-publish", "ExitPublish.Exit"))
        self.assertTrue(until(lambda: stock()["events_delivered"] >= 3), stock())
        self.assertEqual(stock()["events_waiting"], 0)


class Outage(Worse):
    def test_a_sink_that_comes_back_and_goes_again_is_given_all_in_the_end(self):
        self.d.set("ExitGiveUpSeconds", 1)
        self.refuse("a", True)
        ids = self.issue(3)

        def tries():
            return len([e for e in self.told("a") if e.request in ids[1:]])
        self.assertTrue(until(lambda: self.state("a")["events_retrying"] == 3, 60), self.state("a"))
        time.sleep(1.2)
        self.d.set("ExitModules/a/Only", ids[0])
        self.refuse("a", False)
        self.until_taken("a", ids[:1])  # it takes one, and nothing else
        before = tries()
        self.assertTrue(until(lambda: tries() >= before + 4), self.state("a"))
        self.assertLessEqual(self.state("a")["events_failed"], 1)
        self.d.set("ExitModules/a/Only", 0)
        self.assertTrue(until(lambda: len(self.taken("a")) >= 2, 60), self.told("a"))

    def test_what_is_refused_each_time_keeps_nothing_else_from_the_module(self):
        self.refuse("a", True)
        ids = self.issue(3)
        self.assertTrue(until(lambda: len(self.told("a")) >= 12, 60), self.told("a"))
        self.d.set("ExitModules/a/Only", ids[-1] + 1)
        self.refuse("a", False)
        self.until_taken("a", self.issue(1))


class Absent(Worse):
    def test_what_an_absent_module_is_owed_is_counted(self):
        self.d.stop()
        os.rename(self.so["a"], self.so["a"] + ".away")
        self.d = self.begin()
        self.issue(2)
        self.restart()
        self.issue(1)
        state = self.state("a")
        self.assertEqual((state["loaded"], state["events_waiting"] >= 3), (False, True), state)
        self.assertLess(state["lag_seconds"], 1000)


class Marked(Worse):
    def test_a_mark_is_no_revocation(self):
        (id,) = self.issue()
        for reason in (-2, -3):
            answer = self.d.ask("POST", "/api/v1/requests/%d/revoke" % id, '{"reason": %d}' % reason, JSON)
            self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.d.ask("POST", "/api/v1/requests/%d/revoke" % id, '{"reason": 1}', JSON).status, 200)
        self.assertTrue(until(lambda: self.state("a")["events_waiting"] == 0))
        self.assertEqual([e.name for e in self.told("a")], ["certissued", "certrevoked"])
        self.assertIn("2 events", self.cli("module", "replay", "a", "--request", str(id)))


class Mistyped(Worse):
    def test_nothing_is_said_to_be_paused_that_is_not(self):
        for verb in ("pause", "resume"):
            p = run(CHANCERY, "--socket", self.d.socket, "module", verb, "aa", check=False)
            self.assertEqual((p.returncode, p.stdout), (5, b""), p)
            self.assertIn(b"see chancery module list", p.stderr)
        self.assertNotIn("Modules/aa/Paused", self.cli("config", "list"))


if __name__ == "__main__":
    daemon.main()
