# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged is there: after kill -9, on a full disk, after an orderly stop under load."""
import os
import random
import signal
import sqlite3
import subprocess
import time

import pytest

from harness.device import Device
from harness.mqtt_client import DISCONNECT, PUBACK, Client, client, publish_packet, tls_socket
from harness.server import Server

KILLS = 20
WINDOW = 200      # publishes that may wait for their PUBACK
BURST = 4000      # publishes in one piece, which 3.1.1 allows: far more than the server works on at once
PUBACK_SIZE = 4
SHUTTING_DOWN, SUCCESS = 0x8B, 0
PAGE = 10000


class Load:
    """Numbered samples, each at a time of its own, sent in a window; knows which numbers were acknowledged."""

    def __init__(self, device, version=5, padding=0):
        self.device, self.server, self.version = device, device.server, version
        self.start_ms = int(time.time() * 1000) - 3600_000
        self.padding = "x" * padding
        self.next, self.acknowledged, self.refused, self.waiting = 0, [], [], {}
        self.client = self.farewell = None

    def connect(self):
        self.waiting, self.farewell, self.client = {}, None, client(self.server, self.device, "load", self.version)

    def send(self, count=1):
        """So many at once, so that the server is still at work on them when this returns."""
        packets = []
        for number in range(self.next, self.next + count):
            packet_id = number % 65535 + 1
            pad = f',"pad":"{self.padding}"' if self.padding else ""
            payload = f'{{"time":{self.start_ms + number},"number":{number}{pad}}}'
            self.waiting[packet_id] = number
            packets.append(publish_packet(f"devices/{self.device.name}/telemetry", payload, packet_id, self.version))
        self.next += count
        self.client.send(b"".join(packets))

    def take(self):
        """One answer."""
        answer = self.client.read()
        if answer.kind == DISCONNECT:
            self.farewell = answer.reason
            raise ConnectionError("the server said good-bye")
        assert answer.kind == PUBACK, answer
        number = self.waiting.pop(answer.packet_id)
        (self.acknowledged if answer.reason == SUCCESS else self.refused).append(number)

    def wait_for_answers(self, count):
        """Until so many came, without a look at them: that takes longer than the server needs for the rest."""
        self.client.need(count * PUBACK_SIZE)

    def take_all_that_came(self):
        """After the connection broke: acknowledgements may still lie in our own buffers."""
        try:
            while self.farewell is None:
                self.take()
        except ConnectionError:
            pass
        self.client.close()

    def run(self, count):
        """Sends and takes until so many more were sent."""
        until = self.next + count
        while self.next < until:
            while len(self.waiting) >= WINDOW or self.client.whole_packet_waits():
                self.take()
            self.send(min(WINDOW - len(self.waiting), until - self.next))

    def settle(self):
        while self.waiting:
            self.take()

    def check(self):
        """Every acknowledged number is kept with its value, and nothing is kept that was not sent."""
        kept, begin = {}, self.start_ms
        while begin is not None:
            page = self.server.api.get(f"/api/v1/devices/{self.device.name}/series?metric=number&from={begin}"
                                       f"&to={self.start_ms + self.next}&limit={PAGE}")
            kept.update(page["points"])
            begin = page["next"]
        lost = [number for number in self.acknowledged if self.start_ms + number not in kept]
        wrong = {at: value for at, value in kept.items() if value != at - self.start_ms or not 0 <= value < self.next}
        assert not lost, f"acknowledged and lost: {lost[:10]} of {len(lost)}"
        assert not wrong, f"corrupt: {list(wrong.items())[:10]} of {len(wrong)}"
        return len(kept)


def database(server):
    return next((server.data / "server").glob("*.db"))


def assert_database_is_whole(server):
    found = sqlite3.connect(database(server)).execute("pragma integrity_check").fetchall()
    assert found == [("ok",)], found


