# SPDX-License-Identifier: Apache-2.0
"""MQTT 5.0 as a client sees it that says exactly what a test wants: handshake, messages and their properties, errors. The
clauses are those of the standard. Sessions are in test_mqtt_sessions.py, subscriptions in test_mqtt_subscriptions.py."""
import struct

import pytest

from harness.mqtt_codec import (AUTH, CONNACK, CONNECT, PINGREQ, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, ack_packet,
                                connect_packet, ending_packet, packet, publish_packet, subscribe_packet, text, variable)
from harness.mqtt_peer import unique

MALFORMED, PROTOCOL_ERROR, NOT_VALID_ID, BAD_METHOD = 0x81, 0x82, 0x85, 0x8C
KEEP_ALIVE_TIMEOUT, TOPIC_INVALID, ID_NOT_FOUND, RECEIVE_MAXIMUM_EXCEEDED = 0x8D, 0x90, 0x92, 0x93
ALIAS_INVALID, TOO_LARGE, NO_SUBSCRIBERS = 0x94, 0x95, 0x10
MANY = 1024


def pair(broker, topic, qos=2, **how):
    """A subscriber of the topic and a publisher."""
    listener = broker.peer(**how)
    assert listener.subscribe(topic, qos=qos) == [qos]
    return listener, broker.peer()


# -- the handshake

def test_a_client_without_an_id_is_given_one(broker):
    """3.1.3-6, 3.1.3-7, 3.2.2-16"""
    given = {broker.peer("", clean=clean).connack.properties["assigned_client_id"] for clean in (True, False, True)}
    assert len(given) == 3 and all(given)
    assert "assigned_client_id" not in broker.peer(unique()).connack.properties


@pytest.mark.parametrize("name", ["a", "0123456789abcdefghijkLM", "Z" * 23, "Ünïcødé-Ω-設備-\U0001F980", "with spaces/and+signs#",
                                  "\ufeffmark", "x" * 1000])
def test_client_ids(broker, name):
    """3.1.3-5, 1.5.4-3: the longer ones a server may refuse, and then by 0x85."""
    answer = broker.open().connect(name, reason=None)
    assert answer.reason == 0 or (answer.reason == NOT_VALID_ID and len(name.encode()) > 23)


def test_the_longest_client_id_is_taken_or_refused(broker):
    one = broker.open()
    assert one.connect("x" * 65535, reason=None).reason in (0, NOT_VALID_ID)


def test_what_the_server_cannot_do_is_said(broker):
    """3.2.2.3: what it does not say it can do."""
    said = broker.peer().connack.properties
    assert said.get("maximum_qos", 2) == 2
    for name in ("retain_available", "wildcard_available", "subscription_id_available", "shared_available"):
        assert said.get(name, 1) == 1, name
    assert said.get("receive_maximum", 1) > 0 and said.get("maximum_packet_size", 1) > 0
    assert "response_information" not in said  # 3.1.2-28


@pytest.mark.parametrize("wanted", [{"authentication_method": "SCRAM-SHA-1"},
                                    {"authentication_method": "x", "authentication_data": b"\0\1"}])
def test_an_unknown_authentication_is_refused(broker, wanted):
    """4.12-1"""
    broker.open().connect(unique(), reason=BAD_METHOD, **wanted)


def test_nothing_behind_a_refused_connect_counts(broker):
    """3.1.4-6: it came in one piece with what was refused."""
    topic = unique("behind")
    listener = broker.peer()
    listener.subscribe(topic, qos=1)
    one = broker.open()
    one.send(connect_packet("x", properties=b"\x15\0\1m") + publish_packet(topic, "no", 1))
    assert [came.kind for came in one.wait_closed()] == [CONNACK]
    broker.peer().publish(topic, "sign", 1)
    assert listener.receive().payload == b"sign"


