# SPDX-License-Identifier: Apache-2.0
"""A small MQTT client of the tests' own, written from the standard and not from our codec: packets of 3.1.1 and 5, a
client over TLS or inside a WebSocket. It does nothing by itself: a test says what is sent and sees what comes."""
import base64
import os
import socket
import ssl
import struct

from .mqtt_codec import *  # noqa: F401,F403 the packets, for the tests that ask this file for them
from .mqtt_codec import CONNACK, PUBACK, SUBACK, Packet, connect_packet, publish_packet, subscribe_packet

PATIENCE_S = 60


def tls_socket(server, device=None, port=None, receive_buffer=None):
    """A TLS connection, with the certificate of the device if there is one."""
    context = ssl.create_default_context(cafile=server.ca)
    if device:
        context.load_cert_chain(device.certificate, device.key)
    raw = socket.socket()
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.settimeout(PATIENCE_S)
    raw.connect(("127.0.0.1", port or server.mqtt_port))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(raw, server_hostname="localhost")


class Client:
    """Raises ConnectionError when the server closed."""

    def __init__(self, stream, version=5):
        self.stream, self.version, self.waiting = stream, version, b""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Without a word: as a device that lost its power."""
        self.stream.close()

    def send(self, data):
        try:
            self.stream.sendall(data)
        except (ssl.SSLError, OSError) as trouble:
            if isinstance(trouble, TimeoutError):
                raise
            raise ConnectionError("the server closed") from trouble

    def more(self):
        try:
            piece = self.stream.recv(65536)
        except (ssl.SSLError, OSError) as trouble:
            if isinstance(trouble, TimeoutError):
                raise
            raise ConnectionError("the server closed") from trouble
        if not piece:
            raise ConnectionError("the server closed")
        return piece

    def need(self, count):
        while len(self.waiting) < count:
            self.waiting += self.more()

    def read(self):
        """The next packet, whatever it is."""
        size, shift, at = 0, 0, 1
        while True:
            self.need(at + 1)
            digit = self.waiting[at]
            size, shift, at = size | (digit & 127) << shift, shift + 7, at + 1
            if digit < 128:
                break
        self.need(at + size)
        first, body, self.waiting = self.waiting[0], self.waiting[at:at + size], self.waiting[at + size:]
        return Packet(first, body, self.version)

    def expect(self, kind):
        got = self.read()
        assert got.kind == kind, got
        return got

    def whole_packet_waits(self):
        """Is there one to read without waiting for the network?"""
        return bool(self.waiting) or self.stream.pending() > 0

    def connect(self, client_id="", **options):
        self.send(connect_packet(client_id, self.version, **options))
        return self.expect(CONNACK)

    def subscribe(self, *filters, qos=0):
        self.send(subscribe_packet(filters, version=self.version, qos=qos))
        return self.expect(SUBACK).reasons

    def publish(self, topic, payload, packet_id=0):
        """With a packet id: QoS 1, and the reason of its PUBACK."""
        self.send(publish_packet(topic, payload, packet_id, self.version))
        return self.expect(PUBACK).reason if packet_id else None

    def wait_closed(self):
        """What still came before the server closed."""
        came = []
        try:
            while True:
                came.append(self.read())
        except ConnectionError:
            return came


def client(server, device, client_id="", version=5, **options):
    """A connected client over TLS."""
    one = Client(tls_socket(server, device), version)
    answer = one.connect(client_id, **options)
    assert answer.reason == 0, answer
    return one


class WebSocket:
    """The byte stream inside a WebSocket (RFC 6455), for Client. `answer` is the status line and head of the upgrade."""

    def __init__(self, server, headers):
        self.stream, self.waiting = tls_socket(server, port=server.http_port), b""
        lines = ["GET /mqtt HTTP/1.1", f"Host: localhost:{server.http_port}", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode(),
                 "Sec-WebSocket-Protocol: mqtt", *headers]
        self.stream.sendall("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self.waiting:
            piece = self.stream.recv(65536)
            assert piece, "the server closed before it answered"
            self.waiting += piece
        head, _, self.waiting = self.waiting.partition(b"\r\n\r\n")
        self.answer = head.decode()
        self.status = int(self.answer.split()[1])

    def sendall(self, data, kind=2):
        mask = os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else struct.pack("!BH", 0x80 | 126, len(data))
        self.stream.sendall(bytes([0x80 | kind]) + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def _need(self, count):
        while len(self.waiting) < count:
            piece = self.stream.recv(65536)
            if not piece:
                raise ConnectionError("the server closed")
            self.waiting += piece

    def recv(self, most):
        """The next frame's data; b"" when the server says good-bye."""
        self._need(2)
        kind, size, start = self.waiting[0] & 15, self.waiting[1] & 127, 2
        assert not self.waiting[1] & 128, "servers do not mask (RFC 6455, 5.1)"
        if size >= 126:
            wide = 2 if size == 126 else 8
            self._need(2 + wide)
            size, start = int.from_bytes(self.waiting[2:2 + wide], "big"), 2 + wide
        self._need(start + size)
        data, self.waiting = self.waiting[start:start + size], self.waiting[start + size:]
        return b"" if kind == 8 else data if kind == 2 else self.recv(most)

    def pending(self):
        return len(self.waiting) or self.stream.pending()

    def close(self):
        self.stream.close()