@pytest.fixture
def random_seed():
    seed = int(os.environ.get("HOLDFAST_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"HOLDFAST_SEED={seed}")
    return random.Random(seed)


def test_killed_at_random_moments_it_keeps_what_it_acknowledged(new_server, tmp_path, random_seed):
    server = new_server(limits_device__rate=1000000)
    server.make_account()
    load = Load(Device(tmp_path, "kept", server).enrol(), version=4)
    at_work = 0
    for _ in range(KILLS):
        load.connect()
        pid = server.process()
        load.send(BURST)
        load.wait_for_answers(random_seed.randint(0, BURST // 2))
        os.kill(pid, signal.SIGKILL)
        load.take_all_that_came()
        at_work += bool(load.waiting)
        server.wait_ready()
    load.connect()
    load.run(200)
    load.settle()
    kept = load.check()
    print(f"{load.next} sent, {len(load.acknowledged)} acknowledged, {kept} kept, {at_work} of {KILLS} times killed at work")
    assert at_work > KILLS // 2, "it was at rest when it was killed"
    server.stop()
    assert_database_is_whole(server)


def test_a_killed_keeper_is_no_loss(new_server, tmp_path):
    server = new_server()
    server.make_account()
    load = Load(Device(tmp_path, "kept", server).enrol())
    load.connect()
    load.run(100)
    load.settle()
    server.kill("keeper")
    server.wait_ready()
    load.check()
    Device(tmp_path, "later", server).enrol()


@pytest.mark.parametrize("version", [4, 5])
def test_stopped_under_load_it_keeps_what_it_acknowledged(new_server, tmp_path, version):
    server = new_server(limits_device__rate=1000000)
    server.make_account()
    load = Load(Device(tmp_path, "kept", server).enrol(), version)
    load.connect()
    load.run(1000)
    server.launcher.terminate()
    try:
        while True:
            load.run(1)
    except ConnectionError:
        load.take_all_that_came()
    assert load.farewell == (SHUTTING_DOWN if version == 5 else None)
    assert server.launcher.wait(timeout=30) == 0
    assert_database_is_whole(server)
    server.start()
    assert load.check() >= len(load.acknowledged) >= 1000 - WINDOW
    kinds = [event["kind"] for event in server.api.events()]
    assert kinds.count("server.stopped") == 1 and kinds.count("server.started") == 2, kinds


# -- a full disk

@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0755", "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this place may not mount a small filesystem: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(path):
    """Takes all the room that is left."""
    with open(path, "wb", buffering=0) as ballast:
        size = 1 << 20
        while size:
            try:
                ballast.write(b"\0" * size)
            except OSError:
                size //= 2


def send_until_refused(load):
    """True when the server said no or closed."""
    refused = len(load.refused)
    try:
        while len(load.refused) == refused:
            load.run(WINDOW)
            load.settle()
    except ConnectionError:
        load.take_all_that_came()
    load.settle() if load.version == 5 else None
    return len(load.refused) > refused


def test_a_full_disk_acknowledges_nothing_and_recovers(small_disk, tmp_path):
    with Server(tmp_path / "server", data=small_disk / "data", limits_device__rate=1000000) as server:
        server.data = small_disk / "data"
        server.make_account()
        new, old = Load(Device(tmp_path, "new", server).enrol()), Load(Device(tmp_path, "old", server).enrol(), 4)
        for load in (new, old):
            load.connect()
            load.run(500)
            load.settle()
        pid = server.process()
        ballast = small_disk / "ballast"
        fill(ballast)
        new.padding = old.padding = "y" * 500
        assert send_until_refused(new), "5.0 gets a reason"
        assert not send_until_refused(old), "3.1.1 is closed"
        ready = server.api.ask("GET", "/readyz")
        assert ready.status == 503 and "room" in ready.json["detail"], ready
        health = server.api.get("/api/v1/health")
        assert health["status"] == "degraded" and health["store"]["status"] == "full", health
        assert new.check() >= len(new.acknowledged), "what is there can still be read"
        ballast.unlink()
        server.api.wait_event("store.recovered")
        assert server.api.ask("GET", "/readyz").status == 200
        old.connect()
        for load in (new, old):
            accepted = len(load.acknowledged)
            load.run(500)
            load.settle()
            assert len(load.acknowledged) == accepted + 500, "service resumed"
            load.check()
        assert server.process() == pid, "without a restart"
        kinds = [event["kind"] for event in reversed(server.api.events()) if event["kind"].startswith("store.")]
        assert kinds == ["store.full", "store.recovered"], kinds
        assert server.api.get("/api/v1/health")["store"]["status"] == "ok"
        server.stop()
        assert_database_is_whole(server)
