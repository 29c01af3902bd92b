# SPDX-License-Identifier: Apache-2.0
"""Clients that ask for all there is: packet ids, subscriptions, properties, levels. The server answers or lets them go, and
serves the others. (Floods, slow and silent peers: test_connections.py.)"""
import json
import subprocess

import pytest

from harness.mqtt_codec import DISCONNECT, PUBACK, PUBREC, SUBACK, publish_packet, subscribe_packet
from harness.mqtt_peer import PATIENCE_S, unique
from harness.server import TOP

QUOTA_EXCEEDED = 0x97
ALL_IDS = 65535


def test_all_packet_ids_one_after_the_other(broker):
    """2.2.1: an id is free again with its answer."""
    one = broker.peer()
    for start in range(1, ALL_IDS + 1, 128):
        ids = range(start, min(start + 128, ALL_IDS + 1))
        one.send(b"".join(publish_packet("ids", "", number) for number in ids))
        assert [one.take(PUBACK).packet_id for _ in ids] == list(ids)


def test_all_packet_ids_of_qos_2_at_once(broker):
    """As many as the server takes are on their way; over a reconnect none is forgotten."""
    name = unique()
    one = broker.peer(name, session_expiry=60)
    most = min(one.connack.properties.get("receive_maximum", ALL_IDS), ALL_IDS)
    one.send(b"".join(publish_packet("ids", "", number, qos=2) for number in range(1, most + 1)))
    assert {one.take(PUBREC).packet_id for _ in range(most)} == set(range(1, most + 1))
    one.close()
    again = broker.peer(name, clean=False)
    assert [again.release(number) for number in range(most, 0, -1)] == [0] * most


def test_as_many_unacknowledged_as_a_client_takes(broker):
    """What a client does not acknowledge is kept for it within its queue, and no more; others go on."""
    greedy, speaker, topic = broker.peer(receive_maximum=ALL_IDS), broker.peer(), unique("greedy")
    greedy.subscribe(topic, qos=1)
    modest = broker.peer()
    modest.subscribe(topic, qos=1)
    for start in range(0, 3000, 100):
        speaker.send(b"".join(publish_packet(topic, str(number), number % 100 + 1) for number in range(start, start + 100)))
        for _ in range(100):
            speaker.take(PUBACK)
        modest.payloads(100)
    came = [one for one in greedy.drained() if one.topic == topic]
    assert len({one.packet_id for one in came}) == len(came) > 0


def test_a_hundred_thousand_subscriptions_of_one_client(broker):
    """3.9.3: over its limit a client hears 0x97; what it has goes on."""
    one, topic, granted, refused = broker.peer(), unique("hoard"), 0, 0
    for start in range(0, 100000, 1000):
        one.send(subscribe_packet([f"{topic}/{number}" for number in range(start, start + 1000)], 1))
        reasons = one.take(SUBACK).reasons
        granted, refused = granted + reasons.count(0), refused + reasons.count(QUOTA_EXCEEDED)
    assert granted + refused == 100000
    broker.peer().publish(topic + "/0", "x", 1)
    assert one.receive().payload == b"x"


def test_wildcards_over_wildcards(broker):
    """Filters that match the same in many ways cost no more than they must."""
    one, topic = broker.peer(), unique("w")
    filters = [topic + "/" + "/".join("+" if number >> level & 1 else "a" for level in range(7)) for number in range(128)]
    filters += [topic + "/" + "a/" * depth + "#" for depth in range(8)]
    assert set(one.subscribe(*filters, qos=0)) == {0}
    speaker = broker.peer()
    for _ in range(20):
        speaker.publish(topic + "/a" * 7, "x", 1)
    assert one.receive().payload == b"x"


def test_as_many_user_properties_as_fit(broker):
    one, speaker, topic = broker.peer(), broker.peer(), unique("props")
    one.subscribe(topic, qos=1)
    many = [(str(number), "") for number in range(5000)]
    speaker.publish(topic, "x", 1, user=many)
    assert one.receive().all("user") == many


def test_a_connect_of_properties(broker):
    one = broker.open()
    one.connect(unique(), user=[("n", "v" * 1000)] * 200, reason=None)


def test_many_good_byes(broker):
    for _ in range(300):
        one = broker.open()
        one.connect("same")
        one.send(bytes([DISCONNECT << 4, 0]))
        one.close()
    broker.peer().ping()


# -- mqtt.js, a client from elsewhere

MQTT_JS = TOP / "tests" / "conformance" / "mqtt_js"
SAYS = """
const [url, version, topic] = process.argv.slice(2)
const mqtt = (await import('mqtt')).default
const client = await mqtt.connectAsync(url, { protocolVersion: Number(version), clientId: topic, clean: false,
  properties: version === '5' ? { sessionExpiryInterval: 60 } : undefined })
const heard = []
client.on('message', (name, payload, packet) => heard.push([payload.toString(), packet.qos, packet.retain]))
await client.subscribeAsync(topic + '/#', { qos: 2 })
for (const qos of [0, 1, 2]) await client.publishAsync(topic + '/' + qos, 'm' + qos, { qos })
await client.publishAsync(topic + '/kept', 'kept', { qos: 1, retain: true })
while (heard.length < 4) await new Promise(done => client.once('message', done))
await client.unsubscribeAsync(topic + '/#')
await client.publishAsync(topic + '/kept', '', { qos: 1, retain: true })
await client.endAsync()
console.log(JSON.stringify(heard))
"""


@pytest.mark.skipif(not (MQTT_JS / "node_modules" / "mqtt").exists(), reason="npm ci --prefix tests/conformance/mqtt_js was not run")
@pytest.mark.parametrize("version", [4, 5])
def test_mqtt_js(broker, version):
    script = MQTT_JS / "node_modules" / f"says-{version}.mjs"
    script.write_text(SAYS, encoding="utf-8")
    host, port = broker.address
    done = subprocess.run(["node", script, f"mqtt://{host}:{port}", str(version), unique("js")], capture_output=True, text=True,
                          timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["m0", 0, False], ["m1", 1, False], ["m2", 2, False], ["kept", 1, False]]
