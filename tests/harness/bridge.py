# SPDX-License-Identifier: Apache-2.0
"""A bridge of a test's own, mosquittos on its far side, and people who count what arrives."""
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading

from . import mqtt_client as mqtt
from .patience import wait_until
from .server import BUILD, PATIENCE_S, free_port

BRIDGE = BUILD / "holdfast-bridge"
MOSQUITTO = pathlib.Path("/usr/sbin/mosquitto")


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=PATIENCE_S, **options)
    assert done.returncode == 0, done
    return done.stdout


class Authority:
    """A root of the test's own, and what it signs."""

    def __init__(self, folder, name="root"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pem, self.key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.pem)

    def sign(self, name, alternatives):
        """(certificate, key): alternatives as OpenSSL writes them, "IP:127.0.0.1,DNS:localhost"."""
        pem, key, csr = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", key, "-out", csr)
        extra = self.folder / f"{name}.ext"
        extra.write_text(f"subjectAltName={alternatives}\nextendedKeyUsage=serverAuth,clientAuth\n")
        run("openssl", "x509", "-req", "-in", csr, "-CA", self.pem, "-CAkey", self.key, "-CAcreateserial", "-days", "30",
            "-extfile", extra, "-out", pem)
        key.chmod(0o600)
        return pem, key


class Broker:
    """A mosquitto that keeps its sessions on disk: a TLS listener for bridges, a plain one for the test's own clients."""

    def __init__(self, folder, authority, users=None, client_certificates=False, **lines):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self.plain_port = free_port(), free_port()
        pem, key = authority.sign("broker", "IP:127.0.0.1,DNS:localhost")
        config = ["per_listener_settings true", "persistence true", f"persistence_location {self.folder}/",
                  "autosave_interval 1", "autosave_on_changes true", "max_queued_messages 0", "max_inflight_messages 50",
                  f"listener {self.port} 127.0.0.1", f"cafile {authority.pem}", f"certfile {pem}", f"keyfile {key}",
                  f"allow_anonymous {'false' if users else 'true'}"]
        if client_certificates:
            config.append("require_certificate true")
        if users:
            passwords = self.folder / "passwords"
            passwords.write_text("".join(f"{name}:{word}\n" for name, word in users.items()))
            run("mosquitto_passwd", "-U", passwords)
            config.append(f"password_file {passwords}")
        config += [f"listener {self.plain_port} 127.0.0.1", "allow_anonymous true"]
        config += [f"{name} {value}" for name, value in lines.items()]
        if os.getuid() == 0:
            config.append("user root")
        self.config = self.folder / "mosquitto.conf"
        self.config.write_text("\n".join(config) + "\n")
        self.process = None

    def start(self):
        self.process = subprocess.Popen([MOSQUITTO, "-c", self.config], stdout=subprocess.DEVNULL,
                                        stderr=open(self.folder / "log", "ab"))
        wait_until(self.answers, "mosquitto listens")
        return self

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.plain_port), 1).close()
            return True
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=PATIENCE_S)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.kill()

    def wait_at_rest(self):
        """Until what it was given is in its database, which it writes behind its acknowledgements."""
        path, times = self.folder / "mosquitto.db", []

        def at_rest():
            times.append(path.stat().st_mtime_ns if path.exists() else None)
            return len(times) > 5 and len(set(times[-5:])) == 1

        wait_until(at_rest, "mosquitto has written its database")

    def client(self, client_id="", **options):
        stream = socket.create_connection(("127.0.0.1", self.plain_port), PATIENCE_S)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one = mqtt.Client(stream)
        answer = one.connect(client_id, **options)
        assert answer.reason == 0, answer
        return one


