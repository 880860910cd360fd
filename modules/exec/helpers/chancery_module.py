"""Policy and exit modules in Python, for policy-exec and exit-exec. One file, standard library, Python 3.9 or newer.

    from chancery_module import policy

    @policy
    def verify(request):
        if not request.dns_names:
            return request.deny("a DNS name is needed")
        request.keep("2.5.29.17")
        return request.issue()

The program reads its calls until standard input ends. print() writes to standard error, which the daemon logs.
An exception fails the call: nothing is issued, an event comes again.
"""
import base64
import datetime
import json
import os
import sys
import traceback

E_FAIL, E_ACCESSDENIED = -0x7FFFBFFB, -0x7FF8FFFB
CERTSRV_E_PROPERTY_EMPTY = -0x7FF6BFFC
KEY_USAGES = ("digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
              "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly")
PURPOSES = {"serverAuth": 1, "clientAuth": 2, "codeSigning": 3, "emailProtection": 4, "timeStamping": 8, "OCSPSigning": 9}


class Failed(Exception):
    """The server refused a callback; code is its number."""

    def __init__(self, code, what):
        super().__init__("%s: 0x%08x" % (what, code & 0xFFFFFFFF))
        self.code = code


def tlv(tag, content):
    n = len(content)
    size = bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else bytes([0x82, n >> 8, n & 255])
    return bytes([tag]) + size + content


def when(text):
    """The aware time that a DATE stands for."""
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)


class Wire:
    """Lines in and out, on descriptors of their own: nothing else that a program prints gets between them."""

    def __init__(self):
        self.source = os.fdopen(os.dup(0), "rb")
        self.sink = os.fdopen(os.dup(1), "wb")
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)
        sys.stdout = sys.stderr

    def read(self):
        line = self.source.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def write(self, value):
        self.sink.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")
        self.sink.flush()


class Call:
    """What a request and an event have in common."""
    interface = None

    def __init__(self, wire, line, settings, ca):
        self.wire, self.line, self.settings, self.ca = wire, line, settings, ca
        self.request, self.certificate = line.get("request", {}), line.get("certificate", {})
        self.attributes = {k.lower(): v for k, v in line.get("attributes", {}).items()}
        self.extensions = {e["oid"]: e for e in line.get("extensions", [])}
        self.id, self.requester = self.request.get("RequestID"), self.request.get("RequesterName", "")

    def __getattr__(self, name):
        """request.dns_names, .ip_names, .email_names, .uri_names, .upn_names, …; all of them are .names."""
        kind = name[:-6] if name.endswith("_names") else None
        if kind is None:
            raise AttributeError(name)
        return [n["value"] for n in self.names if n["type"] == kind]

    @property
    def names(self):
        names = self.line.get("names", [])
        if names is None:
            raise ValueError("the subject alternative name cannot be read")
        return names

    def call(self, method, *args):
        """Any method of the callback interface, by its name."""
        self.wire.write({"id": self.line["id"], "call": self.interface + "." + method, "args": list(args)})
        answer = self.wire.read()
        if answer is None:
            sys.exit(0)
        if "error" in answer:
            code = int(answer["error"], 16)
            raise Failed(code - (1 << 32) if code >> 31 else code, method)
        return answer["return"]

    def _get(self, method, *args):
        try:
            return self.call(method, *args)
        except Failed as e:
            if e.code == CERTSRV_E_PROPERTY_EMPTY:
                return None
            raise

    def request_property(self, name, kind=None):
        """None: it is empty. A BINARY comes as base64."""
        return self._get("GetRequestProperty", *([name, kind] if kind else [name]))

    def certificate_property(self, name, kind=None):
        return self._get("GetCertificateProperty", *([name, kind] if kind else [name]))

    def extension(self, oid):
        """The DER value; None: there is none."""
        value = self._get("GetCertificateExtension", oid, "BINARY")
        return None if value is None else base64.b64decode(value)


class Request(Call):
    interface = "ICertServerPolicy"

    def __init__(self, *args):
        super().__init__(*args)
        self.new = self.line["new"]
        self._properties, self._extensions = {}, []

    def set(self, name, value):
        """A part of the subject (None removes it), NotBefore or NotAfter: a datetime with a zone, RFC 3339, or seconds."""
        if isinstance(value, datetime.datetime):
            value = int(value.timestamp())
        self._properties[name] = value

    def set_extension(self, oid, der, critical=False):
        self._extensions.append({"oid": oid, "value": base64.b64encode(der).decode(), "critical": critical})

    def keep(self, *oids):
        """The request's own extensions of these kinds reach the certificate as they are."""
        self._extensions += [{"oid": o, "disabled": False} for o in oids if o in self.extensions]

    def key_usage(self, *names):
        bits = [KEY_USAGES.index(n) for n in names]
        octets = bytearray(max(bits) // 8 + 1)
        for b in bits:
            octets[b // 8] |= 0x80 >> b % 8
        unused = (octets[-1] & -octets[-1]).bit_length() - 1
        self.set_extension("2.5.29.15", tlv(3, bytes([unused]) + octets), critical=True)

    def purposes(self, *names):
        oids = b"".join(tlv(6, bytes([0x2B, 6, 1, 5, 5, 7, 3, PURPOSES[n]])) for n in names)
        self.set_extension("2.5.29.37", tlv(0x30, oids))

    def _answer(self, result, message):
        answer = {"result": result, "properties": self._properties, "extensions": self._extensions}
        return dict(answer, message=message) if message else answer

    def issue(self, message=None):
        return self._answer("issue", message)

    def pend(self, message=None):
        return self._answer("pend", message)

    def deny(self, message=None, code=E_ACCESSDENIED):
        return self._answer(code, message)


class Event(Call):
    interface = "ICertServerExit"

    def __init__(self, *args):
        super().__init__(*args)
        self.name, self.event_id = self.line["event"], self.line.get("EventID")
        self.attempt = self.line.get("EventAttempt", 1)

    @property
    def der(self):
        """The certificate; None: the event has none."""
        value = self.certificate.get("RawCertificate")
        return None if value is None else base64.b64decode(value)


def _run(kind, work, greeting, initialize):
    wire = Wire()
    settings, ca, line = {}, {}, wire.read()
    while line is not None:
        try:
            if line["call"].endswith(".Initialize"):
                settings, ca = line["settings"], line["ca"]
                if initialize:
                    initialize(settings)
                answer = {"result": greeting}
            else:
                answer = work(kind(wire, line, settings, ca))
        except Exception as e:  # the call fails, the program goes on
            for text in traceback.format_exc().splitlines():
                print("<3>" + text, file=sys.stderr)
            answer = {"error": E_FAIL, "message": "%s: %s" % (type(e).__name__, e)}
        wire.write(dict(answer, id=line["id"]))
        line = wire.read()


def policy(verify, initialize=None):
    """Runs verify(request) for every request. What it returns is request.issue(), .pend() or .deny(why)."""
    def work(request):
        answer = verify(request)
        if not isinstance(answer, dict):
            raise TypeError("verify returned neither request.issue() nor .pend() nor .deny()")
        return answer
    _run(Request, work, 0, initialize)


def exit_module(*events, initialize=None):
    """@exit_module("certissued", …) runs notify(event) for these. An exception: the event comes again."""
    def run(notify):
        def work(event):
            notify(event)
            return {"result": 0}
        _run(Event, work, list(events), initialize)
    return run
