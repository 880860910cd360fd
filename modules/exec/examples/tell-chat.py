#!/usr/bin/env python3
"""An exit that tells a chat room (Program/Url, an incoming web hook) what was issued and revoked."""
import json
import urllib.request

from chancery_module import exit_module


@exit_module("certissued", "certrevoked")
def notify(event):
    what = "issued to" if event.name == "certissued" else "revoked:"
    text = "%s %s (%s)" % (what, event.certificate.get("DistinguishedName") or ", ".join(event.dns_names),
                           event.certificate["SerialNumber"])
    post = urllib.request.Request(event.settings["Url"], json.dumps({"text": text}).encode(),
                                  {"Content-Type": "application/json", "Idempotency-Key": event.event_id or ""})
    with urllib.request.urlopen(post, timeout=10):
        pass  # any other status than a good one raises, and the event comes again