def identity(folder, authority, name="bridge-1", server="https://127.0.0.1:8443"):
    """What an enrolment leaves, of an authority of the test's own: for a local side that is no Holdfast."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem, key = authority.sign(name, f"URI:urn:holdfast:device:{name}")
    # PKCS#8, as enrolment writes it
    run("openssl", "pkcs8", "-topk8", "-nocrypt", "-in", key, "-out", folder / "key.pem")
    (folder / "key.pem").chmod(0o600)
    (folder / "certificate.pem").write_text(pem.read_text() + authority.pem.read_text())
    (folder / "root.pem").write_text(authority.pem.read_text())
    (folder / "server").write_text(server + "\n")


class Bridge:
    """Its folder must hold an identity. Settings are the YAML file's text."""

    def __init__(self, folder, settings):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.config = self.folder / "holdfast-bridge.yaml"
        self.config.write_text(settings)
        self.process, self.log, self.news, self.reader = None, "", threading.Condition(), None

    def command(self, *words):
        return subprocess.run([BRIDGE, *words, "--config", self.config, "--folder", self.folder], capture_output=True, text=True,
                              timeout=PATIENCE_S)

    def status(self):
        return json.loads(self.command("status", "--json").stdout)

    def start(self):
        self.process = subprocess.Popen([BRIDGE, "run", "--config", self.config, "--folder", self.folder],
                                        stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self.reader.start()
        return self

    def _read(self, stderr):
        for line in stderr:
            with self.news:
                self.log += line
                self.news.notify_all()
        stderr.close()

    def wait_log(self, pattern, after=0):
        with self.news:
            found = self.news.wait_for(lambda: re.search(pattern, self.log[after:]), PATIENCE_S)
            assert found, f"the bridge never said {pattern!r}:\n{self.log[-3000:]}"
            return after + found.end()

    def wait_connected(self, after=0):
        """Both sides, with what they subscribe: before that, what is published there is not for the bridge."""
        ends = [self.wait_log(rf'event="subscribed" side={side}', after) for side in ("local", "remote")]
        return max(ends)

    def end(self, number=signal.SIGTERM):
        if not self.process or self.process.poll() is not None:
            return None
        self.process.send_signal(number)
        code = self.process.wait(timeout=PATIENCE_S)
        self.reader.join(PATIENCE_S)
        return code


SESSION_EXPIRY = bytes([17]) + struct.pack("!I", 3600)


class Person(threading.Thread):
    """Somebody with a connection that may break at any time, and who then comes back. `connect` makes one."""

    def __init__(self, connect):
        super().__init__(daemon=True)
        self.connect, self.over, self.trouble = connect, threading.Event(), None

    def run(self):
        while not self.over.is_set():
            try:
                with self.connect() as client:
                    client.stream.settimeout(1)
                    self.live(client)
            except (ConnectionError, OSError, AssertionError) as trouble:
                self.trouble = trouble
                self.over.wait(0.05)

    def end(self):
        self.over.set()
        self.join(PATIENCE_S)


class Publisher(Person):
    """Counts up on each of its topics, QoS 1, the next number when the last was acknowledged."""

    def __init__(self, connect, topics, pause_s=0.002):
        super().__init__(connect)
        self.topics, self.pause_s = topics, pause_s
        self.acknowledged = {topic: 0 for topic in topics}  # numbers 0 to this are at the server
        self.resting = False

    def live(self, client):
        while not self.over.wait(self.pause_s):
            for topic in () if self.resting else self.topics:
                number = self.acknowledged[topic]
                client.send(mqtt.publish_packet(topic, str(number).encode(), number % 60000 + 1))
                while (answer := client.read()).kind != mqtt.PUBACK:
                    assert answer.kind != mqtt.DISCONNECT, answer
                assert answer.reason in (0, 16), answer
                self.acknowledged[topic] = number + 1


class Subscriber(Person):
    """Notes what comes, in its order. Its session outlives its connections; so `connect` must ask for that."""

    def __init__(self, connect, filters):
        super().__init__(connect)
        self.filters, self.came, self.ready = filters, {}, threading.Event()

    def live(self, client):
        client.send(mqtt.subscribe_packet(self.filters, 1, qos=1))
        while not self.over.is_set():
            try:
                packet = client.read()
            except TimeoutError:
                continue
            if packet.kind == mqtt.SUBACK:
                self.ready.set()
            elif packet.kind == mqtt.PUBLISH:
                self.came.setdefault(packet.topic, []).append(int(packet.payload))
                if packet.packet_id:
                    client.send(mqtt.packet(mqtt.PUBACK, struct.pack("!H", packet.packet_id)))
            elif packet.kind == mqtt.DISCONNECT:
                raise ConnectionError(packet)

    def has(self, counts):
        """counts: how many numbers of each topic there must be."""
        return all(len(set(self.came.get(topic, []))) >= count for topic, count in counts.items())

    def check(self, counts):
        for topic, count in counts.items():
            seen, first = set(), []
            for number in self.came.get(topic, []):
                if number not in seen:
                    seen.add(number)
                    first.append(number)
            missing = sorted(set(range(count)) - seen)
            assert not missing, f"{topic}: {len(missing)} of {count} never arrived: {missing[:20]}"
            assert first == sorted(first), f"{topic}: out of order: {[(a, b) for a, b in zip(first, first[1:]) if b < a][:5]}"
