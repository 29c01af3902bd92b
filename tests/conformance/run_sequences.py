# SPDX-License-Identifier: Apache-2.0
"""Plays mosquitto's sequences of packets (test/broker/data/*.json of its sources: bytes sent, bytes awaited) against any
broker, for mqtt_suites.py, which says how a driver talks.

    run_sequences.py SUITE HOST PORT DONE

Their own runner compares all bytes with mosquitto's; here answers.py says what is the same, and a server may close on an
error instead of naming it (4.13.1)."""
import json
import pathlib
import sys

from answers import FAILED, may_be_first, packet_of, same

from harness.mqtt_client import Client
from harness.mqtt_codec import (CONNACK, DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL, SUBACK, UNSUBACK,
                                ack_packet, connect_packet, packet, publish_packet, subscribe_packet, unsubscribe_packet,
                                variable)
from harness.mqtt_peer import Broker, plain_socket

WIDTHS = {"i": 1, "H": 2, "k": 2, "m": 2, "s": 2, "L": 4}
ANSWER_S = 3
MQTT_3_1 = 3


def bytes_of(words):
    """Their notation: hexadecimal, i8 H16 L32 k(eep alive) m(essage id) s(ize) in decimal, v and r of variable length,
    'texts'."""
    out, rest = b"", words
    while rest := rest.lstrip(" "):
        if rest[0] == "'":
            inside, _, rest = rest[1:].partition("'")
            out += inside.encode()
            continue
        word, _, rest = rest.partition(" ")
        if word[0] in WIDTHS:
            out += int(word[1:]).to_bytes(WIDTHS[word[0]], "big")
        elif word[0] in "vr":
            out += variable(int(word[1:]))
        else:
            out += bytes.fromhex(word)
    return out


class Play:
    """One sequence on one connection."""

    def __init__(self, address, version):
        self.address, self.version = address, version
        self.client, self.kept = self.open(version), []

    def open(self, version):
        stream = plain_socket(self.address)
        stream.settimeout(ANSWER_S)
        return Client(stream, version)

    def greet(self, name):
        self.client.send(connect_packet(name, self.version))
        answer = self.client.read()
        assert answer.kind == CONNACK and answer.reason == 0, answer

    def send(self, act):
        self.client.send(bytes_of(act["payload"]))

    def recv(self, act):
        wanted = packet_of(bytes_of(act["payload"]), self.version)
        for one in self.kept:
            if same(one, wanted):
                self.kept.remove(one)
                return
        try:
            got = self.client.read()
            while may_be_first(got, wanted):
                self.kept.append(got)
                got = self.client.read()
        except ConnectionError:
            assert wanted.kind in (CONNACK, DISCONNECT) and wanted.reason, f"closed and did not send {wanted}"
            return
        if got.kind == DISCONNECT and wanted.kind != DISCONNECT and got.reason >= FAILED:
            raise AssertionError(f"DISCONNECT 0x{got.reason:02x} instead of {wanted}")
        assert same(got, wanted), f"{got} instead of {wanted}"

    def external_publish(self, act):
        with self.open(4) as helper:
            helper.connect("helper")
            qos = act["qos"]
            helper.send(publish_packet(act["topic"], act["payload"], 1 if qos else 0, 4, int(act.get("retain", False)), qos))
            if qos == 1:
                helper.expect(PUBACK)
            elif qos == 2:
                helper.expect(PUBREC)
                helper.send(ack_packet(PUBREL, 1))
                helper.expect(PUBCOMP)
            else:
                self.alive(helper)

    def subscribe(self, act):
        self.client.send(subscribe_packet([act["topic"]], 1, self.version, act["qos"]))
        assert self.client.expect(SUBACK).reasons == [act["qos"]]

    def unsubscribe(self, act):
        self.client.send(unsubscribe_packet([act["topic"]], 1, self.version))
        self.client.expect(UNSUBACK)

    @staticmethod
    def alive(client):
        client.send(packet(PINGREQ))
        client.expect(PINGRESP)

    def ended(self):
        came = self.client.wait_closed()
        for one in came:
            assert one.kind == CONNACK and one.reason or one.kind == DISCONNECT and one.reason >= FAILED, f"then came {one}"


def sweep(address):
    """What is retained by one sequence is not there for the next."""
    broker = Broker(address)
    peer = broker.peer()
    peer.subscribe("#")
    for one in peer.drained():
        peer.publish(one.topic, b"", 1, retain=True)
    broker.close()


def play(address, version, greeted, name, one, ends):
    stage = Play(address, version)
    with stage.client:
        if greeted:
            stage.greet(name)
        for act in one["msgs"]:
            getattr(stage, act["type"])(act)
        stage.ended() if ends else stage.alive(stage.client)


def say(test, outcome, detail=""):
    print(json.dumps({"test": test, "outcome": outcome, "detail": detail}), flush=True)


def sequences(folder):
    """(name, version, greeted, sequence, whether the server must close at its end)"""
    for file in sorted(folder.glob("*.json")):
        for group in json.loads(file.read_text()):
            if group.get("disable"):
                continue
            for one in group["tests"]:
                yield (f"{group['group']} {one['name']}", one.get("ver", group.get("ver", 4)),
                       one.get("connect", group.get("connect", True)), one,
                       one.get("expect_disconnect", group.get("expect_disconnect", True)))


def main():
    address, done = (sys.argv[2], int(sys.argv[3])), set(json.loads(sys.argv[4]))
    seen, retained = {}, False
    for name, version, greeted, one, ends in sequences(pathlib.Path(sys.argv[1]) / "test/broker/data"):
        seen[name] = seen.get(name, 0) + 1
        title = name if seen[name] == 1 else f"{name} ({seen[name]})"
        if title in done:
            continue
        say(title, "begun")
        if version == MQTT_3_1:
            say(title, "skipped", "MQTT 3.1, which is not offered")
            continue
        try:
            if any(act["type"] == "send" and act["payload"].startswith(("31", "33", "35")) for act in one["msgs"]):
                retained = True
            elif retained:
                sweep(address)
                retained = False
            play(address, version, greeted, name, one, ends)
            say(title, "passed")
        except (AssertionError, OSError, KeyError, StopIteration) as trouble:
            say(title, "failed", f"{type(trouble).__name__}: {trouble}"[:500])


if __name__ == "__main__":
    main()
