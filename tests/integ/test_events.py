"""Exit events reach each module at least once, in order per request, whatever the module does (P13)."""
import glob
import json
import os
import sqlite3
import threading
import time
import unittest

import daemon
import sinks
from daemon import Case, Daemon, make_ca, make_csr, run, until

CHANCERY = os.path.join(os.environ["CHANCERY_BIN"], "chancery")


class Events(Case):
    """One CA with the modules a and b."""

    def setUp(self):
        self.path, self.out = self.temp(), self.temp()
        self.ca_dir = make_ca(self.path, "--issue")
        self.csr = make_csr()
        modules = self.temp()
        self.so = {name: sinks.compile_sink(modules, name) for name in ("a", "b")}
        with Daemon.of_dir(self.path) as d:
            d.set("ExitModules/Active", [self.so["a"], self.so["b"]])
            d.set("ExitRetrySeconds", 1)
            for name in self.so:
                d.set("ExitModules/%s/File" % name, self.file_of(name))
                d.set("ExitModules/%s/RefuseWhile" % name, self.refuse_of(name))
        self.d = self.begin()

    def begin(self):
        d = Daemon.of_dir(self.path)
        self.addCleanup(d.close)
        return d

    def restart(self):
        self.d.stop()
        self.d = self.begin()

    def file_of(self, name):
        return os.path.join(self.out, name)

    def refuse_of(self, name):
        return os.path.join(self.out, name + ".refuses")

    def refuse(self, name, yes):
        if yes:
            open(self.refuse_of(name), "w").close()
        else:
            os.remove(self.refuse_of(name))

    def issue(self, n=1):
        ids = []
        for _ in range(n):
            answer = self.d.submit(self.csr)
            self.assertEqual(answer.status, 201, answer)
            ids.append(answer.json["request_id"])
        return ids

    def told(self, name, event=None):
        return [e for e in sinks.told(self.file_of(name)) if e.request and (event is None or e.event == event)]

    def taken(self, name, event=sinks.ISSUED):
        return [e.request for e in sinks.once(self.told(name, event))]

    def until_taken(self, name, ids):
        self.assertTrue(until(lambda: sorted(self.taken(name)) == sorted(ids)), (self.taken(name), self.d.stderr()))

    def state(self, name):
        for m in self.d.ask("GET", "/api/v1/modules").json["modules"]:
            if m["name"] in (name, self.so.get(name)):
                return m
        return None

    def events(self, name, query=""):
        answer = self.d.ask("GET", "/api/v1/modules/%s/events%s" % (name, query))
        self.assertEqual(answer.status, 200, answer)
        return answer.json["events"]

    def cli(self, *words):
        return run(CHANCERY, "--socket", self.d.socket, *words).stdout.decode()


