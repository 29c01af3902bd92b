# SPDX-License-Identifier: Apache-2.0
"""What outlives a connection: sessions, what waits in them, flows that go on, take-over, wills. MQTT 5.0 and 3.1.1; the
clauses are those of 5.0 but where 3.1.1 is named."""
import threading

import pytest

from harness.mqtt_codec import DISCONNECT, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, ending_packet, will_of
from harness.mqtt_peer import unique

LONG = 3600
NEVER_ENDS = 0xFFFFFFFF
WITH_WILL, TAKEN_OVER, PROTOCOL_ERROR = 0x04, 0x8E, 0x82
VERSIONS = [5, 4]


class Client:
    """One client id, in either version, whose session lasts."""

    def __init__(self, broker, version=5, lasts=LONG):
        self.broker, self.name, self.version, self.lasts = broker, unique("session"), version, lasts

    def come(self, clean=False, **how):
        if self.version == 5:
            how.setdefault("session_expiry", self.lasts)
        return self.broker.peer(self.name, self.version, clean=clean, **how)

    def over(self):
        """Leaves nothing behind."""
        self.broker.peer(self.name, self.version, clean=True).disconnect()


def let_pass(seconds):
    """Where the standard speaks of seconds, and nothing tells that they are over but a clock."""
    threading.Event().wait(seconds)


@pytest.fixture(params=VERSIONS, ids=["5.0", "3.1.1"])
def lasting(request, broker):
    one = Client(broker, request.param)
    yield one
    one.over()


@pytest.fixture
def lasting_5(broker):
    one = Client(broker)
    yield one
    one.over()


# -- what is kept

def test_session_present(lasting):
    """3.1.2-4, 3.1.2-5, 3.2.2-2, 3.2.2-3. A clean session of 3.1.1 ends with its connection (3.1.1, 3.1.2.4)."""
    kept = int(lasting.version == 5)
    came = [lasting.come(clean).connack.session_present for clean in (True, False, False, True, False)]
    assert came == [0, kept, 1, 0, kept]


def test_without_expiry_nothing_is_kept(broker):
    """3.1.2.11.2: absent is 0, which ends with the connection."""
    for how in ({}, {"session_expiry": 0}):
        name = unique()
        broker.peer(name, clean=False, **how).disconnect()
        assert broker.peer(name, clean=False).connack.session_present == 0


def test_a_session_expires(broker):
    """3.1.2-23"""
    one = Client(broker, lasts=1)
    one.come().disconnect()
    let_pass(2.5)
    assert one.come().connack.session_present == 0
    one.over()


@pytest.mark.parametrize("at_end, there", [(0, 0), (LONG, 1), (None, 1)])
def test_the_expiry_may_be_changed_in_disconnect(broker, at_end, there):
    """3.14.2.2.2"""
    one = Client(broker)
    one.come().disconnect(**({"session_expiry": at_end} if at_end is not None else {}))
    assert one.come().connack.session_present == there
    one.over()


def test_a_session_that_ends_at_once_cannot_be_made_lasting(broker):
    """3.14.2.2.2: that is a protocol error, and nothing is kept."""
    name = unique()
    one = broker.peer(name)
    one.send(ending_packet(DISCONNECT, 0, b"\x11\0\0\0\x0a"))
    assert one.farewell() in (PROTOCOL_ERROR, None)
    assert broker.peer(name, clean=False).connack.session_present == 0


def test_a_session_that_never_ends(broker):
    one = Client(broker, lasts=NEVER_ENDS)
    one.come().disconnect()
    assert one.come().connack.session_present == 1
    one.over()


