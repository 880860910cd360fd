"""Everything that the revocation side of the daemon says, before three judges that share nothing with it.

Each row of the tables below is a certificate, the CRLs or the OCSP answer about it, and the one right verdict; every judge
gives its own. The judges: openssl (`crl -verify`, `verify -crl_check…`, `ocsp`), GnuTLS (`certtool --verify-crl`, `certtool
--verify --load-crl`, `ocsptool`) and NSS (`crlutil -I`, `vfychain -pp -g leaf|chain -m crl|ocsp -s requireInfo`, `ocspclnt -S`,
`ocspclnt -P`). Between them and the daemon stands a proxy that can lie: a flipped bit, another certificate's answer, an old
one, another CA's.

What a judge cannot do is no reason to leave it out: its verdict is either the right one or the one of this table, and
nothing else. The versions are those of Debian 12; a later one that can do it gives the right verdict.

| mark        | judge        | what it cannot do                                                          | so it says |
|-------------|--------------|----------------------------------------------------------------------------|------------|
| no-demand   | GnuTLS 3.7.9 | it never demands a CRL: without one that fits nothing is checked           | unchecked  |
| unsigned    | GnuTLS 3.7.9 | certtool --verify believes the CRLs that it is given, whoever signed them  | good       |
| no-idp      | GnuTLS 3.7.9 | it does not read the issuing distribution point: any shard will do         | good       |
| no-delta    | GnuTLS 3.7.9 | a delta CRL is a CRL to it, removeFromCRL a revocation                     | revoked    |
| by-name     | GnuTLS 3.7.9 | among trusted CAs it finds an OCSP signer by name, not by key hash         | refused    |
| no-match    | GnuTLS 3.7.9 | ocsptool --ask does not look whose answer it got                           | good       |
| one-crl     | GnuTLS 3.7.9 | of the CRLs of one issuer name it keeps the last, whatever key or shard    | good       |
| newest-key  | NSS 3.87     | of several keys of one name it holds every CRL against the newest          | refused    |
| no-ed25519  | NSS 3.87     | Ed25519 is not known to it                                                 | refused    |
| no-critical | NSS 3.87     | a critical deltaCRLIndicator or IDP makes a CRL useless to it              | refused    |
| no-stale    | NSS 3.87     | libpkix goes on with a CRL of its database after nextUpdate                | good       |
| no-nonce    | NSS 3.87     | it asks without a nonce, so an old answer is as good as a new one          | good       |
| no-word     | NSS 3.87     | an answer about another certificate is none, and that is "no status" to it | unknown    |
| no-9608     | OpenSSL 3.0  | noRevAvail (RFC 9608) does not free a certificate from -crl_check          | refused    |
|             | NSS 3.87     | nor from requireInfo                                                       | refused    |

Not asked at all, because the tool has no such question: a SHA-256 CertID of NSS (it asks with SHA-1; it reads such an answer in
`ocspclnt -P`) and of ocsptool (same; it verifies such an answer from a file); another time than now of certtool and ocsptool."""
import base64
import collections
import concurrent.futures
import http.server
import itertools
import json
import os
import re
import shutil
import subprocess
import threading
import time
import unittest
import urllib.parse

import daemon
from daemon import CHANCERY, CSR_TYPE, Case, Daemon, UnixConnection, ask_over, make_csr, pem_to_der, run, until

JSON = {"Content-Type": "application/json"}
GOOD, REVOKED, UNKNOWN, REFUSED, UNCHECKED = "good", "revoked", "unknown", "refused", "unchecked"
MANY = 3000
CAS = {"Root": "p256", "Delta": "p256", "Shards": "p256", "Renewed": "p256", "Many": "p256", "Rsa2048": "rsa2048", "Rsa4096": "rsa4096",
       "P384": "p384", "Ed25519": "ed25519", "Own": "rsa2048"}
LIMITS = {"no-demand": {"gnutls": UNCHECKED}, "unsigned": {"gnutls": GOOD}, "no-idp": {"gnutls": GOOD}, "no-delta": {"gnutls": REVOKED},
          "by-name": {"gnutls": REFUSED}, "no-match": {"gnutls": GOOD}, "one-crl": {"gnutls": GOOD}, "newest-key": {"nss": REFUSED},
          "no-ed25519": {"nss": REFUSED}, "no-critical": {"nss": REFUSED}, "no-stale": {"nss": GOOD}, "no-nonce": {"nss": GOOD},
          "no-word": {"nss": UNKNOWN}, "no-9608": {"openssl": REFUSED, "nss": REFUSED}}
OCSP_SIGNING = bytes.fromhex("2b06010505070309")  # id-kp-OCSPSigning, DER
REASONS = {"unspecified": 0, "keyCompromise": 1, "cACompromise": 2, "affiliationChanged": 3, "superseded": 4, "cessationOfOperation": 5,
           "certificateHold": 6, "privilegeWithdrawn": 9, "aACompromise": 10}