def test_a_refusal_fits_into_the_clients_maximum(broker):
    """3.2.2-19, 3.14.2-3, 3.1.2-24: without a reason string, or not at all"""
    for most in (5, 10, 20, 30):
        one = broker.open()
        one.send(connect_packet("x", properties=b"\x15\0\1m\x27" + struct.pack("!I", most)))
        assert all(len(came.body) + 2 <= most for came in one.wait_closed())
    one = broker.peer(maximum_packet_size=26)
    one.send(packet(PINGREQ, flags=1))
    assert all(len(came.body) + 2 <= 26 for came in one.wait_closed())


def test_no_reason_string_for_who_does_not_want_one(broker):
    """3.1.2-29: in CONNACK, DISCONNECT and PUBLISH only."""
    one = broker.peer(request_problem=0)
    one.send(subscribe_packet(["devices/#", "ok"], 9))
    answer = one.take(SUBACK)
    assert not answer.listed
    number = one.put("devices/x/telemetry", "{}", 1)
    refused = one.read()
    assert refused.kind == PUBACK and refused.packet_id == number and not refused.listed


def test_a_keep_alive_that_is_not_kept(broker):
    """3.1.2-22"""
    one = broker.peer(keep_alive=1)
    one.ping()
    assert one.farewell() in (KEEP_ALIVE_TIMEOUT, None)


def test_pings_keep_a_client_alive(broker):
    one = broker.peer(keep_alive=1)
    for _ in range(200):
        one.ping()


# -- messages

@pytest.mark.parametrize("subscribed", [0, 1, 2])
@pytest.mark.parametrize("published", [0, 1, 2])
def test_the_lower_qos_counts(broker, published, subscribed):
    """3.8.4-8"""
    topic = unique("qos")
    listener, speaker = pair(broker, topic, subscribed)
    assert speaker.publish(topic, "hello", published) in (None, 0)
    message = listener.receive()
    assert (message.qos, message.payload, message.retain, message.dup) == (min(published, subscribed), b"hello", 0, 0)


EVERYTHING = {"payload_format": 1, "content_type": "text/plain", "response_topic": "answer/here", "correlation_data": b"\0\xff\1",
              "user": [("b", "2"), ("a", "1"), ("b", "2"), ("", ""), ("Ω", "")]}


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_properties_of_a_message_pass_unchanged_and_in_order(broker, qos):
    """3.3.2-4, 3.3.2-15, 3.3.2-16, 3.3.2-17, 3.3.2-18, 3.3.2-20"""
    topic = unique("all")
    listener, speaker = pair(broker, topic)
    speaker.publish(topic, "ä", qos, **EVERYTHING)
    message = listener.receive()
    assert {name: value for name, value in message.properties.items() if name != "user"} == {
        name: value for name, value in EVERYTHING.items() if name != "user"}
    assert message.all("user") == EVERYTHING["user"]


@pytest.mark.parametrize("payload", [b"", b"\0", bytes(range(256)), b"x" * 200000], ids=["none", "nul", "all", "large"])
def test_payloads_of_all_kinds(broker, payload):
    topic = unique("payload")
    listener, speaker = pair(broker, topic)
    speaker.publish(topic, payload, 1)
    assert listener.receive().payload == payload


def test_messages_of_one_publisher_keep_their_order(broker):
    """4.6-5, 4.6-6"""
    topic = unique("order")
    for qos in (0, 1, 2):
        listener, speaker = pair(broker, topic, qos, receive_maximum=5)
        for number in range(100):
            speaker.put(topic, str(number), qos)
            if qos == 2:
                speaker.release(speaker.take(PUBREC).packet_id)
        assert listener.payloads(100) == [b"%d" % number for number in range(100)]


def test_qos_2_a_packet_that_comes_again_is_one_message(broker):
    """4.3.3-10, 4.3.3-12: until PUBREL it is the same message; then the id is free."""
    topic = unique("again")
    listener, speaker = pair(broker, topic)
    for _ in range(3):
        speaker.put(topic, "one", 2, packet_id=7, dup=_ > 0)
        assert speaker.take_ack(PUBREC, 7).reason in (0, NO_SUBSCRIBERS)
    assert speaker.release(7) == 0
    speaker.publish(topic, "two", 2, packet_id=7)
    assert listener.payloads(2) == [b"one", b"two"]