def test_subscriptions_and_messages_wait(lasting):
    """3.1.2-5, 4.5.0-1: QoS 1 and 2 for sure, with what belongs to them, in order"""
    topic = unique("wait")
    first = lasting.come()
    first.subscribe((topic + "/1", 1), (topic + "/2", 2), (topic + "/gone", 1))
    first.unsubscribe(topic + "/gone")
    first.disconnect()
    speaker = lasting.broker.peer()
    for number in range(20):
        speaker.publish(f"{topic}/{number % 2 + 1}", str(number), 2, user=("n", str(number)))
    speaker.publish(topic + "/gone", "x", 2)
    again = lasting.come()
    came = [again.receive() for _ in range(20)]
    for qos in (1, 2):
        assert [int(one.payload) for one in came if one.topic[-1] == str(qos)] == list(range(qos - 1, 20, 2))
    assert all(one.qos == int(one.topic[-1]) and not one.dup for one in came)
    if lasting.version == 5:
        assert [one.all("user") for one in came] == [[("n", one.payload.decode())] for one in came]
    assert not again.drained()


def test_a_clean_start_throws_all_away(lasting):
    """3.1.2-4"""
    topic = unique("clean")
    first = lasting.come()
    first.subscribe(topic, qos=1)
    first.disconnect()
    lasting.broker.peer().publish(topic, "x", 1)
    again = lasting.come(clean=True)
    lasting.broker.peer().publish(topic, "y", 1)
    assert not again.drained()


def test_the_identifier_of_a_subscription_is_kept(lasting_5):
    topic = unique("id")
    first = lasting_5.come()
    first.subscribe(topic, qos=1, subscription_id=4711)
    first.disconnect()
    lasting_5.broker.peer().publish(topic, "x", 1)
    assert lasting_5.come().receive().all("subscription_id") == [4711]


def test_a_message_that_expires_while_it_waits(lasting_5):
    """3.3.2-5, 3.3.2-6"""
    topic = unique("expire")
    first = lasting_5.come()
    first.subscribe(topic, qos=1)
    first.disconnect()
    speaker = lasting_5.broker.peer()
    speaker.publish(topic, "short", 1, message_expiry=1)
    speaker.publish(topic, "long", 1, message_expiry=1000)
    speaker.publish(topic, "ever", 1)
    let_pass(2.1)
    again = lasting_5.come()
    came = [again.receive(), again.receive()]
    assert [one.payload for one in came] == [b"long", b"ever"]
    assert 990 <= came[0].properties["message_expiry"] <= 998 and "message_expiry" not in came[1].properties


def test_what_is_under_way_does_not_expire(lasting_5):
    """4.3.3-7, 4.3.3-13: a PUBLISH that was sent goes on to its end, on both sides."""
    topic = unique("under-way")
    first, speaker = lasting_5.come(), lasting_5.broker.peer()
    first.subscribe(topic, qos=2)
    number = speaker.put(topic, "x", 2, message_expiry=1)
    speaker.take_ack(PUBREC, number)
    message = first.receive(acknowledge=False)
    first.close()
    let_pass(1.2)
    assert speaker.release(number) == 0
    again = lasting_5.come().receive()
    assert (again.payload, again.packet_id, again.dup) == (b"x", message.packet_id, 1)


# -- flows that go on

@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_not_acknowledged_comes_again(lasting, qos):
    """4.4.0-1, 3.3.1-1, 3.3.1-3, 4.6: same ids, DUP, same order"""
    topic = unique("again")
    first = lasting.come()
    first.subscribe(topic, qos=qos)
    speaker = lasting.broker.peer()
    for number in range(5):
        speaker.publish(topic, str(number), qos)
    came = [first.receive(acknowledge=False) for _ in range(5)]
    first.acknowledge(PUBACK if qos == 1 else PUBREC, came[0].packet_id)
    if qos == 2:
        first.take_ack(PUBREL, came[0].packet_id)
        first.acknowledge(PUBCOMP, came[0].packet_id)
    first.ping()
    first.close()
    again = lasting.come()
    second = [again.receive() for _ in range(4)]
    assert [(one.packet_id, one.payload, one.dup) for one in second] == [
        (one.packet_id, one.payload, 1) for one in came[1:]]
    assert not again.drained()