def pem(der, label):
    text = base64.encodebytes(der).decode().replace("\n", "")
    return "-----BEGIN %s-----\n%s\n-----END %s-----\n" % (label, "\n".join(re.findall(".{1,64}", text)), label)


def flip(der, where):
    return der[:where] + bytes([der[where] ^ 1]) + der[where + 1 if where != -1 else len(der):]


def said_by(done):
    return (done.stdout + done.stderr).decode(errors="replace")


class Folder:
    """Files that the judges read; each is written once."""

    def __init__(self):
        self.path, self.count, self.known = daemon.folder(), itertools.count(), {}

    def file(self, data, end):
        data = data.encode() if isinstance(data, str) else data
        if (data, end) not in self.known:
            path = os.path.join(self.path, "%d.%s" % (next(self.count), end))
            with open(path, "wb") as f:
                f.write(data)
            self.known[data, end] = path
        return self.known[data, end]

    def fresh(self):
        path = os.path.join(self.path, "d%d" % next(self.count))
        os.mkdir(path)
        return path


class Cert:
    def __init__(self, ca, der, serial=None):
        self.ca, self.der, self.serial = ca, der, serial
        self.text = pem(der, "CERTIFICATE")
        self.pem, self.path = files.file(self.text, "pem"), files.file(der, "der")


class Crl:
    def __init__(self, der):
        self.der, self.text = der, pem(der, "X509 CRL")
        self.pem, self.path = files.file(self.text, "crl.pem"), files.file(der, "crl")


def ask_openssl(cert, issuer, *options, check=True):
    return run("openssl", "ocsp", "-issuer", issuer.pem, *options, "-cert", cert.pem, "-url", proxy.url, "-CAfile", issuer.pem, check=check)


class OpenSsl:
    name = "openssl"

    def signed(self, crl, ca):
        return "verify OK" in said_by(run("openssl", "crl", "-noout", "-verify", "-CAfile", ca.pem, "-in", crl.pem, check=False))

    def with_crls(self, cert, anchors, between, crls, chain=False, at=None):
        argv = ["openssl", "verify", "-x509_strict", "-crl_check_all" if chain else "-crl_check", "-use_deltas", "-extended_crl", "-CAfile",
                files.file("".join(a.text for a in anchors), "pem")]
        argv += ["-attime", str(at)] if at else []
        argv += ["-untrusted", files.file("".join(b.text for b in between), "pem")] if between else []
        argv += ["-CRLfile", files.file("".join(c.text for c in crls), "crl.pem")] if crls else []
        done = run(*argv, cert.pem, check=False)
        self.said = said_by(done)
        return GOOD if not done.returncode else REVOKED if "certificate revoked" in self.said else REFUSED

    def without(self, cert, anchor):
        done = run("openssl", "verify", "-x509_strict", "-CAfile", anchor.pem, cert.pem, check=False)
        return GOOD if not done.returncode else REFUSED

    def ocsp(self, cert, issuer, *options):
        done = ask_openssl(cert, issuer, *options, check=False)
        self.said = said_by(done)
        found = re.search(r"\.pem: (\w+)$", self.said, re.M)
        bad = "Response verify OK" not in self.said or "WARNING" in self.said or "Nonce Verify error" in self.said or done.returncode
        return REFUSED if bad or not found else found.group(1)


class GnuTls:
    name = "gnutls"

    def signed(self, crl, ca):
        return not run("certtool", "--verify-crl", "--load-ca-certificate", ca.pem, "--infile", crl.pem, check=False).returncode

    def with_crls(self, cert, anchors, between, crls, chain=False):
        argv = ["certtool", "--verify", "--load-ca-certificate", files.file("".join(a.text for a in anchors), "pem")]
        argv += ["--load-crl", files.file("".join(c.text for c in crls), "crl.pem")] if crls else []
        done = run(*argv, "--infile", files.file(cert.text + "".join(b.text for b in between), "pem"), check=False)
        self.said = said_by(done)
        if done.returncode:
            return REVOKED if "chain is revoked" in self.said else REFUSED
        wanted = 1 + len(between) if chain else 1
        return GOOD if self.said.count("Checked against CRL") >= wanted else UNCHECKED

    def without(self, cert, anchor):
        done = run("certtool", "--verify", "--load-ca-certificate", anchor.pem, "--infile", cert.pem, check=False)
        return GOOD if not done.returncode else REFUSED

    def ocsp(self, cert, issuer, *options, trust="--load-trust"):
        done = run("ocsptool", "--ask=" + proxy.url, "--load-issuer", issuer.pem, "--load-cert", cert.pem, trust, issuer.pem, *options,
                   check=False)
        self.said = said_by(done)
        found = re.search(r"Certificate Status: (\w+)", self.said)
        verified = "Verifying OCSP Response: Success" in self.said
        failed = "rror" in self.said.replace("--ignore-errors", "")
        return REFUSED if not found or not verified or failed else found.group(1)


