# SPDX-License-Identifier: Apache-2.0
"""The simulated fleet against a real server: each profile does what it says, and the server takes it as it should."""
import json
import subprocess

import pytest

from harness.server import BUILD

SIM = BUILD / "holdfast-sim"
DEVICES = 12
MISCHIEFS = 15


def sim(*words, **options):
    return subprocess.run([str(word) for word in (SIM, *words)], capture_output=True, text=True, timeout=120, **options)


def enrol(server, folder, devices, token, prefix="sim-"):
    return sim("enrol", "--server", server.url, "--ca-sha256", server.pin, "--state", folder, "--devices", devices, "--prefix", prefix,
               input=token + "\n")


@pytest.fixture(scope="module")
def fleet(server, tmp_path_factory):
    """(server, state folder): a fleet that has enrolled."""
    folder = tmp_path_factory.mktemp("fleet") / "state"
    done = enrol(server, folder, DEVICES, server.api.make_token(uses=DEVICES))
    assert done.returncode == 0, done.stderr
    return server, folder


def run(fleet, *words, code=0):
    server, folder = fleet
    done = sim("run", "--mqtt", f"localhost:{server.mqtt_port}", "--state", folder, "--devices", DEVICES, "--json", *words)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_telemetry_comes_and_can_be_read(fleet):
    report = run(fleet, "--messages", 30, "--interval", 0.02, "--seconds", 60)
    assert report["messages"] == {"sent": 360, "acknowledged": 360, "refused": 0, "unanswered": 0}
    assert report["connects"] == DEVICES and report["lost"] == 0 and report["ack_us"]["count"] == 360
    for metric, low, high in (("temperature", 5, 40), ("humidity", 20, 90), ("battery", 3, 4.3)):
        points = fleet[0].api.get(f"/api/v1/devices/sim-3/series?metric={metric}&limit=100")["points"]
        assert len(points) == 30 and all(low < point[1] < high for point in points), points


def test_a_storm_loses_nothing_that_was_acknowledged(fleet):
    report = run(fleet, "--profile", "storm", "--storm", 0.5, "--messages", 20, "--interval", 0.1, "--seconds", 60, "--resume")
    assert report["messages"]["acknowledged"] == report["messages"]["sent"] == 20 * DEVICES
    assert report["connects"] > DEVICES and report["lost"] == 0 and not report["refusals"]


def test_slow_readers_hurt_nobody_else(fleet):
    report = run(fleet, "--profile", "slow:1,telemetry:1", "--messages", 20, "--interval", 0.05, "--seconds", 60)
    assert report["slow"]["sent"] > 0 and report["slow"]["read"] < report["slow"]["sent"]
    assert report["messages"]["acknowledged"] == report["messages"]["sent"] > 0


def test_every_mischief_ends_or_stays_without_service(new_server, tmp_path):
    server = new_server(limits_handshake="1s")
    server.make_account()
    assert enrol(server, tmp_path / "fleet", DEVICES, server.api.make_token(uses=DEVICES)).returncode == 0
    report = run((server, tmp_path / "fleet"), "--profile", "bad", "--messages", MISCHIEFS, "--interval", 0.01, "--patience", 20,
                 "--seconds", 100)
    assert len(report["mischief"]) == MISCHIEFS
    for name, counts in report["mischief"].items():
        assert counts["tried"] == DEVICES and counts["served"] == 0, (name, counts)
        assert counts["open"] == 0 or "flood" in name, (name, counts)


def test_an_idle_crowd_of_sessions_that_share_keys(fleet):
    report = run(fleet, "--profile", "idle", "--sessions-per-device", 5, "--seconds", 2, "--sources", 3)
    assert report["connects"] == 5 * DEVICES and report["lost"] == 0 and report["open"] == 0


def test_a_mute_crowd_stays_connected(fleet):
    assert run(fleet, "--profile", "idle", "--mute", "--seconds", 2)["lost"] == 0


def test_an_enrolled_fleet_keeps_its_keys(fleet):
    server, folder = fleet
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = enrol(server, folder, DEVICES, "a token that is not needed")
    assert again.returncode == 0 and f"{DEVICES} had a certificate" in again.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert all(path.stat().st_mode & 0o77 == 0 for path in folder.iterdir())


def test_a_cut_off_file_costs_only_what_was_cut_off(server, tmp_path):
    folder = tmp_path / "fleet"
    assert enrol(server, folder, 17, server.api.make_token(uses=17), "cut-").returncode == 0
    first = folder / "units.0"
    whole = first.read_bytes()
    first.write_bytes(whole[:-100])  # unit 16 is the second in it
    server.api.ask("DELETE", "/api/v1/devices/cut-16")
    done = enrol(server, folder, 17, server.api.make_token(uses=1), "cut-")
    assert done.returncode == 0 and "1 enrolled" in done.stderr, done.stderr
    assert first.read_bytes()[:len(whole) // 2] == whole[:len(whole) // 2]


def test_the_same_seed_gives_the_same_plan():
    words = ("plan", "--devices", 200, "--profile", "telemetry:8,bad:1,idle:1", "--arrive", 10)
    one, same, other = (sim(*words, "--seed", seed).stdout for seed in (7, 7, 8))
    assert one == same != other
    plans = [json.loads(line) for line in one.splitlines()]
    profiles = [plan["profile"] for plan in plans]
    assert len(plans) == 200 and 120 < profiles.count("telemetry") < 190 and profiles.count("bad") and profiles.count("idle")
    assert all(plan["start_ms"] < 10000 and all(800 <= wait <= 1200 for wait in plan["waits_ms"][1:]) for plan in plans)


@pytest.mark.parametrize("words, code", [
    ([], 2),
    (["run"], 2),
    (["run", "--state", "x", "--mqtt", "localhost:1", "--profile", "nice"], 2),
    (["run", "--state", "x", "--mqtt", "localhost:1", "--devices", "0"], 2),
    (["run", "--state", "/nowhere", "--mqtt", "localhost:1"], 3),
    (["enrol", "--state", "x", "--server", "https://localhost:1"], 2),
    (["--help"], 0),
])
def test_what_cannot_be_is_said(words, code):
    done = sim(*words, stdin=subprocess.DEVNULL)
    assert done.returncode == code, done
    assert done.stdout if not code else "holdfast-sim: " in done.stderr
