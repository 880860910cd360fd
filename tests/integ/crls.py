"""CRLs as they are found while the daemon dies and disks fill up: read without another process, judged by openssl afterwards."""
import http.client
import os
import re
import threading
import time
import urllib.parse

import daemon
from daemon import run

CRL_NUMBER, DELTA_INDICATOR, REASON = b"\x06\x03\x55\x1d\x14", b"\x06\x03\x55\x1d\x1b", b"\x06\x03\x55\x1d\x15"
OCSP_REQUEST = "application/ocsp-request"
HOLD, REMOVE = 6, 8


def element(der, at):
    """Tag, where its content begins, where it ends. ValueError: it is cut off."""
    if at + 2 > len(der):
        raise ValueError("cut off at %d of %d" % (at, len(der)))
    tag, n, begin = der[at], der[at + 1], at + 2
    if n & 0x80:
        more = n & 0x7f
        n, begin = int.from_bytes(der[begin:begin + more], "big"), begin + more
    if begin + n > len(der):
        raise ValueError("cut off: %d octets are not there" % (begin + n - len(der)))
    return tag, begin, begin + n


def children(der, begin, end):
    while begin < end:
        tag, content, after = element(der, begin)
        yield tag, content, after, begin
        begin = after


def extension_number(extensions, oid):
    at = extensions.find(oid)
    if at < 0:
        return None
    value = re.match(rb"(?:\x01\x01\xff)?\x04.(?:\x02|\x0a)(.)", extensions[at + len(oid):], re.S)
    start = at + len(oid) + value.end()
    return int.from_bytes(extensions[start:start + value.group(1)[0]], "big")


class Crl:
    """Number, kind and entries (serial to reason). Whole, to its last octet, or ValueError."""

    def __init__(self, der):
        self.der = der
        tag, begin, end = element(der, 0)
        if tag != 0x30 or end != len(der):
            raise ValueError("a CRL of %d octets in %d" % (end, len(der)))
        _, begin, end = element(der, begin)
        parts = list(children(der, begin, end))
        (extensions,) = [der[b:e] for t, b, e, _ in parts if t == 0xa0]
        times = [i for i, p in enumerate(parts) if p[0] in (0x17, 0x18)]
        self.number = extension_number(extensions, CRL_NUMBER)
        self.is_delta = DELTA_INDICATOR in extensions
        self.entries = {}
        listed = [p for p in parts[times[-1] + 1:] if p[0] == 0x30]
        for _, b, e, _ in children(der, listed[0][1], listed[0][2]) if listed else ():
            _, s, after = element(der, b)
            serial = der[s:after].hex()
            if serial in self.entries:
                raise ValueError("serial %s stands there twice" % serial)
            self.entries[serial] = extension_number(der[after:e], REASON) or 0

    @property
    def key(self):
        return "delta" if self.is_delta else "base"


class Seen:
    """Every CRL that anybody was given, wherever from: of one number there is one, and whoever looks later never gets an older."""

    def __init__(self):
        self.lock = threading.Lock()
        self.by_der, self.by_number, self.errors = {}, {}, []
        self.last = {}     # (source, kind) to number
        self.fetches = 0

    def note(self, source, der, floor=0):
        """floor: it must not be older than this. Returns the CRL; None: it is none, which is an error."""
        with self.lock:
            self.fetches += 1
            crl = self.by_der.get(der)
            if not crl:
                try:
                    crl = Crl(der)
                except (ValueError, IndexError, AttributeError) as e:
                    self.errors.append("%s: no whole CRL: %s: %s" % (source, e, der[:80].hex()))
                    return None
                self.by_der[der] = crl
                if self.by_number.setdefault((crl.key, crl.number), der) != der:
                    self.errors.append("%s: two %s CRLs of number %d" % (source, crl.key, crl.number))
            key = source, crl.key
            if crl.number < self.last.get(key, 0):
                self.errors.append("%s: %s CRL %d after %d" % (source, crl.key, crl.number, self.last[key]))
            if crl.number < floor:
                self.errors.append("%s: %s CRL %d is older than %d, which was served before" % (source, crl.key, crl.number, floor))
            self.last[key] = max(crl.number, self.last.get(key, 0))
            return crl

    def highest(self):
        return max((n for _, n in self.by_number), default=0)

    def verify(self, case, ca_pem, every=1):
        """By the CA's key, says openssl."""
        path = os.path.join(case.temp(), "crl.der")
        for der in list(self.by_der)[::every]:
            with open(path, "wb") as f:
                f.write(der)
            done = run("openssl", "crl", "-inform", "DER", "-noout", "-crlnumber", "-verify", "-CAfile", ca_pem, "-in", path)
            case.assertIn(b"verify OK", done.stderr)
            case.assertEqual(int(done.stdout.split(b"=")[1], 16), self.by_der[der].number)


class Watcher(threading.Thread):
    """Fetches the CRLs and reads the files of the publication path until the daemon is gone."""

    def __init__(self, socket, seen, folder, names, pause=0.0):
        super().__init__(daemon=True)
        self.socket, self.seen, self.folder, self.names, self.pause = socket, seen, folder, names, pause
        self.ends = threading.Event()
        self.start()

    def look(self, c):
        for kind, name in self.names.items():
            a = daemon.ask_over(c, "GET", "/crl/" + urllib.parse.quote(name, safe="()+!"))
            if a.status not in (200, 404):
                self.seen.errors.append("%s: %r" % (name, a))
            served = self.seen.note("served", a.body) if a.status == 200 else None
            self.read_file(name, served)

    def read_file(self, name, served):
        try:
            with open(os.path.join(self.folder, name), "rb") as f:
                self.seen.note("file", f.read(), served.number if served else 0)
        except FileNotFoundError:
            if served:
                self.seen.errors.append("%s was served and is not in the folder" % name)

    def run(self):
        c = daemon.UnixConnection(self.socket, 20)
        try:
            while not self.ends.is_set():
                self.look(c)
                time.sleep(self.pause)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            c.close()

    def stop(self):
        self.ends.set()
        self.join(30)


def ocsp(d, case, ca_pem, serials):
    """What the daemon answers about each: "good", or "revoked" with the reason. Signed, says openssl."""
    told = {}
    folder = case.temp()
    request, answer = os.path.join(folder, "request"), os.path.join(folder, "answer")
    for i in range(0, len(serials), 16):
        part = serials[i:i + 16]
        options = [o for s in part for o in ("-serial", "0x" + s)]
        run("openssl", "ocsp", "-issuer", ca_pem, "-no_nonce", *options, "-reqout", request)
        with open(request, "rb") as f:
            a = d.ask("POST", "/ocsp", f.read(), {"Content-Type": OCSP_REQUEST})
        case.assertEqual(a.status, 200, a)
        with open(answer, "wb") as f:
            f.write(a.body)
        done = run("openssl", "ocsp", "-respin", answer, "-issuer", ca_pem, "-CAfile", ca_pem, "-text")
        case.assertIn(b"Response verify OK", done.stderr, done)
        for one in done.stdout.decode().split("Serial Number: ")[1:1 + len(part)]:
            serial, status = one.split()[0].lower(), re.search(r"Cert Status: (\w+)", one).group(1)
            reason = re.search(r"Revocation Reason: \S+ \(0x(\w+)\)", one.split("Cert Status")[1])
            told[serial] = status, int(reason.group(1), 16) if reason else 0
    return told
