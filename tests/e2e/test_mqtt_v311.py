# SPDX-License-Identifier: Apache-2.0
"""MQTT 3.1.1 where it differs from 5.0; what both have in common is in test_mqtt_v5.py and test_mqtt_sessions.py. The clauses
are those of 3.1.1."""
import subprocess

import pytest

from harness.mqtt_codec import (AUTH, CONNACK, PINGREQ, PUBCOMP, PUBREC, PUBREL, SUBACK, ack_packet, connect_packet, packet,
                                publish_packet, subscribe_packet, unsubscribe_packet)
from harness.mqtt_peer import PATIENCE_S, unique

OLD = 4
WRONG_VERSION, ID_REJECTED, REFUSED = 1, 2, 0x80


def pair(broker, topic, qos=2):
    listener = broker.peer(version=OLD)
    assert listener.subscribe(topic, qos=qos) == [qos]
    return listener, broker.peer(version=OLD)


# -- the handshake

@pytest.mark.parametrize("name", ["a", "0123456789abcdefghijkLM", "x" * 24, "x" * 65535, "Ünïcødé 設備", "with/+#"])
def test_client_ids(broker, name):
    """3.1.3-4 to 3.1.3-6, 3.1.3-9: 23 letters and digits are always taken."""
    answer = broker.open(OLD).connect(name, reason=None)
    assert answer.reason == 0 or (answer.reason == ID_REJECTED and len(name) > 23)


def test_no_client_id(broker):
    """3.1.3-7, 3.1.3-8: with a clean session only"""
    assert broker.open(OLD).connect("").reason == 0
    one = broker.open(OLD)
    one.connect("", clean=False, reason=ID_REJECTED)
    assert one.farewell() is None


@pytest.mark.parametrize("level", [3, 6, 0x7F])
def test_other_levels(broker, level):
    """3.1.2-2: 0x01, or 0x84 in the form of 5.0 for a later one"""
    one = broker.open(OLD)
    one.send(connect_packet("x", OLD).replace(b"MQTT\4", b"MQTT" + bytes([level])))
    answer = one.wait_closed()[0]
    assert answer.kind == CONNACK and (answer.body == bytes([0, WRONG_VERSION]) or answer.body[:2] == b"\0\x84")


BAD_CONNECTS = {
    "the reserved flag": connect_packet("x", OLD).replace(b"MQTT\4\2", b"MQTT\4\3"),                           # 3.1.2-3
    "a will of QoS 3": connect_packet("x", OLD, will=("t", "p", 3)),                                           # 3.1.2-14
    "will retain without a will": connect_packet("x", OLD).replace(b"MQTT\4\2", b"MQTT\4\x22"),                # 3.1.2-15
    "a password alone": connect_packet("x", OLD, password="p"),                                                # 3.1.2-22
    "another protocol": connect_packet("x", OLD).replace(b"MQTT", b"MQTX"),                                    # 3.1.2-1
    "an id that is no UTF-8": connect_packet(b"\xff", OLD),                                                    # 1.5.3-1
    "NUL in the id": connect_packet(b"\0", OLD),                                                               # 1.5.3-2
    "a surrogate in the user name": connect_packet("x", OLD, username=b"\xed\xbf\xbf"),
}


@pytest.mark.parametrize("what", BAD_CONNECTS)
def test_a_bad_connect_ends_the_connection(broker, what):
    """3.1.4-1, 4.8.0-1"""
    one = broker.open(OLD)
    one.send(BAD_CONNECTS[what])
    assert all(answer.kind == CONNACK and answer.reason for answer in one.wait_closed())


BAD_PACKETS = {
    "a second CONNECT": connect_packet("x", OLD),                                                              # 3.1.0-2
    "AUTH": packet(AUTH),
    "QoS 3": publish_packet("a", "x", 1, OLD, qos=3),                                                          # 3.3.1-4
    "a wildcard in a topic": publish_packet("a/#", "x", version=OLD),                                          # 3.3.2-2
    "an empty topic": publish_packet("", "x", version=OLD),                                                    # 4.7.3-1
    "packet id 0": publish_packet("a", "x", 0, OLD, qos=1),                                                    # 2.3.1-1
    "reserved bits of a filter": subscribe_packet([("a", 4)], 1, OLD),                                         # 3.8.3-4
    "a filter of QoS 3": subscribe_packet([("a", 3)], 1, OLD),
    "no filter": subscribe_packet([], 1, OLD),                                                                 # 3.8.3-3
    "an empty filter": subscribe_packet([""], 1, OLD),                                                         # 4.7.3-1
    "no filter to leave": unsubscribe_packet([], 1, OLD),                                                      # 3.10.3-2
    "SUBSCRIBE with flags 0": packet(8, b"\0\1\0\1a\0"),                                                       # 3.8.1-1
    "PUBREL with flags 0": packet(PUBREL, b"\0\1"),                                                            # 3.6.1-1
    "a PUBACK of three bytes": packet(4, b"\0\1\0"),
    "a DISCONNECT with a body": packet(14, b"\0"),
    "a DISCONNECT with flags": packet(14, flags=1),                                                            # 3.14.1-1
    "a SUBACK": packet(SUBACK, b"\0\1\0"),
}


