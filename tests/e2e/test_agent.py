# SPDX-License-Identifier: Apache-2.0
"""The agent: how it enrols and is refused, what it reports of this machine, and that nothing it measured is lost."""
import datetime
import json
import os
import pathlib
import platform
import re
import signal
import stat
import subprocess

import pytest

from harness import spool
from harness.agent import Agent
from harness.mqtt_client import PUBLISH, Client, tls_socket
from harness.patience import wait_until
from harness.server import Server, free_port

DONE, FAILED, USAGE, NOT_ENROLLED, REFUSED = range(5)
KILLS = 3
BACKLOG = 3000          # messages that wait before a test of the way out
HOUR_MS = 3600_000
PAGE = 10000


def fixed_ports():
    """A server that an agent finds again after a restart."""
    return {"http_port": free_port(), "mqtt_port": free_port()}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server"), **fixed_ports()) as running:
        running.make_account()
        yield running


@pytest.fixture
def agents(tmp_path):
    """A maker of agents that end with the test: agents(name, server) -> Agent."""
    made = []

    def make(name, server):
        made.append(Agent(tmp_path, name, server))
        return made[-1]

    yield make
    for agent in made:
        agent.stop()


def series(server, device, metric, begin_ms=0):
    """[[ms, value], ...], all of it."""
    points, begin = [], begin_ms
    while begin is not None:
        page = server.api.get(f"/api/v1/devices/{device}/series?metric={metric}&from={begin}&to=2100-01-01T00:00:00Z&limit={PAGE}")
        points += page["points"]
        begin = page["next"]
    return points


def own_events(server, device, kind=None):
    """What the device reported, oldest first."""
    found = [event["detail"] for event in reversed(server.api.events(device=device, kind="device.event"))]
    return [detail for detail in found if not kind or detail["kind"] == kind]


def latest(server, device):
    return {row["metric"]: row["value"] for row in server.api.get(f"/api/v1/devices/{device}/latest")["values"]}


def documents(server, device):
    return {name: one["content"] for name, one in server.api.get(f"/api/v1/devices/{device}/documents")["documents"].items()}


# -- enrolment

