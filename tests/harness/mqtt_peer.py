# SPDX-License-Identifier: Apache-2.0
"""A client of the tests over plain TCP that can do what the standard lets a client do, and what it does not. It keeps what
comes while it waits for something else, and acknowledges only when it is told to."""
import itertools
import os
import socket

from .mqtt_client import Client
from .mqtt_codec import (CONNACK, DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK,
                         SUBSCRIBE, UNSUBACK, ack_packet, connect_packet, ending_packet, packet, properties, publish_packet,
                         subscribe_packet, unsubscribe_packet)

PATIENCE_S = int(os.environ.get("HOLDFAST_MQTT_PATIENCE", 20))
names, run = itertools.count(1), os.urandom(3).hex()


def unique(start="c"):
    """A name that no other test uses, of this run or, on a broker that stays, of another."""
    return f"{start}-{run}-{next(names)}"


def plain_socket(address, receive_buffer=None):
    raw = socket.socket()
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.settimeout(PATIENCE_S)
    raw.connect(address)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return raw


class Peer(Client):
    def __init__(self, address, version=5, receive_buffer=None):
        super().__init__(plain_socket(address, receive_buffer), version)
        self.address, self.kept, self.ids = address, [], itertools.count(1)
        self.connack = None

    # -- what comes

    def whole_packet_waits(self):
        return bool(self.waiting)

    def take(self, *kinds):
        """The next packet of these kinds; others are kept for whoever asks for them. A DISCONNECT nobody asked for is an
        error of the test."""
        for one in self.kept:
            if one.kind in kinds:
                self.kept.remove(one)
                return one
        while True:
            got = self.read()
            if got.kind in kinds:
                return got
            assert got.kind != DISCONNECT, f"the server said good-bye with 0x{got.reason:02x} {got.listed}"
            self.kept.append(got)

    def expect(self, kind):
        """The next packet, which is of this kind."""
        got = self.kept.pop(0) if self.kept else self.read()
        assert got.kind == kind, got
        return got

    def receive(self, *, acknowledge=True):
        """The next message; by default its whole flow is done."""
        message = self.take(PUBLISH)
        if acknowledge and message.qos == 1:
            self.send(ack_packet(PUBACK, message.packet_id))
        elif acknowledge and message.qos == 2:
            self.send(ack_packet(PUBREC, message.packet_id))
            assert self.take_ack(PUBREL, message.packet_id).reason == 0
            self.send(ack_packet(PUBCOMP, message.packet_id))
        return message

    def payloads(self, count, **how):
        return [self.receive(**how).payload for _ in range(count)]

    def take_ack(self, kind, packet_id):
        got = self.take(kind)
        assert got.packet_id == packet_id, f"{got}: it is for {got.packet_id} and not for {packet_id}"
        return got

    def drained(self):
        """The messages that came before the answer to a PINGREQ that is sent now."""
        self.send(packet(PINGREQ))
        self.take(PINGRESP)
        came = [one for one in self.kept if one.kind == PUBLISH]
        self.kept = [one for one in self.kept if one.kind != PUBLISH]
        return came

    def farewell(self):
        """The reason of the server's DISCONNECT, None when it closed without one; what else came does not matter."""
        said = [one.reason for one in self.kept + self.wait_closed() if one.kind == DISCONNECT]
        return said[0] if said else None

    # -- what is done

    def connect(self, client_id="", *, reason=0, will=None, clean=True, keep_alive=60, username=None, password=None,
                **wanted):
        """The CONNACK, whose reason is as said; None: whatever it is."""
        self.send(connect_packet(client_id, self.version, keep_alive, clean, will, properties(**wanted), username, password))
        self.connack = self.expect(CONNACK)
        assert reason is None or self.connack.reason == reason, f"0x{self.connack.reason:02x} {self.connack}"
        return self.connack

    def subscribe(self, *filters, qos=0, **wanted):
        """Filters as for subscribe_packet. Messages may overtake the answer (3.8.4) and are kept."""
        number = next(self.ids)
        self.send(subscribe_packet(filters, number, self.version, qos, properties(**wanted)))
        answer = self.take_ack(SUBACK, number)
        assert len(answer.reasons) == len(filters), answer
        return answer.reasons

    def unsubscribe(self, *filters, **wanted):
        number = next(self.ids)
        self.send(unsubscribe_packet(filters, number, self.version, properties(**wanted)))
        return self.take_ack(UNSUBACK, number).reasons

    def put(self, topic, payload, qos=0, *, retain=False, dup=False, packet_id=None, **wanted):
        """Sends a message and waits for nothing. The packet id."""
        number = (packet_id or next(self.ids)) if qos else 0
        self.send(publish_packet(topic, payload, number, self.version, 8 * dup | int(retain), qos, properties(**wanted)))
        return number

    def publish(self, topic, payload, qos=0, **how):
        """A message and its whole flow; the reason in PUBACK or PUBREC."""
        number = self.put(topic, payload, qos, **how)
        if qos == 0:
            return None
        answer = self.take_ack(PUBACK if qos == 1 else PUBREC, number)
        if qos == 2 and answer.reason < 0x80:
            self.release(number)
        return answer.reason

    def release(self, packet_id):
        """PUBREL and its answer's reason."""
        self.send(ack_packet(PUBREL, packet_id))
        return self.take_ack(PUBCOMP, packet_id).reason

    def acknowledge(self, kind, packet_id, reason=None):
        self.send(ack_packet(kind, packet_id, reason))

    def ping(self):
        self.send(packet(PINGREQ))
        return self.take(PINGRESP)

    def disconnect(self, reason=None, **wanted):
        """In order; returns when the server has closed too."""
        inside = properties(**wanted) if wanted else None
        self.send(ending_packet(DISCONNECT, 0 if reason is None and wanted else reason, inside))
        self.wait_closed()
        self.close()


class Broker:
    """Where peers connect to: a maker of them that closes them all."""

    def __init__(self, address):
        self.address, self.peers = address, []

    def open(self, version=5, **how):
        """A connection that has not said CONNECT."""
        self.peers.append(Peer(self.address, version, **how))
        return self.peers[-1]

    def peer(self, client_id=None, version=5, **how):
        """A connected peer; without a client id with one of its own."""
        one = self.open(version)
        one.connect(unique() if client_id is None else client_id, **how)
        return one

    def close(self):
        for one in self.peers:
            one.close()
        self.peers = []
