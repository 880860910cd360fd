#!/usr/bin/env python3
"""A policy that issues for servers, at most 30 days, but not on the days that Program/ClosedDays lists."""
import datetime

from chancery_module import policy, when

DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


@policy
def verify(request):
    now = datetime.datetime.now(datetime.timezone.utc)
    if request.new and DAYS[now.weekday()] in request.settings.get("ClosedDays", ["Sat", "Sun"]):
        return request.deny("no certificates today: come back on a working day")
    if not request.dns_names or len(request.dns_names) != len(request.names):
        return request.deny("DNS names and nothing else are expected")
    request.keep("2.5.29.17")
    request.key_usage("digitalSignature")
    request.purposes("serverAuth")
    request.set("NotAfter", min(when(request.certificate["NotAfter"]), now + datetime.timedelta(days=30)))
    if request.new and any(name.startswith("*.") for name in request.dns_names):
        return request.pend("a wildcard waits for an administrator")
    return request.issue()