def test_qos_2_release_of_what_nobody_knows(broker):
    """4.3.3-11; 2.4: 0x92 says that there is no such id."""
    one = broker.peer()
    assert one.release(4711) in (0, ID_NOT_FOUND)
    one.acknowledge(PUBREC, 4711)
    answer = one.take_ack(PUBREL, 4711)
    assert answer.reason in (0, ID_NOT_FOUND)
    one.acknowledge(PUBCOMP, 4711)
    one.acknowledge(PUBACK, 4712)
    one.ping()


def test_a_refusal_of_what_nobody_knows_is_not_answered(broker):
    """4.3.3-4: PUBREL answers a PUBREC that is no refusal."""
    one = broker.peer()
    one.acknowledge(PUBREC, 4711, 0x80)
    one.ping()
    assert not one.kept


def test_qos_2_after_a_refusal_the_id_is_free(broker):
    """4.3.3-9: what follows under the id is another message."""
    one, topic = broker.peer(), unique("free")
    one.put("devices/somebody/telemetry", "{}", 2, packet_id=3)
    assert one.take_ack(PUBREC, 3).reason in (0x87, 0, NO_SUBSCRIBERS)
    listener = broker.peer()
    listener.subscribe(topic, qos=2)
    assert one.release(3) in (0, ID_NOT_FOUND)
    assert one.publish(topic, "good", 2, packet_id=3) == 0
    assert listener.receive().payload == b"good"


def test_qos_2_a_receiver_may_refuse(broker):
    """4.3.3-3, 4.3.3: a PUBREC of 0x80 and above ends the flow, and its place is free."""
    topic = unique("refuse")
    listener, speaker = pair(broker, topic, receive_maximum=1)
    for number in range(3):
        speaker.publish(topic, str(number), 2)
        message = listener.receive(acknowledge=False)
        assert message.payload == b"%d" % number
        listener.acknowledge(PUBREC, message.packet_id, 0x83)
    assert not listener.drained()


@pytest.mark.parametrize("qos", [1, 2])
def test_the_clients_receive_maximum_holds(broker, qos):
    """3.3.4-9: no more than so many are on their way. QoS 0 may go on or wait as well (4.9.0-2)."""
    topic = unique("window")
    listener, speaker = pair(broker, topic, qos, receive_maximum=3)
    for number in range(10):
        speaker.publish(topic, str(number), qos)
    speaker.publish(topic, "quick", 0)
    first = [listener.receive(acknowledge=False) for _ in range(3)]
    first += listener.drained()
    assert [one.payload for one in first if one.qos] == [b"0", b"1", b"2"]
    listener.acknowledge(PUBACK if qos == 1 else PUBREC, first[0].packet_id)
    if qos == 2:  # the place is free with PUBCOMP, not before (4.9)
        listener.take_ack(PUBREL, first[0].packet_id)
        assert not listener.drained()
        listener.acknowledge(PUBCOMP, first[0].packet_id)
    assert [one.payload for one in [listener.receive(acknowledge=False), *listener.drained()] if one.qos] == [b"3"]


def test_the_servers_receive_maximum_holds(broker):
    """3.3.4-8"""
    one = broker.peer()
    most = one.connack.properties.get("receive_maximum", 65535)
    if most > MANY:
        pytest.skip(f"the server takes {most}")
    topic = unique("much")
    for number in range(most):
        one.put(topic, "x", 2, packet_id=number + 1)
    for _ in range(most):
        assert one.take(PUBREC).reason < 0x80
    one.put(topic, "x", 2, packet_id=most + 1)
    assert one.farewell() == RECEIVE_MAXIMUM_EXCEEDED


