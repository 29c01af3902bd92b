# SPDX-License-Identifier: Apache-2.0
"""The brokers that are measured, each started in the same way: with room for what is sent, so that none has to drop anything."""
import datetime
import pathlib
import shlex
import socket
import subprocess
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from scene import BUILD, Server, cpu_seconds, issuer_of, key_pem, make_key, memory_kib, name_of

PATIENCE_S = 20


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def family(pid):
    """The process and all that it started."""
    found = [pid]
    for one in found:
        for task in pathlib.Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


class Certificates:
    """A server certificate for "localhost" by the authority that issued the devices' certificates. It needs root: the issuing
    key is the keeper's alone."""

    def __init__(self, folder, server, device):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca, self.devices = server.ca, device.folder
        issuing = serialization.load_pem_private_key((server.data / "keeper" / "issuing-key.pem").read_bytes(), None)
        issuer, key, now = issuer_of(device), make_key(), datetime.datetime.utcnow()
        leaf = (x509.CertificateBuilder().subject_name(name_of("localhost")).issuer_name(issuer.subject)
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
                .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
                .sign(issuing, hashes.SHA256()))
        pem = issuer.public_bytes(serialization.Encoding.PEM)
        self.chain, self.key, self.anchors = (self.folder / name for name in ("server.pem", "server.key", "authorities.pem"))
        self.chain.write_bytes(leaf.public_bytes(serialization.Encoding.PEM) + pem)
        self.key.write_bytes(key_pem(key))
        self.anchors.write_bytes(self.ca.read_bytes() + pem)


class Peer:
    """Has a name, the ports plain_port and mqtt_port (TLS; each None when it has none) and the root `ca`. A subclass says
    how it is started: command() writes what it needs into self.folder."""

    name = "?"
    tls = True

    def __init__(self, folder, certificates=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certificates = certificates if self.tls else None
        self.ca = certificates and certificates.ca
        self.plain_port, self.mqtt_port = free_port(), free_port() if self.certificates else None
        self.process = None

    def command(self):
        raise NotImplementedError

    def start(self):
        self.process = subprocess.Popen(self.command(), cwd=self.folder, stdout=open(self.folder / "log", "ab"),
                                        stderr=subprocess.STDOUT)
        for port in filter(None, (self.plain_port, self.mqtt_port)):
            self._wait_for(port)
        return self

    def _wait_for(self, port):
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < until, (self.folder / "log").read_text()[-2000:]
                time.sleep(0.05)

    def pids(self):
        return family(self.process.pid)

    def cpu(self):
        return sum(cpu_seconds(pid) for pid in self.pids())

    def memory(self, what="VmRSS"):
        return sum(memory_kib(pid, what) for pid in self.pids())

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Floor(Peer):
    name, tls = "floor", False

    def command(self):
        return [BUILD / "bench" / "floor-broker", str(self.plain_port)]


class Mosquitto(Peer):
    """Queues and windows without bounds; Nagle's algorithm off. `saving`: lines that let it keep what it has."""

    name = "mosquitto"
    saving = ()

    def command(self):
        lines = ["per_listener_settings false", "allow_anonymous true", "user root", "log_dest stderr", "log_type error",
                 "max_queued_messages 0", "max_inflight_messages 0", "set_tcp_nodelay true", f"listener {self.plain_port} 127.0.0.1"]
        if self.certificates:
            lines += [f"listener {self.mqtt_port} 127.0.0.1", f"cafile {self.certificates.anchors}",
                      f"certfile {self.certificates.chain}", f"keyfile {self.certificates.key}", "require_certificate true"]
        if self.saving:
            kept = self.folder / "kept"
            kept.mkdir(exist_ok=True)
            lines += ["persistence true", f"persistence_location {kept}/", *self.saving]
        (self.folder / "mosquitto.conf").write_text("\n".join([*lines, ""]))
        return ["/usr/sbin/mosquitto", "-c", self.folder / "mosquitto.conf"]


class Nats(Peer):
    """MQTT needs JetStream; one port per server, so plain and TLS are two runs of it."""

    name = "nats"

    def __init__(self, folder, certificates=None):
        super().__init__(folder, certificates)
        if certificates:
            self.plain_port = None

    def command(self):
        tls = ""
        if self.certificates:
            tls = (f'tls {{ cert_file: "{self.certificates.chain}", key_file: "{self.certificates.key}", '
                   f'ca_file: "{self.certificates.anchors}", verify: true }}')
        (self.folder / "nats.conf").write_text(
            f'server_name: bench\nlisten: "127.0.0.1:{free_port()}"\nwrite_deadline: "60s"\nmax_pending: 1GB\n'
            f'jetstream {{ store_dir: "{self.folder}/store" }}\n'
            f'mqtt {{ listen: "127.0.0.1:{self.mqtt_port or self.plain_port}", max_ack_pending: 65535\n{tls} }}\n')
        return ["nats-server", "-c", self.folder / "nats.conf"]


class FlashMQ(Peer):
    """--peer flashmq=PROGRAM: not in Debian 12, so whoever wants it builds it."""

    name, program = "flashmq", None

    def command(self):
        tls = ""
        if self.certificates:
            tls = (f"listen {{\n protocol mqtt\n port {self.mqtt_port}\n inet_protocol ip4\n inet4_bind_address 127.0.0.1\n"
                   f" fullchain {self.certificates.chain}\n privkey {self.certificates.key}\n"
                   f" client_verification_ca_file {self.certificates.anchors}\n}}\n")
        (self.folder / "flashmq.conf").write_text(
            f"allow_anonymous true\nlog_level warning\nmax_qos_msg_pending_per_client 65535\n"
            f"max_qos_bytes_pending_per_client 1073741824\nclient_max_write_buffer_size 1073741824\n"
            f"listen {{\n protocol mqtt\n port {self.plain_port}\n inet_protocol ip4\n inet4_bind_address 127.0.0.1\n}}\n{tls}")
        return [self.program, "--config-file", self.folder / "flashmq.conf"]


class Foreign(Peer):
    """--peer NAME=COMMAND: any other, plain only. {port} in the command becomes the port, {folder} a folder of its own."""

    tls, line = False, ""

    def command(self):
        return [word.format(port=self.plain_port, folder=self.folder) for word in shlex.split(self.line)]


class Holdfast(Peer):
    """With rate limits that let a benchmark pass. It has the plain listener when this build has the setting."""

    name = "holdfast"
    settings = {}

    def __init__(self, folder, certificates=None):
        super().__init__(folder, None)
        reference = subprocess.run([BUILD / "holdfastd", "--reference"], capture_output=True, text=True, check=True).stdout
        plain = {"mqtt_plain": "true", "mqtt_plain__port": self.plain_port, "mqtt_insecure__anonymous": "true",
                 "mqtt_subscriptions__max": 10000}
        if "mqtt.plain-port" not in reference:
            plain, self.plain_port = {}, None
        self.server = Server(self.folder, limits_device__rate=1000000, mqtt_receive__max=65535, mqtt_queue__messages=65535,
                             mqtt_queue__bytes=268435456, **plain, **self.settings)

    def start(self):
        self.server.settings["limits.address-rate"] = 1000000
        self.server.start()
        self.server.make_account()
        self.process, self.ca, self.mqtt_port = self.server.launcher, self.server.ca, self.server.mqtt_port
        return self

    def stop(self):
        self.server.stop()