def test_a_release_comes_again(lasting):
    """4.4.0-1: behind PUBREC it is the PUBREL that is sent again, and never the message."""
    topic = unique("release")
    first = lasting.come()
    first.subscribe(topic, qos=2)
    lasting.broker.peer().publish(topic, "x", 2)
    message = first.receive(acknowledge=False)
    first.acknowledge(PUBREC, message.packet_id)
    first.take_ack(PUBREL, message.packet_id)
    first.close()
    again = lasting.come()
    got = again.take(PUBREL, PUBLISH)
    assert (got.kind, got.packet_id) == (PUBREL, message.packet_id)
    again.acknowledge(PUBCOMP, message.packet_id)
    assert not again.drained()
    again.disconnect()
    last = lasting.come()
    assert not last.drained() and not last.kept


def test_a_publisher_that_comes_back_is_known(lasting):
    """4.3.3-10 over a reconnect: the same packet id, DUP: one message"""
    topic = unique("once")
    listener = lasting.broker.peer()
    listener.subscribe(topic, qos=2)
    first = lasting.come()
    first.put(topic, "one", 2, packet_id=5)
    first.take_ack(PUBREC, 5)
    first.close()
    second = lasting.come()
    second.put(topic, "one", 2, packet_id=5, dup=True)
    second.take_ack(PUBREC, 5)
    second.close()
    third = lasting.come()
    assert third.release(5) == 0
    assert third.publish(topic, "two", 2, packet_id=5) == 0
    assert listener.payloads(2) == [b"one", b"two"]
    assert not listener.drained()


def test_a_clean_publisher_is_not_known(lasting):
    """Whether the first one was passed on before its PUBREL is the server's choice (4.3.3, methods A and B)."""
    topic = unique("fresh")
    listener = lasting.broker.peer()
    listener.subscribe(topic, qos=2)
    first = lasting.come()
    first.put(topic, "one", 2, packet_id=5)
    first.take_ack(PUBREC, 5)
    first.close()
    second = lasting.come(clean=True)
    assert second.publish(topic, "other", 2, packet_id=5) == 0
    if (came := listener.receive().payload) == b"one":
        came = listener.receive().payload
    assert came == b"other"


def test_new_messages_stand_behind_old_ones(lasting):
    """4.6"""
    topic = unique("behind")
    first = lasting.come()
    first.subscribe(topic, qos=1)
    speaker = lasting.broker.peer()
    speaker.publish(topic, "0", 1)
    first.receive(acknowledge=False)
    first.close()
    for number in (1, 2):
        speaker.publish(topic, str(number), 1)
    again = lasting.come()
    speaker.publish(topic, "3", 1)
    assert again.payloads(4) == [b"0", b"1", b"2", b"3"]


# -- take-over

def test_a_second_connection_takes_over(lasting):
    """3.1.4-3: and with it the session, without a gap"""
    topic = unique("over")
    first = lasting.come()
    first.subscribe(topic, qos=1)
    second = lasting.come()
    assert second.connack.session_present == 1
    said = first.farewell()
    assert said in ((TAKEN_OVER, None) if lasting.version == 5 else (None,))
    lasting.broker.peer().publish(topic, "x", 1)
    assert second.receive().payload == b"x"


def test_taking_over_again_and_again(lasting):
    topic = unique("storm")
    lasting.come().subscribe(topic, qos=1)
    for _ in range(50):
        last = lasting.come()
    lasting.broker.peer().publish(topic, "x", 1)
    assert last.receive().payload == b"x"
    assert not last.drained()


# -- wills

class Watch:
    """Hears what the wills of a test say."""

    def __init__(self, broker):
        self.topic, self.broker = unique("will"), broker
        self.peer = broker.peer()
        self.peer.subscribe(self.topic, qos=2)

    def hears(self):
        return self.peer.receive().payload

    def hears_nothing(self):
        """Up to now: what another client says last is all that comes."""
        self.broker.peer().publish(self.topic, "end", 2)
        return self.hears() == b"end"


