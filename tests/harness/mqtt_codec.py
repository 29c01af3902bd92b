# SPDX-License-Identifier: Apache-2.0
"""MQTT packets of the tests' own, written from the standard and not from our codec: 3.1.1 and 5.0, both directions. It
writes whatever it is told to, also what the standard forbids."""
import struct

(CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP,
 DISCONNECT, AUTH) = range(1, 16)
ACKS = PUBACK, PUBREC, PUBREL, PUBCOMP

BYTE, TWO, FOUR, VARIABLE, TEXT, BINARY, PAIR = range(7)
PROPERTIES = {  # 2.2.2.2
    "payload_format": (0x01, BYTE), "message_expiry": (0x02, FOUR), "content_type": (0x03, TEXT),
    "response_topic": (0x08, TEXT), "correlation_data": (0x09, BINARY), "subscription_id": (0x0B, VARIABLE),
    "session_expiry": (0x11, FOUR), "assigned_client_id": (0x12, TEXT), "server_keep_alive": (0x13, TWO),
    "authentication_method": (0x15, TEXT), "authentication_data": (0x16, BINARY), "request_problem": (0x17, BYTE),
    "will_delay": (0x18, FOUR), "request_response": (0x19, BYTE), "response_information": (0x1A, TEXT),
    "server_reference": (0x1C, TEXT), "reason_string": (0x1F, TEXT), "receive_maximum": (0x21, TWO),
    "topic_alias_maximum": (0x22, TWO), "topic_alias": (0x23, TWO), "maximum_qos": (0x24, BYTE),
    "retain_available": (0x25, BYTE), "user": (0x26, PAIR), "maximum_packet_size": (0x27, FOUR),
    "wildcard_available": (0x28, BYTE), "subscription_id_available": (0x29, BYTE), "shared_available": (0x2A, BYTE),
}
NAMES = {number: (name, kind) for name, (number, kind) in PROPERTIES.items()}
NUMBERS = {BYTE: "!B", TWO: "!H", FOUR: "!I"}


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack("!H", len(value)) + value


def variable(number):
    out = bytearray()
    while True:
        number, digit = divmod(number, 128)
        out.append(digit | (128 if number else 0))
        if not number:
            return bytes(out)


def property_bytes(name, value):
    number, kind = PROPERTIES[name]
    if kind == PAIR:
        return bytes([number]) + text(value[0]) + text(value[1])
    if kind == VARIABLE:
        return bytes([number]) + variable(value)
    return bytes([number]) + (struct.pack(NUMBERS[kind], value) if kind in NUMBERS else text(value))


def properties(**wanted):
    """What stands behind the length. A list stands for the property repeated: user=[("a", "b"), ("a", "c")]."""
    return b"".join(property_bytes(name, one) for name, value in wanted.items()
                    for one in (value if isinstance(value, list) else [value]))


def block(version, inside):
    """The properties of a packet with their length; 3.1.1 has none."""
    return variable(len(inside)) + inside if version == 5 else b""


def packet(kind, body=b"", flags=0):
    return bytes([kind << 4 | flags]) + variable(len(body)) + body


def will_of(topic, payload, qos=0, retain=False, **wanted):
    """For connect_packet's `will`."""
    return topic, payload, qos, retain, properties(**wanted)


def connect_packet(client_id="", version=5, keep_alive=60, clean=True, will=None, properties=b"", username=None,
                   password=None):
    """will: (topic, payload), or what will_of gives."""
    topic, payload, qos, retain, inside = (will if len(will) == 5 else will_of(*will)) if will else will_of("", "")
    flags = 2 * clean | (4 | qos << 3 | 32 * retain if will else 0)
    flags |= (128 if username is not None else 0) | (64 if password is not None else 0)
    body = text("MQTT") + bytes([version, flags]) + struct.pack("!H", keep_alive)
    body += block(version, properties) + text(client_id)
    if will:
        body += block(version, inside) + text(topic) + text(payload)
    return packet(CONNECT, body + b"".join(text(one) for one in (username, password) if one is not None))


def publish_packet(topic, payload, packet_id=0, version=5, flags=0, qos=None, properties=b""):
    """Without `qos`: 1 with a packet id, 0 without one."""
    qos = qos if qos is not None else 1 if packet_id else 0
    payload = payload if isinstance(payload, bytes) else payload.encode()
    name = struct.pack("!H", packet_id) if qos else b""
    return packet(PUBLISH, text(topic) + name + block(version, properties) + payload, flags | qos << 1)


