# SPDX-License-Identifier: Apache-2.0
"""When an answer is the awaited one. Suites that were written beside a broker await that broker's bytes; here packets are
compared by what the standard lays down."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from harness.mqtt_codec import ACKS, CONNACK, DISCONNECT, PUBCOMP, PUBLISH, PUBREL, SUBACK, UNSUBACK, Packet  # noqa: E402

FAILED = 0x80


def packet_of(raw, version):
    """A packet as a suite wrote it down. Of a CONNACK that is only begun they awaited the beginning."""
    at = next(i for i in range(1, len(raw)) if raw[i] < 128) + 1
    body = raw[at:at + 2] + b"\0" if raw[0] >> 4 == CONNACK and version == 5 else raw[at:]
    return Packet(raw[0], body, version)


def failed(one):
    """Which of the reasons that fit is given is the server's choice; that it is one is not."""
    return one.reason >= FAILED


def same_publish(got, wanted):
    """The packet id is the sender's choice (2.2.1), and user properties alone have an order (3.3.2.3.7)."""
    fields = "topic", "payload", "qos", "retain", "dup"
    return (all(getattr(got, name) == getattr(wanted, name) for name in fields) and got.properties == wanted.properties
            and sorted(map(str, got.listed)) == sorted(map(str, wanted.listed)) and got.all("user") == wanted.all("user"))


def may_be_first(got, wanted):
    """Messages, and the answers to other ones, have no order among each other."""
    return got.kind != wanted.kind and PUBLISH in (got.kind, wanted.kind) and {got.kind, wanted.kind} <= {PUBLISH, *ACKS, SUBACK}


def same(got, wanted):
    if got.kind != wanted.kind:
        return False
    if got.kind == CONNACK and got.version == 5:
        return got.session_present == wanted.session_present and failed(got) == failed(wanted)
    if got.kind == DISCONNECT:
        return failed(got) == failed(wanted)
    if got.kind in (PUBREL, PUBCOMP):  # whether an unknown id is named is the server's choice (3.6.2.1, 3.7.2.1)
        return got.packet_id == wanted.packet_id
    if got.kind in ACKS:  # 0x10, no subscriber, is a courtesy (3.4.2.1)
        return got.packet_id == wanted.packet_id and failed(got) == failed(wanted)
    if got.kind == SUBACK:
        return got.packet_id == wanted.packet_id and [min(one, FAILED) for one in got.reasons] == [
            min(one, FAILED) for one in wanted.reasons]
    if got.kind == UNSUBACK:
        return got.packet_id == wanted.packet_id and got.reasons == wanted.reasons
    return same_publish(got, wanted) if got.kind == PUBLISH else got.body == wanted.body
