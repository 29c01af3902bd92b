# SPDX-License-Identifier: Apache-2.0
"""The operator's command line against a real server: what each command shows, its JSON, and its exit codes."""
import json
import os
import platform
import re
import select
import signal
import stat
import subprocess
import time

import pytest

from harness.agent import Agent
from harness.api import PASSWORD
from harness.patience import PATIENCE_S, wait_until
from harness.server import BUILD, Server, free_port

DONE, REFUSED, USAGE, UNREACHED, NOT_SIGNED_IN, LOCAL = range(6)
DEVICES = ("pump-1", "pump-2", "valve-1")


class Operator:
    """A person at a shell with a home of their own."""

    def __init__(self, home, server):
        self.home, self.server = home, server
        self.session = home / ".config" / "holdfast" / "session.json"

    def environment(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_") and name != "XDG_CONFIG_HOME"}
        return {**kept, "HOME": str(self.home)}

    def run(self, *words, **options):
        return subprocess.run([BUILD / "holdfast", *map(str, words)], capture_output=True, text=True, timeout=PATIENCE_S,
                              env={**self.environment(), **options.pop("env", {})}, **options)

    def show(self, *words):
        done = self.run(*words)
        assert done.returncode == DONE and not done.stderr, done
        return done.stdout

    def json(self, *words):
        return json.loads(self.show(*words, "--json"))

    def sign_in(self, *words, name="ada", password=PASSWORD, pin=None, server=None, **options):
        trust = words or ("--ca-sha256", pin or self.server.pin)
        return self.run("sign-in", "--server", server or self.server.url, *trust, "--name", name, "--password-stdin",
                        input=f"{password}\n", **options)

    def signed_in(self):
        done = self.sign_in()
        assert done.returncode == DONE, done
        return self


class Follower:
    """`holdfast events --follow`, line by line."""

    def __init__(self, operator, *words):
        self.process = subprocess.Popen([BUILD / "holdfast", "events", "--follow", *words], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=operator.environment())
        self.seen, self.waiting = [], b""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.communicate()

    def line(self):
        deadline = time.monotonic() + PATIENCE_S
        while b"\n" not in self.waiting:
            ready, _, _ = select.select([self.process.stdout], [], [], deadline - time.monotonic())
            assert ready, f"no line came behind {self.seen}"
            piece = os.read(self.process.stdout.fileno(), 65536)
            assert piece, self.process.stderr.read()
            self.waiting += piece
        line, _, self.waiting = self.waiting.partition(b"\n")
        self.seen.append(line.decode())
        return self.seen[-1]

    def wait(self, pattern):
        while not re.search(pattern, self.line()):
            pass
        return self.seen[-1]

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """With three devices that have reported."""
    folder = tmp_path_factory.mktemp("server")
    with Server(folder, http_port=free_port(), mqtt_port=free_port()) as running:
        running.make_account()
        agents = [Agent(folder, name, running).enrol().start() for name in DEVICES]
        for name in DEVICES:
            wait_until(lambda: len(running.api.get(f"/api/v1/devices/{name}/series?metric=cpu.load")["points"]) > 1, f"measurements of {name}")
            wait_until(lambda: "inventory" in running.api.get(f"/api/v1/devices/{name}/documents")["documents"], f"the inventory of {name}")
        yield running
        for agent in agents:
            agent.stop()


@pytest.fixture
def stranger(tmp_path, server):
    return Operator(tmp_path, server)


@pytest.fixture
def ada(stranger):
    return stranger.signed_in()


# -- signing in

def test_the_session_is_the_operators_alone(stranger):
    done = stranger.sign_in()
    assert done.returncode == DONE and f"Signed in to {stranger.server.url} as ada until " in done.stdout, done
    assert stat.S_IMODE(stranger.session.stat().st_mode) == 0o600
    assert stat.S_IMODE(stranger.session.parent.stat().st_mode) == 0o700
    assert PASSWORD not in stranger.session.read_text()
    stranger.session.chmod(0o644)
    open_to_all = stranger.run("devices")
    assert open_to_all.returncode == LOCAL and "chmod 600" in open_to_all.stderr, open_to_all


def test_sign_in_is_refused(stranger, server):
    nobody = f"https://localhost:{free_port()}"
    rows = {
        "a wrong password": (lambda: stranger.sign_in(password="not the password"), REFUSED, "password"),
        "nobody of this name": (lambda: stranger.sign_in(name="eve"), REFUSED, "password"),
        "an empty password": (lambda: stranger.sign_in(password=""), USAGE, "empty"),
        "another server's pin": (lambda: stranger.sign_in(pin="0" * 64), UNREACHED, "SHA-256"),
        "a pin that is none": (lambda: stranger.sign_in(pin="abc"), USAGE, "64 hexadecimal digits"),
        "no pin": (lambda: stranger.sign_in("--json"), UNREACHED, "--ca-sha256"),
        "nobody there": (lambda: stranger.sign_in(server=nobody), UNREACHED, nobody),
        "no https": (lambda: stranger.sign_in(server=server.url.replace("https", "http")), USAGE, "https://"),
        "no name": (lambda: stranger.run("sign-in", "--server", server.url), USAGE, "--name"),
        "no server": (lambda: stranger.run("sign-in", "--name", "ada"), USAGE, "--server"),
        "not signed in": (lambda: stranger.run("devices"), NOT_SIGNED_IN, "holdfast sign-in"),
    }
    wrong = []
    for what, (ask, code, sentence) in rows.items():
        done = ask()
        if done.returncode != code or sentence not in done.stderr or done.stdout:
            wrong.append((what, done.returncode, code, sentence, done.stderr, done.stdout))
        assert not stranger.session.exists(), what
    assert not wrong, "\n".join(map(str, wrong))


def test_the_root_may_come_from_a_file(stranger, server):
    assert stranger.sign_in("--ca", server.ca).returncode == DONE
    assert len(stranger.json("devices")["devices"]) == len(DEVICES)


def test_signing_out_ends_the_session_on_the_server_too(ada, server):
    kept = ada.session.read_text()
    assert ada.show("sign-out") == "Signed out.\n"
    assert not ada.session.exists()
    assert ada.run("devices").returncode == NOT_SIGNED_IN
    ada.session.write_text(kept)
    ada.session.chmod(0o600)
    ended = ada.run("devices")
    assert ended.returncode == NOT_SIGNED_IN and ended.stderr, ended


# -- what it shows

def test_devices(ada):
    lines = ada.show("devices").splitlines()
    assert lines[0].split()[:3] == ["ID", "GROUP", "STATE"]
    assert [line.split()[:4] for line in lines[1:]] == [[name, "lab", "active", "yes"] for name in DEVICES]
    assert [device["id"] for device in ada.json("devices", "--search", "pump")["devices"]] == ["pump-1", "pump-2"]
    assert ada.json("devices", "--connected", "no")["devices"] == []
    assert ada.json("devices", "--state", "active", "--group", "lab")["total"] == len(DEVICES)
    first = ada.show("devices", "--limit", "1")
    assert "1 of 3 devices" in first and len(first.splitlines()) == 3
    assert ada.run("devices", "--limit", "none").returncode == REFUSED


def test_device_show(ada):
    shown = ada.show("device", "show", "pump-1")
    for wanted in ("pump-1", "Group", "lab", "Certificate", "Kernel", os.uname().release, "Packages", "cpu.load"):
        assert wanted in shown, (wanted, shown)
    found = ada.json("device", "show", "pump-1")
    assert found["device"]["id"] == "pump-1" and found["device"]["connected"] is True
    assert {"cpu.load", "memory.used"} <= {row["metric"] for row in found["values"]}
    assert found["documents"]["inventory"]["content"]["kernel"]["release"] == os.uname().release
    absent = ada.run("device", "show", "pump-9")
    assert absent.returncode == REFUSED and "device" in absent.stderr and not absent.stdout, absent


def test_telemetry(ada):
    latest = ada.show("telemetry", "pump-1")
    assert latest.splitlines()[0].split() == ["METRIC", "VALUE", "UNIT", "TIME"] and "memory.used" in latest
    assert {"cpu.load", "uptime"} <= {row["metric"] for row in ada.json("telemetry", "pump-1")["values"]}
    rows = ada.show("telemetry", "pump-1", "--metric", "cpu.load", "--from", "5m").splitlines()
    assert rows[0].split() == ["TIME", "VALUE"] and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +[\d.e-]+", rows[1]), rows[:2]
    points = ada.json("telemetry", "pump-1", "--metric", "cpu.load", "--limit", "1")["points"]
    assert len(points) == 1 and 0 <= points[0][1] <= 1
    assert ada.json("telemetry", "pump-1", "--metric", "cpu.load", "--from", "2020-01-01T00:00:00Z", "--to", "2020-01-02T00:00:00Z")["points"] == []
    rows = {("--from", "5m"): USAGE, ("--metric", "cpu.load", "--from", "yesterday"): REFUSED}
    for words, code in rows.items():
        done = ada.run("telemetry", "pump-1", *words)
        assert done.returncode == code and "from" in done.stderr, done


def test_events(ada):
    lines = ada.show("events", "--kind", "device.enrolled").splitlines()
    assert lines[0].split()[:4] == ["TIME", "SEVERITY", "KIND", "DEVICE"]
    assert [line.split()[4] for line in lines[1:]] == list(reversed(DEVICES))
    found = ada.json("events", "--device", "pump-1", "--limit", "2")["events"]
    assert len(found) == 2 and {event["device"] for event in found} == {"pump-1"}
    assert ada.run("events", "--severity", "loud").returncode == REFUSED


def test_tokens(ada, tmp_path):
    made = ada.json("token", "create", "--group", "north", "--uses", "2", "--minutes", "5")
    assert made["group"] == "north" and made["uses"] == 2 and made["token"] in made["command"]
    listed = {one["id"]: one for one in ada.json("token", "list")["tokens"]}
    assert listed[made["id"]]["uses_left"] == 2 and listed[made["id"]]["made_by"] == "ada"
    assert made["token"] not in ada.show("token", "list")
    assert ada.show("token", "delete", made["id"]) == f"Deleted token {made['id']}.\n"
    assert made["id"] not in ada.show("token", "list")
    assert ada.run("token", "delete", made["id"]).returncode == REFUSED
    for words in (("--uses", "0"), ("--uses", "many"), ("--minutes", "0"), ("--group", "no/slash")):
        refused = ada.run("token", "create", *words)
        assert refused.returncode == REFUSED and words[0][2:] in refused.stderr, refused


def test_the_command_that_a_token_comes_with_works(ada, server, tmp_path):
    """Pasted as it stands; only the folder is the test's."""
    shown, device = ada.show("token", "create", "--group", "pasted"), platform.node()
    command = next(line.strip() for line in shown.splitlines() if "holdfast-agent enrol" in line)
    pasted = subprocess.Popen(["sh", "-c", command], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              env={**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "HOLDFAST_FOLDER": str(tmp_path / "agent")})
    try:
        server.api.wait_event("device.connected", device)
    finally:
        os.killpg(pasted.pid, signal.SIGTERM)
        pasted.wait(timeout=PATIENCE_S)
    assert ada.json("device", "show", device)["device"]["group"] == "pasted"
    refused = ada.run("device", "delete", device, stdin=subprocess.DEVNULL)
    assert refused.returncode == USAGE and "--yes" in refused.stderr
    assert ada.show("device", "delete", device, "--yes") == f"Deleted {device}.\n"
    assert ada.run("device", "show", device).returncode == REFUSED


def test_health(ada):
    shown = ada.show("health")
    assert "ok" in shown and "store" in shown and "devices" in shown
    found = ada.json("health")
    assert found["status"] == "ok" and found["store"]["status"] == "ok" and found["devices"] >= len(DEVICES)


# -- following

def test_events_are_followed_as_they_happen(ada, server):
    with Follower(ada, "--kind", "token.created", "--limit", "1") as follower:
        for group in ("followed-a", "followed-b"):
            server.api.make_token(group=group)
            assert f"group={group}" in follower.wait(f"group={group}")
        assert follower.interrupt() in (-signal.SIGINT, 130)


def test_following_outlives_a_server_that_is_killed(ada, server):
    with Follower(ada, "--json", "--kind", "token.created", "--limit", "1") as follower:
        server.api.make_token(group="before")
        follower.wait('"before"')
        server.kill()
        server.wait_ready()
        server.api.make_token(group="after")
        follower.wait('"after"')
        ids = [json.loads(line)["id"] for line in follower.seen]
        assert ids == sorted(set(ids)), "in order, none twice"


# -- the command line itself

@pytest.mark.parametrize("words, sentence", [
    ((), "holdfast --help"),
    (("devcies",), "did you mean 'devices'?"),
    (("token", "crate"), "did you mean 'token create'?"),
    (("device", "pump-1"), "did you mean 'devices'?"),
    (("token",), "holdfast --help"),
    (("reboot",), "holdfast --help"),
    (("devices", "--serch", "x"), "did you mean --search?"),
    (("devices", "--colour", "x"), "holdfast devices --help"),
    (("devices", "--limit"), "--limit wants a value"),
    (("devices", "--limit", "1", "--limit", "2"), "twice"),
    (("devices", "pump-1"), "no argument"),
    (("devices", "--connected", "maybe"), "yes or no"),
    (("device", "show"), "wants an argument"),
    (("device", "show", "a", "b"), "too many"),
])
def test_what_does_not_read_is_named(stranger, words, sentence):
    done = stranger.run(*words)
    assert done.returncode == USAGE and sentence in done.stderr and not done.stdout, done


def test_help_names_every_command(stranger):
    overview = stranger.show("--help")
    commands = re.findall(r"^  ([a-z-]+(?: [a-z]+)?)(?: ID)?  +[A-Z]", overview, re.M)
    assert len(commands) > 8, overview
    for command in commands:
        assert stranger.show(*command.split(), "--help").startswith(f"Usage: holdfast {command}")
    assert re.fullmatch(r"holdfast \d+\.\d+\.\d+\n", stranger.show("--version"))


def test_one_server_is_not_taken_for_another(ada):
    done = ada.run("devices", env={"HOLDFAST_SERVER": "https://elsewhere:8443"})
    assert done.returncode == NOT_SIGNED_IN and "elsewhere" in done.stderr, done