def test_a_packet_id_in_use_is_no_place_more(broker):
    """A resent PUBLISH of QoS 2 is no further one on its way."""
    one = broker.peer()
    for _ in range(one.connack.properties.get("receive_maximum", 100) + 20 if one.connack.properties.get(
            "receive_maximum", 0) < MANY else 100):
        one.put("same/id", "x", 2, packet_id=1)
        assert one.take_ack(PUBREC, 1).reason < 0x80
    assert one.release(1) == 0


# -- sizes

def test_a_message_over_the_clients_maximum_does_not_come(broker):
    """3.1.2-24, 3.1.2-25: it is thrown away as if it had been sent."""
    topic = unique("size")
    listener, speaker = pair(broker, topic, maximum_packet_size=200, receive_maximum=2)
    for size in (10, 500, 1000, 500, 700, 20):
        speaker.publish(topic, "x" * size, 1)
    assert [len(one) for one in listener.payloads(2)] == [10, 20]
    assert not listener.drained()


def test_user_properties_that_make_a_packet_too_large_are_left_out(broker):
    """3.4.2-2 and its like: an answer within the maximum, with less in it."""
    one = broker.peer(maximum_packet_size=20)
    assert one.subscribe("devices/#", "a") in ([0x87, 0], [0, 0])


def test_a_packet_over_the_servers_maximum(broker):
    """3.2.2-15"""
    one = broker.peer()
    most = one.connack.properties.get("maximum_packet_size")
    if not most:
        pytest.skip("the server has no maximum")
    one.send(bytes([PUBLISH << 4]) + variable(most) + text("a"))
    assert one.farewell() == TOO_LARGE


# -- topic aliases

def test_the_clients_aliases(broker):
    """3.3.2-12: set, used, set anew."""
    listener, speaker = pair(broker, "alias/#")
    if speaker.connack.properties.get("topic_alias_maximum", 0) < 2:
        pytest.skip("the server takes no aliases")
    said = [("alias/a", 1), ("", 1), ("alias/b", 2), ("", 2), ("", 1), ("alias/c", 1), ("", 1), ("alias/a", None)]
    for number, (topic, alias) in enumerate(said):
        speaker.publish(topic, str(number), 1, **({"topic_alias": alias} if alias else {}))
    came = [listener.receive() for _ in said]
    assert [one.topic[-1] for one in came] == list("aabbacca")
    assert all("topic_alias" not in one.properties for one in came)  # 3.3.2-9: nobody asked for any


@pytest.mark.parametrize("alias", ["zero", "over", "unknown"])
def test_aliases_that_may_not_be(broker, alias):
    """3.3.2-8, 3.3.2-9, 3.3.4: 0x94, or 0x82 for what is a protocol error"""
    one = broker.peer()
    most = one.connack.properties.get("topic_alias_maximum", 0)
    if alias == "over" and most == 65535:
        pytest.skip("no alias is over the maximum")
    number = {"zero": 0, "over": most + 1, "unknown": max(most, 1)}[alias]
    one.put("" if alias == "unknown" else "a", "x", topic_alias=number)
    assert one.farewell() in (ALIAS_INVALID, PROTOCOL_ERROR)


def test_aliases_end_with_the_connection(broker):
    """3.3.2-7"""
    name = unique()
    one = broker.peer(name, session_expiry=60)
    if not one.connack.properties.get("topic_alias_maximum"):
        pytest.skip("the server takes no aliases")
    one.publish("alias/here", "x", 1, topic_alias=1)
    one.disconnect()
    again = broker.peer(name, clean=False)
    again.put("", "x", topic_alias=1)
    assert again.farewell() in (ALIAS_INVALID, PROTOCOL_ERROR)


def test_the_servers_aliases(broker):
    """3.1.2-26, 3.1.2-27: as many as the client takes, each first with its topic."""
    listener, speaker = pair(broker, "server/#", topic_alias_maximum=2)
    known = {}
    for number in range(30):
        speaker.publish(f"server/{number % 5}", str(number), number % 3)
        message = listener.receive()
        alias = message.properties.get("topic_alias")
        if alias:
            assert 1 <= alias <= 2
            known[alias] = message.topic or known[alias]
        assert (message.topic or known[alias]) == f"server/{number % 5}"
        assert message.payload == b"%d" % number


