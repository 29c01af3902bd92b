# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: both servers with the same certificates, the load on them, and what a process has used."""
import datetime
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests"))
os.environ.setdefault("HOLDFAST_BUILD", str(TOP / "build-bench"))

from harness.device import Device  # noqa: E402
from harness.forge import issuer_of, key_pem, make_key, name_of  # noqa: E402
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


class Mosquitto:
    """mosquitto with the authority, a certificate of the same issuer, and a subscriber that is away, so that there is
    something for its persistence to keep."""

    def __init__(self, folder, server, device, saving):
        self.folder = pathlib.Path(folder)
        (self.folder / "kept").mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.mqtt_port = probe.getsockname()[1]
        self.ca = server.ca
        self._certify(server, device)
        (self.folder / "mosquitto.conf").write_text("\n".join([
            f"listener {self.mqtt_port} 127.0.0.1", f"cafile {self.folder / 'authorities.pem'}",
            f"certfile {self.folder / 'server.pem'}", f"keyfile {self.folder / 'server.key'}",
            "require_certificate true", "allow_anonymous true", "user root", "log_dest stderr", "log_type error",
            "max_queued_messages 0", "persistence true", f"persistence_location {self.folder / 'kept'}/", *saving, ""]))
        self.process = subprocess.Popen(["/usr/sbin/mosquitto", "-c", self.folder / "mosquitto.conf"],
                                        stderr=open(self.folder / "log", "wb"))
        self._leave_a_subscriber(device)

    def _certify(self, server, device):
        issuing = serialization.load_pem_private_key((server.data / "keeper" / "issuing-key.pem").read_bytes(), None)
        issuer, key, now = issuer_of(device), make_key(), datetime.datetime.utcnow()
        leaf = (x509.CertificateBuilder().subject_name(name_of("localhost")).issuer_name(issuer.subject)
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
                .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
                .sign(issuing, hashes.SHA256()))
        pem = issuer.public_bytes(serialization.Encoding.PEM)
        (self.folder / "server.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM) + pem)
        (self.folder / "server.key").write_bytes(key_pem(key))
        (self.folder / "authorities.pem").write_bytes(self.ca.read_bytes() + pem)

    def _leave_a_subscriber(self, device):
        """mosquitto_sub -E subscribes, waits for the answer and leaves; its session stays."""
        words = ["mosquitto_sub", "-h", "localhost", "-p", str(self.mqtt_port), "--cafile", str(self.ca), "--cert",
                 str(device.certificate), "--key", str(device.key), "-c", "-i", "away", "-q", "1", "-t", "devices/#", "-E"]
        while (done := subprocess.run(words, capture_output=True, text=True)).returncode:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert "refused" in done.stderr, done.stderr  # it does not listen yet

    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Load:
    """mqtt-load, connected: `run` lets it publish."""

    def __init__(self, peer, folder, devices, connections, *words):
        self.process = subprocess.Popen(
            [BUILD / "bench" / "mqtt-load", "--port", str(peer.mqtt_port), "--ca", peer.ca, "--certificates", folder, "--prefix",
             PREFIX, "--devices", str(devices), "--connections", str(connections), "--wait", "--json", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line == "ready\n", f"mqtt-load did not connect: {line!r}"

    def run(self):
        out, _ = self.process.communicate("\n")
        assert self.process.returncode == 0, out
        return json.loads(out)


def spread(values, digits=0):
    """min / median / max"""
    return " / ".join(f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