class Refused(Events):
    def test_it_is_told_again_and_the_other_module_has_no_wait(self):
        self.refuse("a", True)
        ids = self.issue(6)
        self.until_taken("b", ids)
        self.assertEqual(self.taken("a"), [])
        self.assertTrue(until(lambda: len(self.told("a")) > 3))
        self.assertEqual(self.state("a")["events_waiting"], 6)
        self.refuse("a", False)
        self.until_taken("a", ids)
        self.assertTrue(until(lambda: self.state("a")["events_waiting"] == 0), self.state("a"))
        again = [e for e in self.told("a") if e.attempt > 1]
        self.assertTrue(again)
        for e in again:  # the same key at every attempt
            self.assertEqual({o.id for o in self.told("a") if o.request == e.request}, {e.id})
        self.assertEqual({e.id for e in self.told("a")}, {e.id for e in self.told("b")})

    def test_later_events_of_the_request_wait_behind_it_and_others_go_on(self):
        (first,) = self.issue()
        self.until_taken("a", [first])
        self.d.set("ExitModules/a/Poison", first + 1)
        poison, other = self.issue(2)
        self.assertEqual(self.d.ask("POST", "/api/v1/requests/%d/revoke" % poison, "{}").status, 200)
        self.assertTrue(until(lambda: other in self.taken("a")), self.told("a"))
        self.assertTrue(until(lambda: poison in self.taken("b", sinks.REVOKED)))
        self.assertTrue(until(lambda: len([e for e in self.told("a") if e.request == poison]) > 1))
        self.assertFalse([e for e in self.told("a") if e.request == poison and e.event == sinks.REVOKED])
        self.d.set("ExitModules/a/Poison", 0)
        self.assertTrue(until(lambda: poison in self.taken("a", sinks.REVOKED)), self.told("a"))
        order = [e.event for e in sinks.once(self.told("a")) if e.request == poison]
        self.assertEqual(order, [sinks.ISSUED, sinks.REVOKED])

    def test_it_is_given_up_listed_and_replayed(self):
        (first,) = self.issue()
        self.until_taken("a", [first])
        self.d.set("ExitGiveUpSeconds", 1)
        self.d.set("ExitModules/a/Poison", first + 1)
        poison, _ = self.issue(2)

        def given_up():
            self.issue()  # others are taken meanwhile: it is the event, not the module
            return self.events("a", "?failed=1")
        self.assertTrue(until(given_up, step=0.3), self.events("a"))
        (event,) = self.events("a", "?failed=1")
        self.assertEqual((event["request_id"], event["state"], event["event"]), (poison, "failed", "certissued"))
        self.assertGreater(event["attempts"], 1)
        self.assertIn("Notify failed", event["error"])
        self.assertEqual(self.state("a")["events_failed"], 1)
        self.assertIn("did not take 1 event", self.d.ask("GET", "/readyz").json["cas"][0]["warnings"])
        listed = self.cli("module", "events", "a", "--failed")
        self.assertIn("failed", listed)
        self.assertEqual(listed, self.cli("module", "events", "--failed"))
        self.restart()
        self.assertEqual(self.state("a")["events_failed"], 1)
        self.d.set("ExitModules/a/Poison", 0)
        self.assertIn("1 event", self.cli("module", "replay", "a", "--failed"))
        self.assertTrue(until(lambda: poison in self.taken("a")), self.told("a"))
        self.assertTrue(until(lambda: self.state("a")["events_failed"] == 0 and self.state("a")["events_waiting"] == 0))
        self.assertEqual({e.id for e in self.told("a") if e.request == poison}, {event["event_id"]})

    def test_an_absent_module_finds_what_happened_meanwhile(self):
        ids = self.issue(2)
        self.until_taken("a", ids)
        self.d.stop()
        os.rename(self.so["a"], self.so["a"] + ".away")
        self.d = self.begin()
        ids += self.issue(5)
        self.until_taken("b", ids)
        self.assertFalse(self.state("a")["loaded"])
        self.d.stop()
        os.rename(self.so["a"] + ".away", self.so["a"])
        self.d = self.begin()
        self.until_taken("a", ids)


class Administration(Events):
    def test_paused_and_resumed(self):
        self.assertIn("paused", self.cli("module", "pause", "a"))
        ids = self.issue(4)
        self.until_taken("b", ids)
        self.assertEqual(self.taken("a"), [])
        self.assertTrue(self.state("a")["paused"])
        self.assertEqual(self.state("a")["events_waiting"], 4)
        self.assertEqual([e["state"] for e in self.events("a") if e["request_id"]], ["waiting"] * 4)
        self.restart()  # it outlives the daemon
        time.sleep(0.3)
        self.assertEqual(self.taken("a"), [])
        self.cli("module", "resume", "a")
        self.until_taken("a", ids)
        self.assertEqual(self.taken("a"), ids)

    def test_replay(self):
        ids = self.issue(3)
        self.until_taken("a", ids)
        self.assertEqual(self.d.ask("POST", "/api/v1/requests/%d/revoke" % ids[1], "{}").status, 200)
        self.assertTrue(until(lambda: ids[1] in self.taken("a", sinks.REVOKED)))
        self.assertTrue(until(lambda: len(self.told("b")) == len(self.told("a"))), self.told("b"))
        before, of_b = self.told("a"), len(self.told("b"))
        self.assertIn("2 events", self.cli("module", "replay", "a", "--request", str(ids[1])))
        self.assertTrue(until(lambda: len(self.told("a")) == len(before) + 2), self.told("a"))
        self.assertEqual([e.event for e in self.told("a")[-2:]], [sinks.ISSUED, sinks.REVOKED])
        self.assertIn("4 events", self.cli("module", "replay", "a", "--since", "30d"))
        self.assertTrue(until(lambda: len(self.told("a")) == len(before) + 6), self.told("a"))
        self.assertEqual({e.id for e in self.told("a")}, {e.id for e in before})  # its old names
        self.assertEqual(len(self.told("b")), of_b)
        self.assertIn("0 events", self.cli("module", "replay", "a", "--since", "2126-01-01"))

    def test_one_that_stands_twice_counts_once(self):
        self.d.set("ExitModules/Active", [self.so["a"], self.so["a"], self.so["b"]])
        self.restart()
        ids = self.issue(3)
        self.until_taken("a", ids)
        self.until_taken("b", ids)
        time.sleep(0.3)
        self.assertEqual(self.taken("a"), ids)
        self.assertIn("it stands twice in ExitModules/Active", self.d.stderr())

    def test_what_is_wrong_is_said(self):
        for path, body, status in (("nothing/replay", {"failed": True}, 404), ("a/replay", {}, 400),
                                   ("a/replay", {"request_id": 999999}, 404), ("a/replay", {"often": 1}, 400)):
            answer = self.d.ask("POST", "/api/v1/modules/" + path, json.dumps(body), {"Content-Type": "application/json"})
            self.assertEqual(answer.status, status, (path, body, answer))
        for query in ("limit=0", "limit=1001", "limit=x", "after=-1", "after=x"):
            self.assertEqual(self.d.ask("GET", "/api/v1/modules/a/events?" + query).status, 400, query)
        self.assertEqual(self.d.ask("GET", "/api/v1/modules/nothing/events").status, 404)