@pytest.fixture
def watch(broker):
    return Watch(broker)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_will_is_published_when_the_connection_breaks(broker, watch, version):
    """3.1.2-8"""
    broker.peer(version=version, will=will_of(watch.topic, "gone", 1)).close()
    assert watch.hears() == b"gone"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_disconnect_removes_the_will(broker, watch, version):
    """3.1.2-10, 3.14.4-3"""
    broker.peer(version=version, will=will_of(watch.topic, "gone")).disconnect()
    assert watch.hears_nothing()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_will_is_published_after_a_protocol_error(broker, watch, version):
    """3.1.2.5"""
    one = broker.peer(version=version, will=will_of(watch.topic, "wrong"))
    one.send(b"\xc1\0")
    one.wait_closed()
    assert watch.hears() == b"wrong"


def test_a_will_is_published_when_the_keep_alive_ends(broker, watch):
    broker.peer(keep_alive=1, will=will_of(watch.topic, "silent"))
    assert watch.hears() == b"silent"


def test_disconnect_with_will(broker, watch):
    """3.14.2: 0x04"""
    broker.peer(will=will_of(watch.topic, "on purpose")).disconnect(WITH_WILL)
    assert watch.hears() == b"on purpose"


def test_a_disconnect_with_an_error_publishes_the_will(broker, watch):
    """3.14.4-3: only 0x00 removes it."""
    broker.peer(will=will_of(watch.topic, "error")).disconnect(0x80)
    assert watch.hears() == b"error"


def test_what_a_will_brings_with_it(broker, watch):
    """3.1.2-11, 3.1.3.2: its QoS and its properties"""
    wanted = {"payload_format": 1, "content_type": "text/plain", "response_topic": "r", "correlation_data": b"\0\1",
              "user": [("z", "1"), ("a", "2")]}
    broker.peer(will=will_of(watch.topic, "all", 2, **wanted)).close()
    message = watch.peer.receive()
    assert message.qos == 2 and message.all("user") == wanted["user"]
    assert all(message.properties[name] == value for name, value in wanted.items() if name != "user")
    assert "will_delay" not in message.properties


@pytest.mark.parametrize("retain", [False, True])
def test_a_will_may_be_retained(broker, watch, retain):
    """3.1.2-14, 3.1.2-15"""
    broker.peer(will=will_of(watch.topic, "kept", 1, retain)).close()
    assert watch.hears() == b"kept"
    late = Watch.__new__(Watch)
    late.topic, late.broker, late.peer = watch.topic, broker, broker.peer()
    late.peer.subscribe(watch.topic, qos=2)
    if retain:
        assert late.hears() == b"kept"
        broker.peer().publish(watch.topic, "", 1, retain=True)
    else:
        assert late.hears_nothing()


def test_a_delayed_will_waits(broker, watch):
    """3.1.3-9, 3.1.3.2.2: not when the client comes back in time"""
    one = Client(broker)
    one.come(will=will_of(watch.topic, "late", will_delay=2)).close()
    again = one.come()
    assert again.connack.session_present == 1
    assert watch.hears_nothing()
    again.disconnect()
    one.come(will=will_of(watch.topic, "later", will_delay=1)).close()
    assert watch.hears() == b"later"
    one.over()


def test_the_end_of_the_session_ends_the_delay(broker, watch):
    """3.1.2-8"""
    for how in ({"session_expiry": 0}, {"session_expiry": 1}):
        broker.peer(will=will_of(watch.topic, "end", will_delay=LONG), **how).close()
        assert watch.hears() == b"end"


def test_a_clean_start_ends_the_delay(broker, watch):
    """3.1.2-8: the session it belonged to is over."""
    one = Client(broker)
    one.come(will=will_of(watch.topic, "over", will_delay=LONG)).close()
    one.come(clean=True)
    assert watch.hears() == b"over"
    one.over()


def test_a_will_when_its_client_is_taken_over(broker, watch):
    """3.1.4-3, 3.1.2-8: the connection is closed without a DISCONNECT of the client, and a will without delay is said."""
    one = Client(broker)
    first = one.come(will=will_of(watch.topic, "taken"))
    one.come()
    first.wait_closed()
    assert watch.hears() == b"taken"
    one.over()
