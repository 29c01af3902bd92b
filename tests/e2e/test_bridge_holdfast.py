# SPDX-License-Identifier: Apache-2.0
"""End to end: Holdfast, the bridge and a mosquitto in one row. The bridge is a device of Holdfast that was enrolled with the
agent, and that the server's setting policy.bridges names."""
import functools
import os
import random
import signal
import threading

import pytest

from harness import mqtt_client as mqtt
from harness.agent import Agent
from harness.bridge import MOSQUITTO, SESSION_EXPIRY, Authority, Bridge, Broker, Publisher, Subscriber
from harness.device import Device
from harness.patience import wait_until
from harness.server import free_port

pytestmark = pytest.mark.skipif(not MOSQUITTO.exists(), reason="mosquitto is not installed")

MAPPINGS = """
report: {interval: 1s}
mappings:
  - {direction: out, filter: "devices/+/telemetry/#", remote-prefix: "holdfast/"}
  - {direction: out, filter: "plant/#", remote-prefix: "holdfast/"}
  - {direction: in, filter: "orders/#"}
"""


class Row:
    def __init__(self, folder, new_server):
        self.server = new_server(http_port=free_port(), mqtt_port=free_port(), policy_bridges="bridge-1 speaker hearer",
                                 limits_device__rate=1000000, mqtt_queue__messages=65535, mqtt_queue__bytes="256MiB")
        self.server.make_account()
        agent = Agent(folder, "bridge-1", self.server).enrol()
        foreign = Authority(folder / "theirs")
        self.remote = Broker(folder / "remote", foreign).start()
        self.bridge = Bridge(agent.folder, f"local: {{port: {self.server.mqtt_port}}}\n"
                             f"remote: {{host: localhost, port: {self.remote.port}, ca: {foreign.pem}}}\n{MAPPINGS}").start()
        self.devices = {name: Device(folder / "devices", name, self.server).enrol() for name in ("speaker", "hearer", "pump-1")}
        self.bridge.wait_connected()

    def local(self, name, **options):
        return mqtt.client(self.server, self.devices[name], name, **options)

    def stop(self):
        self.bridge.end()
        self.remote.stop()


@pytest.fixture
def row(tmp_path, new_server):
    made = Row(tmp_path, new_server)
    yield made
    made.stop()


def next_message(client):
    while (packet := client.read()).kind != mqtt.PUBLISH:
        pass
    if packet.packet_id:
        client.send(mqtt.packet(mqtt.PUBACK, packet.packet_id.to_bytes(2, "big")))
    return packet


def test_telemetry_goes_out_and_orders_come_in(row):
    with row.remote.client("far") as far, row.local("hearer") as near:
        far.subscribe("holdfast/#", qos=1)
        near.subscribe("orders/#", qos=1)
        with row.local("pump-1") as pump:
            assert pump.publish("devices/pump-1/telemetry", '{"rpm": 900}', 1) in (0, 16)
        came = next_message(far)
        assert (came.topic, came.payload) == ("holdfast/devices/pump-1/telemetry", b'{"rpm": 900}')
        with row.remote.client("boss") as boss:
            assert boss.publish("orders/7", "go", 1) in (0, 16)
        came = next_message(near)
        assert (came.topic, came.payload) == ("orders/7", b"go")

    def forwarded():
        path = "/api/v1/devices/bridge-1/series?metric=bridge.out.forwarded&from=0&to=2100-01-01T00:00:00Z"
        return any(value >= 1 for _, value in row.server.api.get(path)["points"])

    wait_until(forwarded, "its figures are in Holdfast, as those of every device")


def test_another_devices_topics_are_not_the_bridges_to_publish(row):
    with row.remote.client("boss") as boss:
        assert boss.publish("orders/1", "fine", 1) in (0, 16)
    wait_until(lambda: row.bridge.status()["in"]["forwarded"] >= 1, "an order came in")
    row.bridge.end()
    assert row.bridge.status()["remote"]["why"] == "the bridge was stopped"
    place_in_log = len(row.bridge.log)
    row.bridge.config.write_text(row.bridge.config.read_text().replace('filter: "orders/#"', 'filter: "devices/#"'))
    row.bridge.start()
    row.bridge.wait_connected(place_in_log)
    wait_until(lambda: "devices" in (row.bridge.folder / "filters.remote").read_text(), "subscribed")
    with row.remote.client("boss") as boss:
        assert boss.publish("devices/pump-1/telemetry", "{}", 1) in (0, 16)
    wait_until(lambda: row.bridge.status()["in"]["dropped_because"]["refused"] == 1, "Holdfast refused it, and it is counted")


def keeps_sessions(row):
    """Is a session of a client that went away still there when the server was killed and came again?"""
    options = {"clean": False, "properties": SESSION_EXPIRY}
    row.local("hearer", **options).close()
    row.server.kill()
    row.server.wait_ready()
    with mqtt.Client(mqtt.tls_socket(row.server, row.devices["hearer"])) as again:
        return again.connect("hearer", **options).body[0] & 1


def test_each_of_the_three_is_killed_at_random(row):
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    print(f"SEED={seed}")
    dice = random.Random(seed)
    out, back = [f"plant/{n}" for n in range(3)], [f"orders/{n}" for n in range(3)]
    persistent = {"clean": False, "properties": SESSION_EXPIRY}
    if not keeps_sessions(row):
        pytest.skip("this server keeps no sessions over its own end, so that it loses what it has acknowledged")
    senders = [Publisher(functools.partial(row.local, "speaker"), out), Publisher(lambda: row.remote.client("boss"), back)]
    readers = [Subscriber(functools.partial(row.remote.client, "far", **persistent), ["holdfast/plant/#"]),
               Subscriber(functools.partial(row.local, "hearer", **persistent), ["orders/#"])]
    for one in readers:
        one.start()
        assert one.ready.wait(60), one.trouble
    for one in senders:
        one.start()

    def total():
        return sum(sum(sender.acknowledged.values()) for sender in senders)

    def pause():
        threading.Event().wait(dice.uniform(0.1, 1.0))

    def kill_bridge():
        row.bridge.end(signal.SIGKILL)
        pause()
        row.bridge.start()

    def kill_holdfast():
        row.server.kill()
        row.server.wait_ready()

    def kill_mosquitto():
        """At rest, for what it acknowledges is not on its disk: see kill_at_rest in test_bridge.py."""
        senders[1].resting = True
        wait_until(lambda: readers[1].has(senders[1].acknowledged), "what was published there came through")
        row.bridge.process.send_signal(signal.SIGSTOP)
        row.remote.wait_at_rest()
        row.remote.kill()
        row.bridge.process.send_signal(signal.SIGCONT)
        senders[1].resting = False
        pause()
        row.remote.start()

    for act in dice.sample([kill_bridge, kill_holdfast, kill_mosquitto] * 2, 6):
        pause()
        before = [dict(sender.acknowledged) for sender in senders]
        act()
        print(act.__name__, "from", before, "to", [sender.acknowledged for sender in senders])
        goal = total() + 50
        wait_until(lambda: total() >= goal, f"it goes on after {act.__name__}")
    for one in senders:
        one.end()
    counts = [{f"holdfast/{topic}": count for topic, count in senders[0].acknowledged.items()}, dict(senders[1].acknowledged)]
    try:
        wait_until(lambda: all(reader.has(count) for reader, count in zip(readers, counts)), "everything arrived")
    finally:
        print(row.bridge.log)
        for reader, count in zip(readers, counts):
            reader.end()
            reader.check(count)
