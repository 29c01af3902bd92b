# SPDX-License-Identifier: Apache-2.0
"""A holdfastd of a test's own: started, watched, killed, and asked."""
import base64
import hashlib
import os
import pathlib
import queue
import re
import signal
import socket
import subprocess
import threading

from .api import PASSWORD, Api

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("HOLDFAST_BUILD", TOP / "build"))
PATIENCE_S = 60  # for events that must come; a test that waits so long has failed


def free_port():
    """A port that nobody has at this moment: for a server that must come back where it was."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Server:
    """Settings are named as in the file, with "_" for "." and "__" for "-": limits_device__rate=10."""

    def __init__(self, folder, **settings):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.settings = {
            "data": self.data, "http.port": 0, "mqtt.port": 0, "http.address": "127.0.0.1", "mqtt.address": "127.0.0.1",
            "public.host": "localhost", "limits.address-rate": 100000, "limits.operator-rate": 100000,
        }
        self.settings.update({name.replace("__", "-").replace("_", "."): value for name, value in settings.items()})
        self.launcher = None
        self.texts = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.stop()

    # -- life

    def start(self):
        wishes = [word for name, value in self.settings.items() for word in ("--set", f"{name}={value}")]
        self.texts = queue.Queue()
        self.launcher = subprocess.Popen(
            [BUILD / "holdfastd", *wishes], stdout=subprocess.PIPE, stderr=open(self.log, "ab"), text=True)
        threading.Thread(target=self._read_texts, args=(self.launcher.stdout, self.texts), daemon=True).start()
        self.wait_ready()
        return self

    @staticmethod
    def _read_texts(stdout, texts):
        for line in stdout:
            texts.put(line)
        texts.put(None)

    def wait_ready(self):
        """Waits for a start-up text and takes what it says; also after the server was killed and came again."""
        self.setup_secret = self.start_token = None
        self.further_ports = {}
        while True:
            line = self.texts.get(timeout=PATIENCE_S)
            assert line is not None, "the server ended:\n" + self.log.read_text()[-2000:]
            if match := re.search(r"console and API +https://localhost:(\d+)/", line):
                self.http_port = int(match.group(1))
            elif match := re.search(r"MQTT over TLS +localhost:(\d+)", line):
                self.mqtt_port = int(match.group(1))
            elif match := re.search(r"(MQTT in the clear|MQTT over wss?) +\S+:(\d+)$", line):
                self.further_ports[match.group(1)] = int(match.group(2))
            elif match := re.search(r"SHA-256 ([0-9a-f]{64})", line):
                self.pin = match.group(1)
                break
        self.url = f"https://localhost:{self.http_port}"
        self._take_root()
        old = getattr(self, "api", None)
        self.api = Api(self.url, self.ca)
        if old:
            self.api.token = old.token
        return self

    @property
    def plain_port(self):
        return self.further_ports["MQTT in the clear"]

    @property
    def ca(self):
        return self.folder / "ca.pem"

    def _take_root(self):
        pem = subprocess.run(["curl", "-sk", f"{self.url}/api/v1/ca.pem"], capture_output=True, check=True, text=True).stdout
        der = base64.b64decode("".join(pem.split("-----")[2].split()))
        assert hashlib.sha256(der).hexdigest() == self.pin, "the root is not the one that the start-up text names"
        self.ca.write_text(pem)

    def _read_secrets(self):
        """The next line of the start-up text, behind the part that every start has."""
        line = self.texts.get(timeout=PATIENCE_S)
        assert line is not None, "the server ended:\n" + self.log.read_text()[-2000:]
        if match := re.search(r"#setup=(\S+)", line):
            self.setup_secret = match.group(1)
        elif match := re.search(r"enrolment token +(\S+)", line):
            self.start_token = match.group(1)

    def first_sign_in(self):
        """The one-time secret of the start-up text."""
        while not self.setup_secret:
            self._read_secrets()
        return self.setup_secret

    def first_token(self):
        """The enrolment token of the start-up text: there is one when enrolment.start-uses is not 0."""
        while not self.start_token:
            self._read_secrets()
        return self.start_token

    def make_account(self, name="ada"):
        """The first account, by the one-time secret; the API is signed in afterwards."""
        wish = {"secret": self.first_sign_in(), "name": name, "password": PASSWORD}
        answer = self.api.ask("POST", "/api/v1/setup", wish)
        assert answer.status == 201, answer
        assert self.api.sign_in(name).status == 200
        return self.api

    def process(self, name="server"):
        """The pid of the server's or the keeper's process."""
        children = subprocess.run(["pgrep", "-P", str(self.launcher.pid), "-a"], capture_output=True, text=True).stdout
        for line in children.splitlines():
            pid, _, command = line.partition(" ")
            if ("--serve" in command) == (name == "server"):
                return int(pid)
        raise AssertionError(f"no {name} process: {children}")

    def kill(self, name="server"):
        """kill -9 of one process; the launcher starts both again."""
        os.kill(self.process(name), signal.SIGKILL)

    def stop(self):
        if not self.launcher or self.launcher.poll() is not None:
            return
        self.launcher.send_signal(signal.SIGTERM)
        try:
            self.launcher.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.launcher.kill()
            raise
