"""Exit modules that write down what they are told (exit_sink.c), and what they wrote."""
import collections
import os

import daemon

Told = collections.namedtuple("Told", "id attempt request event taken name")
ISSUED, PENDING, DENIED, REVOKED, CRL = 1, 2, 4, 8, 32


def compile_sink(folder, name):
    path = os.path.join(folder, name + ".so")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "exit_sink.c")
    daemon.run("cc", "-std=c17", "-D_GNU_SOURCE", "-fPIC", "-shared", "-I", daemon.INCLUDE, '-DNAME="%s"' % name, "-o", path, source)
    os.chmod(path, 0o755)
    return path


def told(path):
    """What a sink was told, in order; a line that a kill cut short does not count."""
    if not os.path.exists(path):
        return []
    with open(path) as f:
        lines = [line for line in f if line.endswith("\n")]
    fields = [line.split(" ") for line in lines]
    return [Told(f[0], int(f[1]), int(f[2]), int(f[3]), f[4] == "taken", f[5].strip()) for f in fields if len(f) == 6]


def once(events):
    """Those that were taken, without the repeats of one EventID, in the order of their first time."""
    seen = {}
    for e in events:
        if e.taken:
            seen.setdefault(e.id, e)
    return list(seen.values())
