"""The library between a program and the system (disturb.c), and what it is told to do."""
import contextlib
import errno
import mmap
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integ"))
import daemon  # noqa: E402

LIBRARY = os.environ["CHANCERY_DISTURB_LIBRARY"]
KINDS = ("accept", "read", "write", "file open", "file write", "file sync", "file rename", "file close", "sign", "memory",
         "user name")
FAIL, SHORT, END, WRONG, LATE = range(5)
ALWAYS = 0xffffffff
ORDER = struct.Struct("=6I")  # first, last, error, manner; passes, done


class Orders:
    def __init__(self, folder):
        self.path = os.path.join(folder, "orders")
        with open(self.path, "wb") as f:
            f.write(bytes(ORDER.size * len(KINDS)))
        with open(self.path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), ORDER.size * len(KINDS))
        self.env = {"LD_PRELOAD": LIBRARY, "CHANCERY_DISTURB": self.path,
                    "ASAN_OPTIONS": "verify_asan_link_order=0"}
        self.total = 0

    def fields(self, kind):
        return ORDER.unpack_from(self.map, KINDS.index(kind) * ORDER.size)

    def passes(self, kind):
        return self.fields(kind)[4]

    def set(self, kind, first, last, error, manner):
        """Counted from now on."""
        ORDER.pack_into(self.map, KINDS.index(kind) * ORDER.size, first, last, error, manner, 0, 0)

    def lift(self, kind):
        done = self.fields(kind)[5]
        self.total += done
        struct.pack_into("=2I", self.map, KINDS.index(kind) * ORDER.size, ALWAYS, 0)
        return done

    @contextlib.contextmanager
    def during(self, kind, first, last, error=0, manner=FAIL):
        self.set(kind, first, last, error, manner)
        try:
            yield
        finally:
            self.lift(kind)


def name_of(error, manner):
    return errno.errorcode[error] if manner == FAIL else ("FAIL", "short", "end", "wrong", "late")[manner]


def run(orders, *argv):
    """A program under orders, to its end."""
    import subprocess
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, env=dict(os.environ, **orders.env))