class Nss:
    name = "nss"
    template = None

    def db(self, anchors, between, crls):
        """The folder of a database, or nothing where one of these does not go into it."""
        if not Nss.template:
            Nss.template = files.fresh()
            run("certutil", "-N", "-d", "sql:" + Nss.template, "--empty-password")
        path = files.fresh()
        shutil.copytree(Nss.template, path, dirs_exist_ok=True)
        done = []
        for i, (ca, trust) in enumerate([(a, "C,,") for a in anchors] + [(b, ",,") for b in between]):
            done.append(run("certutil", "-A", "-d", "sql:" + path, "-n", "ca%d" % i, "-t", trust, "-i", ca.path, check=False))
        for crl in crls:
            done.append(run("crlutil", "-I", "-t", "1", "-d", "sql:" + path, "-i", crl.path, check=False))
        self.said = "".join(said_by(d) for d in done)
        return path if not any(d.returncode for d in done) else None

    def signed(self, crl, ca):
        return self.db([ca], [], [crl]) is not None

    def vfychain(self, path, cert, methods=(), *options):
        """Where there is no word on a certificate libpkix calls it revoked too, unless none is required."""
        verdicts = []
        for flags in ("requireInfo,failIfNoInfo", "requireInfo") if methods else ("",):
            revocation = [w for m in methods for w in ("-g", m[0], "-m", m[1], "-s", flags)]
            done = run("vfychain", "-d", "sql:" + path, "-pp", "-u", "1", *options, *revocation, cert.path, check=False)
            self.said += said_by(done)
            if verdicts and not done.returncode:
                return REFUSED
            verdicts.append(GOOD if not done.returncode else REVOKED if "-8180" in said_by(done) else REFUSED)
            if verdicts[-1] != REVOKED:
                break
        return verdicts[-1]

    def with_crls(self, cert, anchors, between, crls, chain=False, at=None):
        path = self.db(anchors, between, crls)
        when = ["-b", time.strftime("%y%m%d%H%MZ", time.gmtime(at))] if at else []
        proxy.closed = True  # with forbidFetching it would not look into its database either
        try:
            return self.vfychain(path, cert, [("leaf", "crl")] + ([("chain", "crl")] if chain else []), *when) if path else REFUSED
        finally:
            proxy.closed = False

    def fetched(self, cert, anchor):
        path = self.db([anchor], [], [])
        return self.vfychain(path, cert, [("leaf", "crl")]) if path else REFUSED

    def without(self, cert, anchor):
        path = self.db([anchor], [], [])
        return self.vfychain(path, cert) if path else REFUSED

    def ocsp(self, cert, issuer):
        """Both its libraries: the classic one and libpkix."""
        path = self.db([issuer], [], [])
        if not path:
            return REFUSED
        done = run("ocspclnt", "-S", cert.path, "-d", "sql:" + path, check=False)
        self.said = said_by(done)
        status = (GOOD if "succeeded" in self.said else REVOKED if "has been revoked" in self.said else
                  UNKNOWN if "has no status for the certificate" in self.said else REFUSED)
        pkix = self.vfychain(path, cert, [("leaf", "ocsp")])
        if (pkix, status) not in ((status, status), (REFUSED, UNKNOWN)):
            raise AssertionError("ocspclnt: %s, vfychain: %s\n%s" % (status, pkix, self.said))
        return status


JUDGES = {j.name: j for j in (OpenSsl, GnuTls, Nss)}
tally = collections.Counter()
court = concurrent.futures.ThreadPoolExecutor(len(JUDGES))


class Proxy(http.server.ThreadingHTTPServer):
    """Hands everything on to the daemon's socket; answers pass through lie, if there is one."""
    daemon_threads = True

    def __init__(self, socket):
        super().__init__(("127.0.0.1", 0), ProxyCall)
        self.socket_path, self.lie, self.closed = socket, None, False
        self.base = "http://127.0.0.1:%d" % self.server_port
        self.url = self.base + "/ocsp"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def pass_on(self, method, path, body, type):
        c = UnixConnection(self.socket_path)
        try:
            return ask_over(c, method, path, body, {"Content-Type": type} if type else {})
        finally:
            c.close()


class ProxyCall(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) if self.command == "POST" else None
        if self.server.closed:
            self.send_error(503)
            return
        answer = self.server.pass_on(self.command, self.path, body, self.headers.get("Content-Type"))
        data = self.server.lie(answer.body) if self.server.lie else answer.body
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.type or "application/octet-stream")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST

    def log_message(self, *_):
        pass


