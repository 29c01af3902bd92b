# SPDX-License-Identifier: Apache-2.0
"""Runs mosquitto's own broker tests (test/broker/*.py of its sources) against any broker, for mqtt_suites.py, which says how
a driver talks.

    run_scripts.py SUITE HOST PORT DONE

Each script starts a broker for itself: that is replaced by the one that already runs, and a script that wants it configured
in mosquitto's way is skipped, as are those about what only mosquitto has. Answers are compared as answers.py says."""
import inspect
import json
import os
import pathlib
import re
import runpy
import socket
import subprocess
import sys
import tempfile
import traceback

from answers import may_be_first, packet_of, same

from harness.mqtt_codec import CONNACK, CONNECT
from harness.mqtt_peer import Broker

SCRIPT_S = 45
SCRIPTS = "0[1-57]-*.py", "11-*.py", "12-*.py"  # connections, messages, retained ones, sessions, wills, properties
HARMLESS = re.compile(r"^\s*(#.*|listener\s.*|port\s.*|allow_anonymous\s+true|log_.*|protocol\s+mqtt|bind_address\s.*|persistence\w*\s.*)?$")
SKIPPED = 77
TELLING = "instead of", "line ", "it wants", "it is about", "WARNING"


class NotApplicable(Exception):
    pass


class RunningBroker:
    """What a script believes to have started."""
    returncode, pid = 0, 0
    poll = staticmethod(lambda: None)
    communicate = staticmethod(lambda *_, **__: (b"", b""))
    wait = staticmethod(lambda *_, **__: 0)
    terminate = kill = send_signal = staticmethod(lambda *_: None)


class WatchedSocket(socket.socket):
    """Knows which version its client speaks, and holds what came early."""
    version = 4

    def __init__(self, *words):
        super().__init__(*words)
        self.kept = []

    def send(self, data, *flags):
        data = bytes(data)
        if data and data[0] >> 4 == CONNECT and (at := data.find(b"\0\4MQTT")) > 0:
            self.version = data[at + 6]
        elif data and data[0] >> 4 == CONNECT and b"MQIsdp" in data:
            raise NotApplicable("it is about MQTT 3.1")
        return super().send(data, *flags)


def start_broker(sweep_first, filename, *_, use_conf=False, cmd=None, cmd_args=None, expect_fail=False, **__):
    if expect_fail or cmd or cmd_args:
        raise NotApplicable("it is about how mosquitto starts")
    if use_conf:
        for line in pathlib.Path(str(filename).replace(".py", ".conf")).read_text(encoding="utf-8").splitlines():
            if not HARMLESS.match(line):
                raise NotApplicable(f"it wants the broker's setting «{line.strip()}»")
    sweep_first()
    return RunningBroker()


def sweep(address, clients=()):
    """What one test leaves behind is not there for the next: retained messages, sessions."""
    broker = Broker(address)
    for name in clients:
        broker.peer(name).disconnect()
    peer = broker.peer()
    peer.subscribe("#")
    for one in peer.drained():
        peer.publish(one.topic, b"", 1, retain=True)
    broker.close()


def read_packet(sock):
    """Its bytes; fewer when the broker closed."""
    raw = sock.recv(1)
    while raw and len(raw) < 6 and (len(raw) == 1 or raw[-1] >= 128):
        raw += sock.recv(1) or b"\0"
    size = sum((digit & 127) << 7 * place for place, digit in enumerate(raw[1:]))
    head = len(raw)
    while raw and len(raw) < head + size:
        piece = sock.recv(head + size - len(raw))
        if not piece:
            break
        raw += piece
    return raw


def pieces(data):
    """Some scripts await several packets as one piece."""
    while data:
        at = next(i for i in range(1, len(data)) if data[i] < 128) + 1
        size = at + sum((digit & 127) << 7 * place for place, digit in enumerate(data[1:at]))
        yield data[:size]
        data = data[size:]


def refusal(raw):
    return raw[0] >> 4 == CONNACK and raw[3] != 0