def test_it_enrols_and_keeps_its_secrets(server, agents):
    token = server.api.make_token(group="plant-3", uses=1)
    agent = agents("pump", server)
    done = agent.ask_to_enrol(token)
    assert done.returncode == DONE and f"Enrolled as pump at {server.url}" in done.stdout, done
    assert server.api.get("/api/v1/devices/pump")["group"] == "plant-3"
    assert stat.S_IMODE(agent.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((agent.folder / "key.pem").stat().st_mode) == 0o600
    files = agent.files()
    assert {"key.pem", "certificate.pem", "root.pem"} <= set(files)
    agent.start()
    agent.wait_connected()
    assert token.encode() not in b"".join(files.values()) + agent.arguments()
    assert token not in done.stdout + done.stderr + agent.log + server.log.read_text()
    key = files["key.pem"].decode().split("\n")[1]
    assert key not in agent.log


def refusals(server, agent):
    """What: (how, the exit code, what the sentence has)."""
    spent = server.api.make_token(uses=1)
    other = Agent(agent.folder.parent, "spender", server)
    other.enrol(spent)
    good, nobody = server.api.make_token(), f"https://localhost:{free_port()}"
    enrol = ("enrol", "--server", server.url, "--ca-sha256", server.pin)
    return {
        "an unknown token": (lambda: agent.ask_to_enrol("a" * len(good)), REFUSED, "token is unknown"),
        "a spent token": (lambda: agent.ask_to_enrol(spent), REFUSED, "spent"),
        "no token": (lambda: agent.ask_to_enrol(""), USAGE, "no token"),
        "an endless token": (lambda: agent.ask_to_enrol("x" * 100000), USAGE, "longer"),
        "another server's pin": (lambda: agent.ask_to_enrol(good, pin="0" * 64), REFUSED, "not the pinned one"),
        "a pin that is none": (lambda: agent.ask_to_enrol(good, pin="abc"), USAGE, "SHA-256"),
        "nobody there": (lambda: agent.ask_to_enrol(good, server=nobody), FAILED, nobody.rpartition("/")[2].rpartition(":")[2]),
        "no TLS there": (lambda: agent.ask_to_enrol(good, server=f"http://localhost:{server.http_port}"), USAGE, "https"),
        "the MQTT door": (lambda: agent.ask_to_enrol(good, server=f"https://localhost:{server.mqtt_port}"), FAILED, "localhost"),
        "an id that is taken": (lambda: agent.command(*enrol, "--id", "spender", input=good), REFUSED, "taken"),
        "an id with a slash": (lambda: agent.command(*enrol, "--id", "a/b", input=good), USAGE, "device id"),
        "no pin and no root": (lambda: agent.command("enrol", "--server", server.url, input=good), USAGE, "--ca"),
        "no server": (lambda: agent.command("enrol", "--ca-sha256", server.pin, input=good), USAGE, "--server"),
        "a token as an argument": (lambda: agent.command(*enrol, "--token", "x"), USAGE, "--token"),
        "a file that is no root": (lambda: agent.command(*enrol[:3], "--ca", "/etc/hostname", input=good), USAGE, "PEM"),
        "no such file": (lambda: agent.command(*enrol[:3], "--ca", "/nowhere/root.pem", input=good), USAGE, "/nowhere/root.pem"),
        "an unknown command": (lambda: agent.command("enroll"), USAGE, "enroll"),
        "running without an identity": (lambda: agent.command("run"), NOT_ENROLLED, "not enrolled"),
        "status without an identity": (lambda: agent.command("status"), NOT_ENROLLED, "enrol first"),
    }


def test_it_says_why_it_is_refused(server, agents):
    agent, wrong = agents("stranger", server), []
    for what, (ask, code, sentence) in refusals(server, agent).items():
        done = ask()
        if done.returncode != code or sentence not in done.stderr:
            wrong.append((what, done.returncode, code, sentence, done.stderr))
        assert not (agent.folder / "certificate.pem").exists(), what
    assert not wrong, "\n".join(map(str, wrong))
    assert server.api.ask("GET", "/api/v1/devices/stranger").status == 404
    agent.enrol()
    again = agent.ask_to_enrol(server.api.make_token())
    assert again.returncode == REFUSED and "--new-key" in again.stderr, again


def test_a_wrong_pin_spends_no_token(server, agents):
    token = server.api.make_token(uses=1)
    agent = agents("careful", server)
    assert agent.ask_to_enrol(token, pin="f" * 64).returncode == REFUSED
    agent.enrol(token)


def test_a_root_in_a_file_and_a_token_in_a_file(server, agents, tmp_path):
    (tmp_path / "token").write_text(server.api.make_token() + "\n")
    agent = agents("filed", server)
    done = agent.command("enrol", "--server", server.url, "--ca", server.ca, "--id", "filed", "--token-file", tmp_path / "token")
    assert done.returncode == DONE, done


def test_the_host_name_is_the_id_that_nobody_chose(server, agents):
    done = agents("unnamed", server).command("enrol", "--server", server.url, "--ca-sha256", server.pin, input=server.api.make_token())
    assert done.returncode == DONE and f"Enrolled as {platform.node()} at" in done.stdout, done


def test_one_folder_has_one_agent(server, agents):
    agent = agents("single", server).enrol().start()
    agent.wait_connected()
    second = agent.command("run")
    assert second.returncode == FAILED and "another process" in second.stderr, second
    replaced = agent.ask_to_enrol(server.api.make_token(), "--new-key")
    assert replaced.returncode == FAILED and "an agent runs" in replaced.stderr, replaced


# -- what it reports

def meminfo_total():
    return int(re.search(r"MemTotal: +(\d+) kB", pathlib.Path("/proc/meminfo").read_text()).group(1)) * 1024


def test_it_reports_this_machine(server, agents):
    agent = agents("reporter", server).enrol().start()
    wait_until(lambda: len(series(server, "reporter", "cpu.load")) >= 3, "three measurements")
    values = wait_until(lambda: (now := latest(server, "reporter")) and "clock.offset" in now and now, "the clock's offset")
    uptime = float(pathlib.Path("/proc/uptime").read_text().split()[0])
    disk = os.statvfs(agent.folder)
    plausible = {
        "cpu.load": lambda v: 0 <= v <= 1,
        "cpu.load1": lambda v: 0 <= v < 10000,
        "memory.total": lambda v: v == meminfo_total(),
        "memory.used": lambda v: 0 < v < values["memory.total"],
        "memory.share": lambda v: abs(v - values["memory.used"] / values["memory.total"]) < 0.01,
        "disk.total": lambda v: v == disk.f_blocks * disk.f_frsize,
        "disk.used": lambda v: 0 < v < values["disk.total"],
        "disk.share": lambda v: 0 < v < 1,
        "net.rx": lambda v: v >= 0,
        "net.tx": lambda v: v >= 0,
        "uptime": lambda v: uptime - 60 < v <= uptime + 1,
        "clock.offset": lambda v: abs(v) < 5,
        "agent.spooled": lambda v: 0 <= v < 100,
        "agent.memory": lambda v: 1e6 < v < 1e8,
    }
    wrong = {name: values.get(name) for name, holds in plausible.items() if name not in values or not holds(values[name])}
    assert not wrong and set(values) <= {*plausible, "temperature"}, (wrong, values)


def test_it_reports_an_inventory(server, agents):
    agents("librarian", server).enrol().start()
    found = wait_until(lambda: (now := documents(server, "librarian")) and {"agent", "inventory"} <= set(now) and now, "the inventory")
    inventory = found["inventory"]
    assert inventory["kernel"] == {"release": platform.release(), "machine": platform.machine()}
    assert inventory["os"]["id"] == platform.freedesktop_os_release()["ID"]
    assert inventory["hardware"]["memory"] == meminfo_total() and inventory["hardware"]["cores"] >= 1
    listed = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n"], capture_output=True, text=True).stdout
    wanted = {tuple(line.split()[1:]) for line in listed.splitlines() if line.startswith("installed ")}
    packages = inventory.get("packages") or found["packages"]["packages"]
    assert {(one["name"], one["version"]) for one in packages} == wanted and wanted


def test_it_says_hello_and_good_bye(server, agents):
    agent = agents("polite", server).enrol().start()
    agent.wait_connected()
    status = wait_until(lambda: (now := agent.status()) and now.get("link") == "connected" and now, "the state to be written")
    assert status["id"] == "polite" and status["running"] and status["server"] == server.url and not status["expired"]
    assert agent.stop() == 0
    assert [event["kind"] for event in own_events(server, "polite")] == ["agent.started", "agent.stopped"]
    assert not agent.status()["running"]
    assert server.api.wait_event("device.disconnected", "polite")
    assert not server.api.get("/api/v1/devices/polite")["connected"]


def test_two_agents_of_one_machine_are_two_devices(server, agents):
    pair = [agents(name, server).enrol().start() for name in ("left", "right")]
    for agent in pair:
        wait_until(lambda: series(server, agent.name, "uptime"), f"measurements of {agent.name}")
    left, right = (server.api.get(f"/api/v1/devices/{agent.name}") for agent in pair)
    assert left["key"]["fingerprint"] != right["key"]["fingerprint"]
    assert left["connected"] and right["connected"]


# -- nothing is lost

def ms_of(rfc3339):
    return round(datetime.datetime.fromisoformat(rfc3339.replace("Z", "+00:00")).timestamp() * 1000)


def telemetry_of(agent):
    """{ms: values} of what waits in its spool."""
    return {ms_of(one.json["time"]): one.json for one in spool.read(agent.folder / "spool") if one.leaf == "telemetry"}


def assert_kept(server, agent, waited):
    """Each sample that waited is there, with each of its values."""
    for metric in ("uptime", "memory.used", "agent.spooled"):
        kept = dict(map(tuple, series(server, agent.name, metric)))
        lost = [at for at, values in waited.items() if kept.get(at) != values[metric]]
        assert not lost, f"{metric}: lost {lost[:5]}, {len(lost)} of {len(waited)}"


def assert_steady(server, agent):
    """Measured every second, so that a hole would be two seconds wide; a busy machine measures late, it leaves out nothing."""
    times = wait_until(lambda: len(now := series(server, agent.name, "uptime")) > 3 and [at for at, _ in now], "four measurements")
    holes = [(a, b) for a, b in zip(times, times[1:]) if b - a > 1900]
    assert not holes, (holes, len(times))
    return times


def wait_drained(agent):
    wait_until(lambda: not spool.read(agent.folder / "spool"), "an empty spool")


def test_what_it_measured_while_the_server_was_away_arrives(new_server, agents):
    server = new_server(**fixed_ports())
    server.make_account()
    agent = agents("patient", server).enrol().start()
    agent.wait_connected()
    place = len(agent.log)
    server.stop()
    agent.wait_log("link.lost", place)
    waited = wait_until(lambda: len(now := telemetry_of(agent)) >= 5 and now, "five measurements without a connection")
    place = len(agent.log)
    server.start()
    agent.wait_connected(place)
    wait_drained(agent)
    times = assert_steady(server, agent)
    assert agent.stop() == 0
    assert_kept(server, agent, waited)
    assert len(times) == len(set(times))
    kinds = [event["kind"] for event in own_events(server, "patient")]
    assert kinds == ["agent.started", "link.lost", "agent.stopped"], kinds
    assert 1 <= agent.log.count("not connected") <= 3, "what lasts is logged once for each reason"


class Witness:
    """Sees every message in the order in which the server takes it, through a session of the same device."""

    def __init__(self, server, agent):
        agent.certificate, agent.key = agent.folder / "certificate.pem", agent.folder / "key.pem"
        self.client = Client(tls_socket(server, agent))
        assert self.client.connect("witness").reason == 0
        assert self.client.subscribe(f"devices/{agent.name}/telemetry")[0] < 3

    def close(self):
        self.client.close()

    def number(self):
        """The next "number" that passes."""
        while True:
            packet = self.client.read()
            if packet.kind == PUBLISH and (number := json.loads(packet.payload).get("number")) is not None:
                return number

    def numbers(self, last):
        """Every "number" that passed, up to `last`."""
        seen = []
        while not seen or seen[-1] != last:
            seen.append(self.number())
        return seen

    def wait_for(self, least):
        """Until a "number" passes that is no less."""
        while self.number() < least:
            pass


def backlog(agent, count=BACKLOG):
    """So many numbered measurements of the hour before now, put into the spool."""
    now = int(os.stat(agent.folder).st_mtime * 1000) - HOUR_MS
    spool.fill(agent.folder / "spool", ((f"devices/{agent.name}/telemetry", json.dumps({"time": now + n, "number": n, "pad": "x" * 200}))
                                        for n in range(count)))
    return {now + n: n for n in range(count)}


def assert_backlog_arrived(server, agent, sent):
    kept = dict(map(tuple, series(server, agent.name, "number")))
    missing = sorted(set(sent) - set(kept))
    assert kept == sent, f"{len(missing)} missing, first {missing[:3]}; {len(kept)} of {len(sent)} kept"


def test_a_backlog_leaves_in_order_none_twice(server, agents):
    agent = agents("orderly", server).enrol()
    sent = backlog(agent, 500)
    witness = Witness(server, agent)
    agent.start()
    assert witness.numbers(499) == list(range(500))
    wait_drained(agent)
    assert_backlog_arrived(server, agent, sent)


def test_the_agent_is_killed_while_nobody_listens(new_server, agents):
    server = new_server(**fixed_ports())
    server.make_account()
    agent = agents("stubborn", server).enrol()
    server.stop()
    waited = {}
    for count in range(1, KILLS + 1):
        agent.start()
        wait_until(lambda: len(telemetry_of(agent)) >= 2 * count, "two more measurements")
        before = telemetry_of(agent)
        agent.kill()
        waited = telemetry_of(agent)
        assert before.items() <= waited.items(), "what was there before the kill is there after it"
    server.start()
    agent.start()
    agent.wait_connected()
    wait_drained(agent)
    assert_kept(server, agent, waited)
    assert [event["kind"] for event in own_events(server, "stubborn")].count("agent.started") == KILLS + 1


def test_the_agent_is_killed_while_it_sends(new_server, agents):
    server = new_server(**fixed_ports())
    server.make_account()
    agent = agents("hasty", server).enrol()
    sent = backlog(agent)
    for count in range(1, KILLS + 1):
        witness = Witness(server, agent)
        agent.start()
        witness.wait_for(count * BACKLOG // 10)
        agent.kill()
        assert spool.read(agent.folder / "spool"), "it was killed in the middle"
        witness.close()
    agent.start()
    wait_drained(agent)
    assert_backlog_arrived(server, agent, sent)


def test_the_server_is_killed_while_the_agent_sends(new_server, agents):
    server = new_server(**fixed_ports())
    server.make_account()
    agent = agents("faithful", server).enrol()
    sent = backlog(agent)
    witness, place = Witness(server, agent), len(agent.log)
    agent.start()
    for count in range(1, KILLS + 1):
        agent.wait_connected(place)
        witness.wait_for(count * BACKLOG // 10)
        place = len(agent.log)
        server.kill()
        agent.process.send_signal(signal.SIGSTOP)  # until the next witness is there, which would else miss what it sends
        assert spool.read(agent.folder / "spool"), "it was killed in the middle"
        witness.close()
        server.wait_ready()
        witness = Witness(server, agent)
        agent.process.send_signal(signal.SIGCONT)
    agent.wait_connected(place)
    witness.close()
    wait_drained(agent)
    assert_backlog_arrived(server, agent, sent)
    assert_steady(server, agent)


def test_a_full_spool_drops_the_oldest_and_says_how_many(new_server, agents):
    server = new_server(**fixed_ports())
    server.make_account()
    agent = agents("forgetful", server).enrol()
    sent = backlog(agent, 1000)                              # over 200 KB
    agent.start(spool_max="64KiB", inventory_packages="false")
    dropped = wait_until(lambda: own_events(server, "forgetful", "spool.dropped"), "the event spool.dropped")[0]["detail"]
    wait_drained(agent)
    kept = dict(map(tuple, series(server, "forgetful", "number")))
    assert sorted(kept.values()) == list(range(1000 - len(kept), 1000)), "the newest stayed, without a gap"
    assert 0 < len(kept) < 400
    assert dropped["overflowed"] == dropped["messages"] == 1000 - len(kept), (dropped, len(kept))
    assert set(kept) <= set(sent)


# -- refused by the server

def test_a_deleted_device_is_told_once_and_waits_long(server, agents):
    agent = agents("gone", server).enrol().start()
    agent.wait_connected()
    assert server.api.ask("DELETE", "/api/v1/devices/gone").status == 204
    agent.wait_log("the server refuses this device")
    waiting = len(telemetry_of(agent))
    wait_until(lambda: len(telemetry_of(agent)) >= waiting + 4, "it goes on measuring")
    assert agent.log.count("the server refuses this device") == 1 and agent.log.count('event="connected"') == 1
    refused = [event for event in server.api.events(kind="connection.refused") if event["device"] == "gone" or "gone" in str(event["detail"])]
    assert len(refused) <= 2, "it does not knock all the time"
    assert agent.stop() == 0
    again = agent.ask_to_enrol(server.api.make_token(), "--new-key")
    assert again.returncode == DONE, again
    place = len(agent.log)
    agent.start()
    agent.wait_connected(place)
    wait_drained(agent)