class Authority:
    """One CA of the daemon, and what it has made for the tables."""

    def __init__(self, name):
        self.name, self.made, self.crl = name, {}, {}
        self.cert = self.aia(name)

    def aia(self, file):
        answer = d.ask("GET", "/aia/%s.crt" % urllib.parse.quote(file, safe="()"))
        assert answer.status == 200, answer
        return Cert(None, answer.body)

    def ask(self, method, path, body=None, status=200):
        body, headers = (json.dumps(body), JSON) if body is not None else (None, None)
        answer = d.ask(method, "/api/v1/ca/%s%s" % (self.name, path), body, headers)
        assert answer.status == status, answer
        return answer.json

    def set(self, **settings):
        for name, value in settings.items():
            self.ask("PUT", "/config/" + name, {"value": value})

    def issue(self, name, query=""):
        answer = d.ask("POST", "/api/v1/ca/%s/requests%s" % (self.name, query), make_csr(("DNS:%s.test" % name,), "/CN=%s.test" % name),
                       {"Content-Type": CSR_TYPE})
        assert answer.status == 201, answer
        self.made[name] = Cert(self, pem_to_der(answer.json["certificate"]), answer.json["serial"])
        return self.made[name]

    def revoke(self, name, **body):
        self.ask("POST", "/certificates/%s/revoke" % self.made[name].serial, body)

    def release(self, name):
        self.ask("POST", "/certificates/%s/release" % self.made[name].serial, {})

    def publish(self, into, kind="base", **body):
        """A CRL made now, kept under that name (with several: under it and their number of key and shard)."""
        self.ask("POST", "/crl", dict({"kind": kind}, **body))
        for info in self.ask("GET", "/crl")["crls"]:
            if info["kind"] == kind:
                answer = d.ask("GET", "/crl/" + urllib.parse.quote(info["name"], safe="()+"))
                assert answer.status == 200, answer
                crl = Crl(answer.body)
                crl.info = info
                self.crl[into] = self.crl[into, info["key_index"], info["shard"]] = crl
        return self.crl[into]


