# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: a server, its devices, the load on it, and what a process has used. The other brokers are in
peers.py."""
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests"))
os.environ.setdefault("HOLDFAST_BUILD", str(TOP / "build-bench"))

from harness.device import Device  # noqa: E402
from harness.forge import issuer_of, key_pem, make_key, name_of  # noqa: E402,F401
from harness.server import BUILD, Server  # noqa: E402

PREFIX = "load-"
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process so far, all its threads together."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def fine_cpu_seconds(pid):
    """The same by the scheduler's own count in nanoseconds, of the threads that live."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


def memory_kib(pid, what="VmRSS"):
    return int(re.search(rf"^{what}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1))


def holdfast(folder, **settings):
    """A server whose rate limits let a benchmark pass; an account is made."""
    server = Server(folder, limits_device__rate=1000000, **settings).start()
    server.make_account()
    return server


def enrol(server, folder, count):
    token = server.api.make_token(uses=max(count, 1), minutes=600)
    return [Device(folder, f"{PREFIX}{number}", server).enrol(token) for number in range(count)]


class Load:
    """mqtt-bench, connected: `run` lets it go. `words` are its scene and options."""

    def __init__(self, port, *words, ca=None, folder=None, devices=1):
        tls = ["--ca", ca, "--certificates", folder, "--prefix", PREFIX, "--devices", devices] if ca else []
        self.process = subprocess.Popen(
            [str(word) for word in [BUILD / "bench" / "mqtt-bench", *words, "--port", port, *tls, "--wait", "--json"]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line == "ready\n", f"mqtt-bench did not get as far as its run: {line!r}"

    def run(self):
        """Its result. What was lost, refused or out of order stands in it, for the caller to judge."""
        out, _ = self.process.communicate("\n")
        assert out, "mqtt-bench gave up"
        return json.loads(out)


def spread(values, digits=0):
    """min / median / max"""
    return " / ".join(f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