@pytest.mark.parametrize("what", BAD_PACKETS)
def test_a_bad_packet_ends_the_connection(broker, what):
    """4.8.0-1: without a word, for 3.1.1 has none"""
    one = broker.peer(version=OLD)
    one.send(BAD_PACKETS[what])
    assert one.wait_closed() == []


# -- messages

@pytest.mark.parametrize("qos", [0, 1, 2])
def test_both_versions_hear_each_other(broker, qos):
    """What 3.1.1 has no place for is left out."""
    topic = unique("mixed")
    old, new = broker.peer(version=OLD), broker.peer()
    old.subscribe(topic, qos=qos)
    new.subscribe(topic, qos=qos, subscription_id=3)
    new.publish(topic, "new", qos, user=("a", "b"), content_type="t")
    first = new.receive()
    assert old.payloads(1) == [b"new"]  # two publishers have no order between them (4.6): one after the other
    old.publish(topic, "old", qos)
    second = new.receive()
    assert old.payloads(1) == [b"old"]
    assert first.all("user") == [("a", "b")] and first.all("subscription_id") == [3]
    assert second.payload == b"old" and set(second.properties) <= {"subscription_id"}


def test_the_flow_of_qos_2(broker):
    """4.3.3"""
    topic = unique("flow")
    listener, speaker = pair(broker, topic)
    speaker.put(topic, "x", 2, packet_id=9)
    assert speaker.expect(PUBREC).body == b"\0\x09"
    speaker.put(topic, "x", 2, packet_id=9, dup=True)
    assert speaker.expect(PUBREC).body == b"\0\x09"
    assert speaker.release(9) == 0 and speaker.release(9) == 0
    assert listener.payloads(1) == [b"x"] and not listener.drained()


def test_a_packet_id_may_be_used_by_both_sides(broker):
    """2.3.1"""
    topic = unique("ids")
    one = broker.peer(version=OLD)
    one.subscribe(topic, qos=2)
    one.put(topic, "mine", 2, packet_id=1)
    one.take_ack(PUBREC, 1)
    one.send(ack_packet(PUBREL, 1))
    assert one.receive().payload == b"mine"
    one.take_ack(PUBCOMP, 1)


def test_overlapping_subscriptions(broker):
    """3.3.5-1: at least once with the highest QoS"""
    topic = unique("over")
    listener, speaker = pair(broker, topic + "/+", 2)
    listener.subscribe(topic + "/#", qos=0)
    speaker.publish(topic + "/a", "x", 2)
    speaker.publish(topic + "/end", "end", 2)
    came = []
    while not came or came[-1].payload != b"end":
        came.append(listener.receive())
    assert max(one.qos for one in came if one.payload == b"x") == 2


def test_retained_messages(broker):
    """3.3.1-5 to 3.3.1-12"""
    topic = unique("kept")
    listener, speaker = pair(broker, topic, 1)
    speaker.publish(topic, "live", 1, retain=True)
    assert listener.receive().retain == 0
    listener.subscribe(topic, qos=1)
    again = listener.receive()
    assert (again.payload, again.retain) == (b"live", 1)
    speaker.publish(topic, "", 1, retain=True)
    assert listener.receive().payload == b""
    late = broker.peer(version=OLD)
    late.subscribe(topic, qos=1)
    assert not late.drained()


def test_leaving(broker):
    """3.10.4-1 to 3.10.4-5"""
    topic = unique("leave")
    listener, speaker = pair(broker, topic)
    assert listener.unsubscribe(topic, topic + "/none") == []
    speaker.publish(topic, "x", 2)
    assert not listener.drained()


def test_a_keep_alive_that_is_not_kept(broker):
    """3.1.2-24"""
    one = broker.peer(version=OLD, keep_alive=1)
    assert one.wait_closed() == []


def test_pings(broker):
    """3.12.4-1"""
    one = broker.peer(version=OLD)
    one.send(packet(PINGREQ) * 50)
    for _ in range(50):
        one.expect(13)


# -- mosquitto's clients

@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mosquittos_clients(broker, version, qos):
    host, port = broker.address
    topic = unique("mosquitto")
    listener = broker.peer()
    listener.subscribe(topic, qos=qos)
    common = ["-h", host, "-p", str(port), "-V", version, "-q", str(qos), "-t", topic]
    subprocess.run(["mosquitto_pub", *common, "-m", "one"], check=True, timeout=PATIENCE_S)
    assert listener.receive().payload == b"one"
    broker.peer().publish(topic, "kept", 1, retain=True)
    heard = subprocess.run(["mosquitto_sub", *common, "-C", "1", "-F", "%q %r %p"], check=True, timeout=PATIENCE_S,
                           capture_output=True, text=True)
    assert heard.stdout == f"{min(qos, 1)} 1 kept\n"
    broker.peer().publish(topic, "", 1, retain=True)