def patch(mosq_test, port, clients, keeps):
    def take(sock, name, wanted):
        """One awaited packet; what may stand before it is kept."""
        for raw in sock.kept:
            if same(packet_of(raw, sock.version), packet_of(wanted, sock.version)):
                return sock.kept.remove(raw)
        while True:
            raw = read_packet(sock)
            if not raw:
                raise BrokenPipeError(f"closed instead of {name}")
            if len(raw) < len(wanted) and refusal(raw) and not sock.recv(1):
                raise BrokenPipeError(f"closed behind {name}")  # they await more of it than there is, and take note of the end
            got = packet_of(raw, sock.version)
            if wanted and same(got, packet_of(wanted, sock.version)):
                return None
            if not wanted or not may_be_first(got, packet_of(wanted, sock.version)):
                print(f"instead of {name} {wanted[:80]!r} came {raw[:80]!r}")
                raise mosq_test.TestError
            sock.kept.append(raw)

    def expect_packet(sock, name, expected):
        for wanted in pieces(expected) if expected else [b""]:
            take(sock, name, wanted)
        return True

    def receive_unordered(sock, one, other, name):
        left = [one, other]
        while left:
            wanted = next((each for each in left if any(same(packet_of(raw, sock.version), packet_of(each, sock.version))
                                                            for raw in sock.kept)), None)
            if not wanted:
                sock.kept.append(read_packet(sock))
                if not sock.kept[-1]:
                    raise ValueError(name)
                continue
            take(sock, name, wanted)
            left.remove(wanted)

    begun = set()

    def sweep_first():
        """A test about what a broker keeps goes on with what its first one kept."""
        test = next((one.frame for one in inspect.stack(0) if one.function == "do_test"), None)
        if test not in begun or not keeps:
            sweep((os.environ["BROKER_HOST"], port), clients)
        begun.add(test)

    def client_connect_only(hostname="localhost", port=port, timeout=10, protocol="mqtt"):
        sock = WatchedSocket(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.connect((os.environ["BROKER_HOST"], port))
        return sock

    mosq_test.receive_unordered = receive_unordered
    mosq_test.expect_packet, mosq_test.client_connect_only = expect_packet, client_connect_only
    mosq_test.start_broker = lambda *words, **how: start_broker(sweep_first, *words, **how)
    mosq_test.get_port = lambda count=1: port if count == 1 else (port,) * count
    mosq_test.terminate_broker = lambda *_, **__: (0, "")
    mosq_test.wait_for_subprocess = lambda *_, **__: 0
    mosq_test.broker_log = lambda *_: ""


def run_one(script, port):
    """In a process of its own; ends it."""
    script = pathlib.Path(script)
    sys.path[:0] = [str(script.parent), str(script.parent.parent)]
    sys.argv = [str(script), str(port)]
    import mosq_test  # pylint: disable=import-error,import-outside-toplevel
    text = script.read_text(encoding="utf-8")
    patch(mosq_test, port, set(re.findall(r'gen_connect\(\s*"([^"]+)"', text)), re.search("persist|recover", text + script.name))
    try:
        runpy.run_path(str(script), run_name="__main__")
    except NotApplicable as why:
        print(why)
        sys.exit(SKIPPED)
    except SystemExit as end:
        if end.code:
            raise
    except BaseException as trouble:  # pylint: disable=broad-except
        trace = [one for one in traceback.extract_tb(trouble.__traceback__) if one.filename == str(script)]
        print(f"line {trace[-1].lineno if trace else '?'}: {type(trouble).__name__} {trouble}")
        sys.exit(1)


def say(test, outcome, detail=""):
    print(json.dumps({"test": test, "outcome": outcome, "detail": detail}), flush=True)


def run(script, host, port, folder):
    environment = {**os.environ, "BROKER_HOST": host}
    command = [sys.executable, "-W", "ignore", __file__, "--one", str(script), str(port)]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace",
                              timeout=SCRIPT_S, check=False)
    except subprocess.TimeoutExpired:
        return "failed", f"no end after {SCRIPT_S} s"
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(TELLING)] or done.stdout.splitlines()
    said = " | ".join(lines[-3:])[-500:]
    if done.returncode == SKIPPED:
        return "skipped", said
    if "FileNotFoundError" in said or "ModuleNotFoundError" in said:
        return "skipped", "it needs what is not here: " + said
    if "UnboundLocalError" in said:
        return "skipped", "the script itself is broken: " + said
    return ("failed", said) if done.returncode else ("passed", "")


def main():
    if sys.argv[1] == "--one":
        run_one(sys.argv[2], int(sys.argv[3]))
        return
    host, port, done = sys.argv[2], int(sys.argv[3]), set(json.loads(sys.argv[4]))
    folder = pathlib.Path(sys.argv[1]) / "test/broker"
    scripts = sorted(script for pattern in SCRIPTS for script in folder.glob(pattern))
    with tempfile.TemporaryDirectory() as place:
        for script in scripts:
            if script.stem not in done:
                say(script.stem, "begun")
                say(script.stem, *run(script, host, port, place))


if __name__ == "__main__":
    main()