class Waiting(Events):
    def test_a_slow_module_holds_nobody_up(self):
        self.d.set("ExitModules/a/SleepMs", 500)
        started = time.monotonic()
        ids = self.issue(20)
        self.assertLess(time.monotonic() - started, 8)  # 10 s, if each had waited for it
        self.until_taken("b", ids)

    def test_a_slow_module_keeps_nobody_from_stopping(self):
        self.d.set("ExitModules/a/SleepMs", 500)
        ids = self.issue(40)
        started = time.monotonic()
        self.d.stop()
        self.assertLess(time.monotonic() - started, 8)  # 20 s, if each had been told first
        self.assertNotEqual(sorted(self.taken("a")), sorted(ids))
        self.d = self.begin()
        self.d.set("ExitModules/a/SleepMs", 0)
        self.until_taken("a", ids)
        self.assertEqual(len(self.told("a")), len(ids))

    def test_a_synchronous_module_was_told_before_the_answer(self):
        self.d.set("Modules/a/Synchronous", 1)
        self.d.set("ExitModules/a/SleepMs", 100)
        self.restart()
        for n in range(1, 4):
            (id,) = self.issue()
            self.assertEqual(self.taken("a")[-1], id)
            self.assertEqual(len(self.taken("a")), n)

    def test_a_synchronous_module_that_hangs_delays_the_answer_by_its_deadline_only(self):
        self.d.set("Modules/a/Synchronous", 1)
        self.d.set("ExitModules/a/SleepMs", 30000)
        self.d.set("ModuleTimeoutMilliseconds", 1000)
        self.restart()
        started = time.monotonic()
        self.issue()
        self.assertLess(time.monotonic() - started, 10)
        self.issue(3)
        self.assertLess(time.monotonic() - started, 15)  # it is out of use, nobody waits for it any more


class Order(Events):
    def test_an_event_is_not_passed_over_by_a_later_one_that_is_told_from_memory(self):
        """CRLs are committed, a certificate is committed and told, and only then the first are announced."""
        (first,) = self.issue()
        self.until_taken("a", [first])
        self.d.stop()
        self.d = Daemon.of_dir(self.path, env={"CHANCERY_FAULT": "crl.before_told:0:sleep700"})
        self.addCleanup(self.d.close)

        def of_crls():
            return len([e for e in sinks.told(self.file_of("a")) if not e.request])
        self.assertTrue(until(lambda: self.state("a")["events_waiting"] == 0))
        before = of_crls()
        publish = threading.Thread(target=self.d.ask, args=("POST", "/api/v1/crl", "{}"))
        publish.start()
        time.sleep(0.4)
        self.issue(3)
        publish.join()
        self.assertTrue(until(lambda: of_crls() == before + 1), (before, self.d.stderr()))


class Keys(Events):
    def test_each_event_has_a_key_of_its_own(self):
        ids = self.issue(5)
        for _ in range(2):
            self.assertEqual(self.d.ask("POST", "/api/v1/requests/%d/revoke" % ids[0], '{"reason": 6}').status, 200)
            self.assertEqual(self.d.ask("POST", "/api/v1/requests/%d/release" % ids[0], "").status, 200)
        self.assertTrue(until(lambda: len([e for e in self.told("a") if e.request == ids[0]]) == 5), self.told("a"))
        self.assertTrue(until(lambda: len(self.told("b")) == len(self.told("a"))))
        a, b = self.told("a"), self.told("b")
        self.assertEqual(len({e.id for e in a}), 9)
        self.assertEqual([e.name for e in a if e.request == ids[0]],
                         ["certissued", "certrevoked", "certunrevoked", "certrevoked", "certunrevoked"])
        self.assertEqual({(e.id, e.request, e.event) for e in a}, {(e.id, e.request, e.event) for e in b})
        for e in a:
            self.assertRegex(e.id, r"^[0-9a-f]{16}-%d-%x-[0-9]+$" % (e.request, e.event))
            self.assertEqual(e.attempt, 1)
        self.d.ask("POST", "/api/v1/crl", "{}")

        def of_crls():
            return [e for e in sinks.told(self.file_of("a")) if not e.request]
        self.assertTrue(until(of_crls))
        crls = of_crls()
        self.assertEqual(len({e.id for e in crls}), len(crls))


if __name__ == "__main__":
    daemon.main()