# -- what is wrong, and how it ends

FIRST = {"PINGREQ": packet(PINGREQ), "PUBLISH": publish_packet("a", "x"), "SUBSCRIBE": subscribe_packet(["a"]),
         "DISCONNECT": ending_packet(14), "AUTH": ending_packet(AUTH, 0x18), "CONNACK": packet(CONNACK, b"\0\0\0"),
         "type 0": b"\0\0", "HTTP": b"GET / HTTP/1.1\r\n\r\n", "half a CONNECT and no more": None}


@pytest.mark.parametrize("first", [name for name, data in FIRST.items() if data])
def test_connect_comes_first(broker, first):
    """3.1.0-1"""
    one = broker.open()
    one.send(FIRST[first])
    assert all(came.kind == 14 or came.kind == CONNACK and came.reason for came in one.wait_closed())


BAD_CONNECTS = {
    "a reserved flag": connect_packet("x").replace(b"MQTT\5\2", b"MQTT\5\3"),
    "a will of QoS 3": connect_packet("x", will=("t", "p", 3)),
    "a protocol name": connect_packet("x").replace(b"MQTT", b"MQTX"),
    "a protocol version": connect_packet("x").replace(b"MQTT\5", b"MQTT\7"),
    "a truncated id": packet(CONNECT, connect_packet("abcdef")[2:-3]),
    "bytes behind": packet(CONNECT, connect_packet("abcdef")[2:] + b"x"),
    "an id that is no UTF-8": connect_packet(b"\xc3\x28"),
    "an id with NUL": connect_packet(b"a\0b"),
    "an id with a surrogate": connect_packet(b"\xed\xa0\x80"),
    "a will topic with a wildcard": connect_packet("x", will=("a/#", "p")),
    "session expiry twice": connect_packet("x", properties=b"\x11\0\0\0\1" * 2),
    "receive maximum 0": connect_packet("x", properties=b"\x21\0\0"),
    "a property of another packet": connect_packet("x", properties=b"\x23\0\1"),
    "authentication data alone": connect_packet("x", properties=b"\x16\0\1x"),
}


@pytest.mark.parametrize("what", BAD_CONNECTS)
def test_a_bad_connect_is_refused(broker, what):
    """3.1.4-1, 4.13.1-1: by a CONNACK with a reason or by closing, and the connection is closed."""
    one = broker.open()
    one.send(BAD_CONNECTS[what])
    came = one.wait_closed()
    assert all(answer.kind == CONNACK and answer.reason >= 0x80 or answer.body[:2] == b"\0\1" for answer in came), came