def make_many(ca):
    """MANY certificates, revoked by their common name."""
    csr = make_csr(("DNS:many.test",), "/CN=many.test")

    def some(n):
        c = UnixConnection(d.socket)
        for _ in range(n):
            answer = ask_over(c, "POST", "/api/v1/ca/Many/requests", csr, {"Content-Type": CSR_TYPE})
            assert answer.status == 201, answer
        c.close()
        return Cert(ca, pem_to_der(answer.json["certificate"]), answer.json["serial"])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ca.made["bad"] = list(pool.map(some, [MANY // 8] * 8))[0]
    ca.issue("good")
    after, seen = 0, 0
    while after is not None:
        answer = ca.ask("POST", "/certificates/revoke", {"where": "common_name = many.test", "reason": "superseded", "after": after})
        after, seen = answer.get("after"), seen + answer["changed"]
    assert seen == MANY, seen
    ca.publish("many")


def make_base(ca):
    """Root: nothing revoked; one; every reason and an invalidity date; on hold; released."""
    for name in ["good", "one", "held", "short"] + list(REASONS):
        ca.issue(name, "?profile=tls-short-lived" if name == "short" else "")
    ca.publish("empty")
    ca.revoke("one")
    ca.publish("one")
    ca.revoke("held", reason="certificateHold")
    ca.publish("held")
    ca.release("held")
    ca.publish("released")
    for i, reason in enumerate(REASONS):
        ca.revoke(reason, reason=reason, invalidity_when=int(time.time()) - 86400 * i - 3600)
    ca.publish("reasons")


def make_delta(ca):
    for name in ("good", "old", "new", "released"):
        ca.issue(name)
    ca.revoke("old", reason="keyCompromise")
    ca.revoke("released", reason="certificateHold")
    ca.publish("base")
    ca.revoke("new", reason="superseded")
    ca.release("released")
    ca.publish("delta", "delta")


def make_shards(ca):
    made = [ca.issue("s%d" % i) for i in range(12)]
    for c in made[::2]:
        ca.revoke("s%d" % made.index(c))
    ca.publish("all")
    for i, c in enumerate(made):
        found = re.search(rb"_Partition0*(\d+)", c.der)
        c.shard = int(found.group(1)) if found else 0
        c.revoked = i % 2 == 0


def make_renewed(ca):
    for name in ("good", "bad"):
        ca.issue(name)
    new = ca.ask("POST", "/renew", {"new_key": True, "key": "p384"})
    ca.new = ca.aia("%s%s" % (ca.name, new["suffix"]))
    for name in ("new-good", "new-bad"):
        ca.issue(name)
    ca.revoke("bad")
    ca.revoke("new-bad")
    ca.publish("both")
    ca.old_crl, ca.new_crl = ca.crl["both", 0, 0], ca.crl["both", new["key_index"], 0]


def make_sub(ca):
    """Beside the certificate that it was made with it has one from the root's database, which the root can revoke."""
    make_plain(ca)
    root = cas["Root"]
    csr = run("openssl", "req", "-new", "-key", os.path.join(d.dir, "ca", ca.name, "key.pem"), "-subj", "/CN=Sub").stdout
    answer = d.ask("POST", "/api/v1/ca/Root/requests?profile=sub-ca", csr, {"Content-Type": CSR_TYPE})
    assert answer.status == 202, answer
    made = root.ask("POST", "/requests/%d/resubmit" % answer.json["request_id"], status=201)
    root.made["sub"] = Cert(root, pem_to_der(made["certificate"]), made["serial"])


def make_plain(ca):
    for name in ("good", "bad"):
        ca.issue(name)
    ca.revoke("bad", reason="keyCompromise")
    ca.publish("base")


def forge(ca, name):
    """A certificate with the CA's signature that the CA has no record of: it was made with the stolen key."""
    key = os.path.join(d.dir, "ca", ca.name, "key.pem")
    extensions = files.file("subjectAltName=DNS:%s.test\nauthorityKeyIdentifier=keyid:always\nauthorityInfoAccess=OCSP;URI:%s\n"
                            % (name, proxy.url), "cnf")
    csr = files.file(make_csr(("DNS:%s.test" % name,), "/CN=%s.test" % name), "csr")
    out = run("openssl", "x509", "-req", "-in", csr, "-CA", ca.cert.pem, "-CAkey", key, "-set_serial", "0x4900112233445566778899",
              "-days", "5", "-extfile", extensions).stdout
    return Cert(ca, pem_to_der(out))


def setUpModule():
    global d, proxy, files, cas
    files = Folder()
    unittest.addModuleCleanup(shutil.rmtree, files.path, ignore_errors=True)
    path = files.fresh()
    os.chmod(path, 0o700)
    started = [subprocess.Popen([CHANCERY, "ca", "init", "--dir", path, "--name", name, "--key", key, "--issue", "--permit", "dns:test"],
                                stdout=subprocess.DEVNULL) for name, key in CAS.items()]
    assert not any(p.wait() for p in started)
    run(CHANCERY, "ca", "init", "--dir", path, "--name", "Sub", "--parent", "Root", "--issue", "--permit", "dns:test")
    proxy = Proxy(os.path.join(path, "chancery.sock"))
    d = Daemon.of_dir(path)
    unittest.addModuleCleanup(d.close)
    unittest.addModuleCleanup(d.stop)
    unittest.addModuleCleanup(proxy.shutdown)
    cas = {name: Authority(name) for name in list(CAS) + ["Sub"]}
    make = {"Root": make_base, "Delta": make_delta, "Shards": make_shards, "Renewed": make_renewed, "Many": make_many, "Sub": make_sub}
    for name, ca in cas.items():
        ca.set(PublicationCheck="no", CRLPublishOnRevoke="no", OCSPURLs=[proxy.url],
               CACertPublicationURLs=["2:%s/aia/%%3%%4.crt" % proxy.base],
               CRLPublicationURLs=["6:%s/crl/%%3%%8%s%%9.crl" % (proxy.base, "<CRLPartitionIndex>" if name == "Shards" else "")])
    cas["Delta"].set(CRLDeltaPeriodUnits=1)
    cas["Shards"].set(CRLMaxPartitions=3)
    for name in ("Many", "Own"):
        cas[name].set(OCSPSigner="ca")
    for name, ca in cas.items():
        make.get(name, make_plain)(ca)


def tearDownModule():
    for (judge, word), n in sorted(tally.items()):
        print("%-8s %-12s %4d" % (judge, word, n))


class Judged(Case):
    def hold(self, what, right, limits, verdict_of, judges=JUDGES):
        """Asks every judge; each says what is right, or the word that its limit explains."""
        asked = []
        for name in judges:
            judge = JUDGES[name]()
            judge.said = ""
            asked.append((name, judge, court.submit(verdict_of, judge)))
        for name, judge, answer in asked:
            verdict = answer.result()
            allowed = {LIMITS[mark][name]: mark for mark in limits if name in LIMITS[mark]}
            with self.subTest(what, judge=name):
                self.assertIn(verdict, {right, *allowed}, judge.said)
                tally[name, "right" if verdict == right else allowed[verdict]] += 1

    def crl_row(self, what, cert, crls, right, limits=(), anchors=None, between=(), chain=False):
        self.hold(what, right, limits, lambda j: j.with_crls(cert, anchors or [cert.ca.cert], list(between), crls, chain))

    def signed_row(self, what, crl, ca, right, limits=()):
        self.hold(what, right, limits, lambda j: GOOD if j.signed(crl, ca) else REFUSED)


class Base(Judged):
    def test_entries(self):
        root, many = cas["Root"], cas["Many"]
        for crl, name, right in (("empty", "good", GOOD), ("empty", "one", GOOD), ("one", "one", REVOKED), ("one", "good", GOOD),
                                 ("held", "held", REVOKED), ("held", "good", GOOD), ("released", "held", GOOD),
                                 ("released", "one", REVOKED),
                                 ("reasons", "good", GOOD)):
            self.crl_row("%s of CRL %s" % (name, crl), root.made[name], [root.crl[crl]], right)
        for reason in REASONS:
            self.crl_row(reason, root.made[reason], [root.crl["reasons"]], REVOKED)
        for name, right in (("good", GOOD), ("bad", REVOKED)):
            self.crl_row("%s of %d" % (name, MANY), many.made[name], [many.crl["many"]], right)
        text = run("openssl", "crl", "-noout", "-text", "-in", root.crl["reasons"].pem).stdout.decode()
        self.assertEqual(text.count("Invalidity Date"), len(REASONS))
        self.assertEqual(many.crl["many"].info["entries"], MANY)

    def test_signatures(self):
        """Every kind is signed by its CA; not by another, and not any more with one bit flipped, wherever."""
        root = cas["Root"]
        for name, crl in root.crl.items():
            if isinstance(name, str):
                self.signed_row("CRL " + name, crl, root.cert, GOOD)
        crl = root.crl["reasons"]
        serial = crl.der.index(bytes.fromhex(root.made["superseded"].serial))
        for what, where in (("signature", -1), ("a serial number", serial + 5), ("CRL number", crl.der.index(b"\x55\x1d\x14") + 8)):
            self.signed_row("flipped: " + what, Crl(flip(crl.der, where)), root.cert, REFUSED)
        self.signed_row("of another CA", crl, cas["Delta"].cert, REFUSED)
        many = cas["Many"]
        self.signed_row("of %d" % MANY, many.crl["many"], many.cert, GOOD)
        middle = len(many.crl["many"].der) // 2
        self.signed_row("flipped in the middle of %d" % MANY, Crl(flip(many.crl["many"].der, middle)), many.cert, REFUSED)

    def test_no_crl_that_fits(self):
        root, other = cas["Root"], cas["Delta"]
        self.crl_row("no CRL", root.made["good"], [], REFUSED, ["no-demand"])
        self.crl_row("the CRL of another CA", root.made["good"], [other.crl["base"]], REFUSED, ["no-demand"], [root.cert, other.cert])
        forged = Crl(flip(root.crl["empty"].der, -1))
        self.crl_row("a forged CRL", root.made["one"], [forged], REFUSED, ["unsigned"])

    def test_stale(self):
        """After nextUpdate a CRL says nothing any more; openssl and NSS can be asked about that time."""
        cert, crl = cas["Root"].made["good"], cas["Root"].crl["one"]
        for days, right in ((5, GOOD), (9, REFUSED)):
            at = int(time.time()) + days * 86400
            self.hold("%d days on" % days, right, ["no-stale"], lambda j: j.with_crls(cert, [cert.ca.cert], [], [crl], at=at),
                      ("openssl", "nss"))

    def test_fetched(self):
        """NSS finds the CRL by the certificate's distribution point."""
        for name in ("Rsa2048", "P384"):
            for cert, right in (("good", GOOD), ("bad", REVOKED)):
                leaf = cas[name].made[cert]
                self.hold("%s of %s" % (cert, name), right, [], lambda j: j.fetched(leaf, leaf.ca.cert), ["nss"])


class Keys(Judged):
    def test_crls(self):
        for name in ("Rsa2048", "Rsa4096", "P384", "Ed25519"):
            ca, limits = cas[name], ["no-ed25519"] if name == "Ed25519" else []
            crl = ca.crl["base"]
            self.signed_row("CRL of " + name, crl, ca.cert, GOOD, limits)
            self.signed_row("flipped CRL of " + name, Crl(flip(crl.der, -1)), ca.cert, REFUSED, limits)
            for cert, right in (("good", GOOD), ("bad", REVOKED)):
                self.crl_row("%s of %s" % (cert, name), ca.made[cert], [crl], right, limits)


class Deltas(Judged):
    def test_deltas(self):
        ca = cas["Delta"]
        base, delta = ca.crl["base"], ca.crl["delta"]
        self.signed_row("delta", delta, ca.cert, GOOD, ["no-critical"])
        self.signed_row("flipped delta", Crl(flip(delta.der, -1)), ca.cert, REFUSED)
        for name, right in (("good", GOOD), ("old", REVOKED), ("new", GOOD), ("released", REVOKED)):
            self.crl_row(name + ", base alone", ca.made[name], [base], right)
        for name, right in (("good", GOOD), ("old", REVOKED), ("new", REVOKED), ("released", GOOD)):
            limits = ["no-critical", "no-delta"] if name == "released" else ["no-critical"]
            self.crl_row(name + ", base and delta", ca.made[name], [base, delta], right, limits)
        self.crl_row("delta alone", ca.made["good"], [delta], REFUSED, ["no-idp"])


class Shards(Judged):
    def test_right_and_wrong(self):
        ca = cas["Shards"]
        made = list(ca.made.values())
        shards = {c.shard for c in made}
        self.assertGreater(len(shards), 1)
        self.assertNotIn(0, shards)
        crl = {s: ca.crl["all", 0, s] for s in shards}
        for s in shards:
            self.signed_row("shard %d" % s, crl[s], ca.cert, GOOD, ["no-critical"])
        for c in made[:6]:
            right = REVOKED if c.revoked else GOOD
            self.crl_row("own shard", c, [crl[c.shard]], right, ["no-critical"])
            self.crl_row("all shards", c, list(crl.values()), right, ["no-critical", "one-crl"])
            wrong = next(s for s in shards if s != c.shard)
            self.crl_row("another shard", c, [crl[wrong]], REFUSED, ["no-idp"])


class Renewal(Judged):
    def test_each_key_its_own(self):
        ca = cas["Renewed"]
        anchors, both = [ca.cert, ca.new], [ca.old_crl, ca.new_crl]
        for crl, own, other in ((ca.old_crl, ca.cert, ca.new), (ca.new_crl, ca.new, ca.cert)):
            self.signed_row("CRL by its key", crl, own, GOOD)
            self.signed_row("CRL by the other key", crl, other, REFUSED)
        for name, right in (("good", GOOD), ("bad", REVOKED), ("new-good", GOOD), ("new-bad", REVOKED)):
            new = name.startswith("new")
            cert, own, crl = ca.made[name], ca.new if new else ca.cert, ca.new_crl if new else ca.old_crl
            self.crl_row(name + ", its key alone", cert, [crl], right, [], [own])
            self.crl_row(name + ", both keys", cert, both, right, ["one-crl", "newest-key"], anchors)

    def test_ocsp(self):
        ca = cas["Renewed"]
        for name, right in (("good", GOOD), ("bad", REVOKED), ("new-good", GOOD), ("new-bad", REVOKED)):
            cert = ca.made[name]
            if name.startswith("new"):
                answers_by_delegate(cert, ca.new)
                self.hold(name, right, [], lambda j: j.ocsp(cert, ca.new))
            else:  # an older key issues nothing, so it signs its answers itself
                self.hold(name, right, ["by-name"], lambda j: j.ocsp(cert, ca.cert))
                self.hold(name + ", the signer is told", right, [], lambda j: j.ocsp(cert, ca.cert, trust="--load-signer"), ["gnutls"])


class Chain(Judged):
    def test_every_link_is_checked(self):
        root, sub, link = cas["Root"], cas["Sub"], cas["Root"].made["sub"]
        crls = {"sub": sub.crl["base"], "root": root.crl["released"]}
        for name, right in (("good", GOOD), ("bad", REVOKED)):
            for between in (link, sub.cert):
                self.crl_row(name, sub.made[name], list(crls.values()), right, (), [root.cert], [between], chain=True)
        self.crl_row("no CRL of the root", sub.made["good"], [crls["sub"]], REFUSED, ["no-demand"], [root.cert], [link], chain=True)
        self.crl_row("no CRL of the sub-CA", sub.made["good"], [crls["root"]], REFUSED, ["no-demand"], [root.cert], [link], chain=True)
        root.revoke("sub", reason="cACompromise")
        gone = root.publish("sub-gone")
        self.crl_row("the sub-CA is revoked", sub.made["good"], [crls["sub"], gone], REVOKED, (), [root.cert], [link], chain=True)


class ShortLived(Judged):
    def test_no_revocation_available(self):
        cert, root = cas["Root"].made["short"], cas["Root"]
        self.hold("no CRL is asked for", GOOD, [], lambda j: j.without(cert, root.cert))
        self.hold("a CRL is demanded", GOOD, ["no-9608", "no-demand"], lambda j: j.with_crls(cert, [root.cert], [], []))
        self.crl_row("a CRL is at hand", cert, [root.crl["one"]], GOOD)
        text = run("openssl", "x509", "-noout", "-text", "-in", cert.pem).stdout.decode()
        self.assertNotIn("CRL Distribution", text)
        self.assertNotIn("OCSP - URI", text)


def answers_by_delegate(cert, issuer):
    """The signer's certificate is asked for with the first answer and there a moment later."""
    def delegated():
        return b"OCSP Signing" in ask_openssl(cert, issuer, "-resp_text").stdout
    assert until(delegated), "no delegated signer"


class Ocsp(Judged):
    def lies(self, lie):
        proxy.lie = lie
        self.addCleanup(setattr, proxy, "lie", None)

    def response(self, cert, issuer, *options):
        out = os.path.join(files.fresh(), "answer.der")
        ask_openssl(cert, issuer, *options, "-respout", out)
        with open(out, "rb") as f:
            return f.read()

    def test_delegated(self):
        for name in ("Root", "Rsa2048", "Rsa4096", "P384", "Ed25519"):
            ca, limits = cas[name], ["no-ed25519"] if name == "Ed25519" else []
            bad, forged = ca.made["one" if name == "Root" else "bad"], forge(ca, "forged")
            answers_by_delegate(bad, ca.cert)
            for cert, right in ((ca.made["good"], GOOD), (bad, REVOKED), (forged, UNKNOWN)):
                self.hold("%s of %s" % (right, name), right, limits, lambda j: j.ocsp(cert, ca.cert))

    def test_by_the_ca_itself(self):
        for name in ("Many", "Own"):
            ca = cas[name]
            bad = ca.made["bad"]
            self.assertNotIn(OCSP_SIGNING, self.response(bad, ca.cert))
            for cert, right in ((ca.made["good"], GOOD), (bad, REVOKED), (forge(ca, "forged"), UNKNOWN)):
                self.hold("%s of %s" % (right, name), right, ["by-name"], lambda j: j.ocsp(cert, ca.cert))
                self.hold("%s of %s, the signer is told" % (right, name), right, [],
                          lambda j: j.ocsp(cert, ca.cert, trust="--load-signer"), ["gnutls"])

    def test_hold_and_release(self):
        ca = cas["Root"]
        cert = ca.made["held"]
        answers_by_delegate(cert, ca.cert)
        ca.revoke("held", reason="certificateHold")
        self.hold("held", REVOKED, [], lambda j: j.ocsp(cert, ca.cert))
        ca.release("held")
        self.hold("released", GOOD, [], lambda j: j.ocsp(cert, ca.cert))

    def test_hashes_and_nonces(self):
        ca = cas["Root"]
        for cert, right in ((ca.made["good"], GOOD), (ca.made["one"], REVOKED)):
            answers_by_delegate(cert, ca.cert)
            for options in (["-sha1", "-nonce"], ["-sha256", "-nonce"], ["-sha1", "-no_nonce"], ["-sha256", "-no_nonce"]):
                self.hold(" ".join(options), right, [], lambda j: j.ocsp(cert, ca.cert, *options), ["openssl"])
                answer = files.file(self.response(cert, ca.cert, *options), "ors")
                done = run("ocsptool", "-e", "-S", answer, "--load-trust", ca.cert.pem)
                self.assertIn("Verifying OCSP Response: Success", said_by(done))
                self.assertIn("Certificate Status: " + right, said_by(done) + said_by(run("ocsptool", "-j", "-S", answer)))
                with open(answer, "rb") as f:
                    read = subprocess.run(["ocspclnt", "-P", "-d", "sql:" + Nss().db([ca.cert], [], [])], stdin=f, stdout=subprocess.PIPE,
                                          stderr=subprocess.STDOUT, timeout=60)
                self.assertIn("Signature verification succeeded", read.stdout.decode())
                self.assertRegex(read.stdout.decode(), r"Status: Cert (is|has been) %s" % right)
            for nonce in ([], ["--nonce"]):
                self.hold("nonce", right, [], lambda j: j.ocsp(cert, ca.cert, *nonce), ["gnutls"])

    def test_lies(self):
        ca = cas["Root"]
        cert, other = ca.made["good"], cas["P384"]
        for c in (cert, other.made["good"]):
            answers_by_delegate(c, c.ca.cert)
        another, old = self.response(ca.made["held"], ca.cert, "-no_nonce"), self.response(cert, ca.cert)
        foreign = self.response(other.made["good"], other.cert, "-no_nonce")
        for what, lie in (("a bit of the signer's certificate is flipped", lambda der: flip(der, -1)),
                          ("thisUpdate is another by a second", lambda der: flip(der, der.index(bytes.fromhex(cert.serial)) + 20 + 17)),
                          ("another certificate's answer", lambda der: another), ("another CA's answer", lambda der: foreign),
                          ("tryLater", lambda der: bytes([0x30, 3, 0x0A, 1, 3])), ("nothing", lambda der: b"")):
            self.lies(lie)
            limits = ["no-match", "no-word"] if what.startswith("another cert") else []
            self.hold(what, REFUSED, limits, lambda j: j.ocsp(cert, ca.cert, *(["-no_nonce"] if j.name == "openssl" else [])))
        self.lies(lambda der: old)
        self.hold("an old answer", REFUSED, ["no-nonce"],
                  lambda j: j.ocsp(cert, ca.cert, *{"openssl": ["-nonce"], "gnutls": ["--nonce"]}.get(j.name, [])))
        proxy.lie = None
        self.hold("the truth", GOOD, [], lambda j: j.ocsp(cert, ca.cert))

    def test_another_issuer(self):
        """An answer counts for nothing with those who trust another CA."""
        ca, other = cas["Root"], cas["P384"]
        self.hold("asked for the wrong issuer", REFUSED, [], lambda j: j.ocsp(ca.made["good"], other.cert), ("openssl", "gnutls"))


if __name__ == "__main__":
    daemon.main()