def subscribe_packet(filters, packet_id=1, version=5, qos=0, properties=b""):
    """A filter is a text, with the QoS as its options, or (text, options)."""
    pairs = [one if isinstance(one, tuple) else (one, qos) for one in filters]
    body = struct.pack("!H", packet_id) + block(version, properties)
    return packet(SUBSCRIBE, body + b"".join(text(one) + bytes([options]) for one, options in pairs), 2)


def unsubscribe_packet(filters, packet_id=1, version=5, properties=b""):
    body = struct.pack("!H", packet_id) + block(version, properties)
    return packet(UNSUBSCRIBE, body + b"".join(text(one) for one in filters), 2)


def ack_packet(kind, packet_id, reason=None, properties=None):
    """PUBACK, PUBREC, PUBREL, PUBCOMP; without a reason in the short form that both versions have."""
    body = struct.pack("!H", packet_id) + (bytes([reason]) if reason is not None else b"")
    return packet(kind, body + (variable(len(properties)) + properties if properties is not None else b""),
                  2 if kind == PUBREL else 0)


def ending_packet(kind, reason=None, properties=None):
    """DISCONNECT and AUTH of 5.0."""
    body = bytes([reason]) if reason is not None else b""
    return packet(kind, body + (variable(len(properties)) + properties if properties is not None else b""))


class Reader:
    """Reads down a packet's body; running over its end is an assertion that names the packet."""

    def __init__(self, data):
        self.left = data

    def take(self, count):
        assert count <= len(self.left), f"{count} bytes are wanted and {self.left!r} is left"
        taken, self.left = self.left[:count], self.left[count:]
        return taken

    def number(self, layout):
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def variable(self):
        value, shift = 0, 0
        while (digit := self.take(1)[0]) & 128:
            value, shift = value | (digit & 127) << shift, shift + 7
        return value | digit << shift

    def binary(self):
        return self.take(self.number("!H"))

    def text(self):
        return self.binary().decode()

    def property(self):
        name, kind = NAMES[self.take(1)[0]]
        if kind == PAIR:
            return name, (self.text(), self.text())
        if kind == VARIABLE:
            return name, self.variable()
        if kind in NUMBERS:
            return name, self.number(NUMBERS[kind])
        return name, self.text() if kind == TEXT else self.binary()

    def properties(self):
        inside, found = Reader(self.take(self.variable())), []
        while inside.left:
            found.append(inside.property())
        return found


class Packet:
    """What came. `listed` are its properties in order, `properties` those that come once, by name."""

    def __init__(self, first, body, version):
        self.kind, self.flags, self.body, self.version = first >> 4, first & 15, body, version
        self.reason = self.packet_id = None
        self.listed = []
        reader = Reader(body)
        if self.kind == CONNACK:
            self._read_connack(reader)
        elif self.kind in ACKS:
            self._read_ack(reader)
        elif self.kind in (SUBACK, UNSUBACK):
            self.packet_id = reader.number("!H")
            self._read_properties(reader)
            self.reasons = list(reader.left)
        elif self.kind in (DISCONNECT, AUTH):
            self.reason = reader.take(1)[0] if reader.left else 0
            self._read_properties(reader)
        elif self.kind == PUBLISH:
            self._read_publish(reader)
        self.properties = dict(self.listed)

    def _read_properties(self, reader):
        if self.version == 5 and reader.left:
            self.listed = reader.properties()

    def _read_connack(self, reader):
        self.session_present, self.reason = reader.take(1)[0], reader.take(1)[0]
        self._read_properties(reader)

    def _read_ack(self, reader):
        self.packet_id = reader.number("!H")
        self.reason = reader.take(1)[0] if reader.left else 0
        self._read_properties(reader)

    def _read_publish(self, reader):
        self.qos, self.retain, self.dup = self.flags >> 1 & 3, self.flags & 1, self.flags >> 3
        self.topic = reader.text()
        if self.qos:
            self.packet_id = reader.number("!H")
        self._read_properties(reader)
        self.payload = reader.left

    def all(self, name):
        """The values of a property that may be repeated."""
        return [value for one, value in self.listed if one == name]

    def __repr__(self):
        return f"packet {self.kind} flags {self.flags} reason {self.reason} {self.body[:80]!r}"