BAD_PACKETS = {
    "a second CONNECT": (connect_packet("x"), {PROTOCOL_ERROR}),                                                     # 3.1.0-2
    "a CONNACK": (packet(CONNACK, b"\0\0\0"), {PROTOCOL_ERROR, MALFORMED}),
    "a SUBACK": (packet(SUBACK, b"\0\1\0\0"), {PROTOCOL_ERROR, MALFORMED}),
    "a PINGRESP": (packet(13), {PROTOCOL_ERROR, MALFORMED}),
    "AUTH without method": (ending_packet(AUTH, 0x18, b""), {PROTOCOL_ERROR, MALFORMED}),                                 # 4.12.0-6
    "AUTH out of the blue": (ending_packet(AUTH, 0x19, b"\x15\0\1m"), {PROTOCOL_ERROR}),
    "type 0": (b"\0\0", {MALFORMED}),
    "QoS 3": (publish_packet("a", "x", 1, qos=3), {MALFORMED}),                                                       # 3.3.1-4
    "a topic with a wildcard": (publish_packet("a/+", "x"), {MALFORMED, PROTOCOL_ERROR, TOPIC_INVALID}),              # 3.3.2-2
    "no topic and no alias": (publish_packet("", "x"), {PROTOCOL_ERROR, MALFORMED, TOPIC_INVALID}),                  # 3.3.2-8
    "packet id 0": (publish_packet("a", "x", 0, qos=1), {PROTOCOL_ERROR, MALFORMED}),                                 # 2.2.1-3
    "DUP with QoS 0": (publish_packet("a", "x", flags=8), {PROTOCOL_ERROR, MALFORMED}),                               # 3.3.1-2
    "a subscription id": (publish_packet("a", "x", properties=b"\x0b\1"), {PROTOCOL_ERROR, MALFORMED}),               # 3.3.4-6
    "a response topic with a wildcard": (publish_packet("a", "x", properties=b"\x08\0\1#"), None),                   # 3.3.2-14
    "payload format 2": (publish_packet("a", "x", properties=b"\1\2"), {PROTOCOL_ERROR, MALFORMED}),
    "content type twice": (publish_packet("a", "x", properties=b"\3\0\1a" * 2), {PROTOCOL_ERROR, MALFORMED}),
    "an unknown property": (publish_packet("a", "x", properties=b"\x7e\1"), {PROTOCOL_ERROR, MALFORMED}),
    "a topic with NUL": (publish_packet(b"a\0b", "x"), {MALFORMED}),
    "no filter": (subscribe_packet([]), {PROTOCOL_ERROR, MALFORMED}),                                                 # 3.8.3-2
    "a filter of QoS 3": (subscribe_packet([("a", 3)]), {PROTOCOL_ERROR, MALFORMED}),
    "reserved options": (subscribe_packet([("a", 0x40)]), {PROTOCOL_ERROR, MALFORMED}),                               # 3.8.3-5
    "retain handling 3": (subscribe_packet([("a", 0x30)]), {PROTOCOL_ERROR, MALFORMED}),
    "SUBSCRIBE with flags 0": (packet(8, subscribe_packet(["a"])[2:], 0), {MALFORMED}),                               # 3.8.1-1
    "PUBREL with flags 0": (packet(PUBREL, b"\0\1", 0), {MALFORMED}),                                                 # 3.6.1-1
    "UNSUBSCRIBE of nothing": (packet(10, b"\0\1\0", 2), {PROTOCOL_ERROR, MALFORMED}),                                # 3.10.3-2
    "PINGREQ with a body": (packet(PINGREQ, b"x"), {MALFORMED, PROTOCOL_ERROR}),
    "PINGREQ with flags": (packet(PINGREQ, flags=1), {MALFORMED}),                                                    # 2.1.3-1
    "PUBACK with an unknown reason": (ack_packet(PUBACK, 1, 0x20), {PROTOCOL_ERROR, MALFORMED}),                      # 3.4.2-1
    "a remaining length of five bytes": (b"\x30\xff\xff\xff\xff\1", {MALFORMED, TOO_LARGE}),
    "a length longer than it must be": (b"\xc0\x80\0", {MALFORMED}),                                                 # 1.5.5-1
}


@pytest.mark.parametrize("what", BAD_PACKETS)
def test_a_bad_packet_ends_the_connection(broker, what):
    """4.13.1-1, 4.8: a DISCONNECT that says why or none at all, and the connection is closed."""
    data, reasons = BAD_PACKETS[what]
    one = broker.peer()
    one.send(data)
    said = one.farewell()
    assert said is None or (said >= 0x80 and (reasons is None or said in reasons)), f"0x{said:02x}"


def test_nothing_after_an_error_counts(broker):
    """4.13.1-1: what stands behind the bad packet is not done."""
    topic = unique("after")
    listener, speaker = pair(broker, topic)
    speaker.send(packet(PINGREQ, flags=1) + publish_packet(topic, "late", 1))
    speaker.wait_closed()
    broker.peer().publish(topic, "sign", 2)
    assert listener.receive().payload == b"sign"
