# SPDX-License-Identifier: Apache-2.0
"""The agent's spool on disk, read and filled by the tests' own hand, from src/uplink/spool_segment.h and spool_head.c."""
import json
import struct

MAGIC = b"HFSPOOL1"
HEAD, RECORD_HEAD, SLOT = 16, 16, 16
SEGMENT_BYTES = 1 << 18


def _table():
    rows = []
    for row in range(256):
        for _ in range(8):
            row = row >> 1 ^ (0x82F63B78 if row & 1 else 0)
        rows.append(row)
    return rows


TABLE = _table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


class Record:
    def __init__(self, number, topic, payload):
        self.number, self.topic, self.payload = number, topic, payload

    @property
    def leaf(self):
        """"telemetry", "events", "twin/reported"."""
        return self.topic.split("/", 2)[2]

    @property
    def json(self):
        return json.loads(self.payload)


def _records_of(data, number):
    """Ends at the first record that is not whole, as after a crash."""
    at = HEAD
    while at + RECORD_HEAD <= len(data):
        size, check, found = struct.unpack_from("!IIQ", data, at)
        body = data[at + RECORD_HEAD: at + RECORD_HEAD + size]
        if found != number or len(body) < size or crc32c(data[at:at + 4] + data[at + 8:at + RECORD_HEAD] + body) != check:
            return
        topic_size = struct.unpack_from("!H", body)[0]
        yield Record(number, body[2:2 + topic_size].decode(), body[2 + topic_size:])
        at, number = at + RECORD_HEAD + size, number + 1


def oldest(folder):
    """The number of the oldest record that was not dropped."""
    head = folder / "head"
    data = head.read_bytes() if head.exists() else b""
    slots = [struct.unpack_from("!QI", data, at) for at in range(0, len(data) - SLOT + 1, SLOT)]
    return max((number for number, check in slots if crc32c(struct.pack("!Q", number)) == check), default=1)


def read(folder):
    """The records that wait, oldest first."""
    first, waiting = oldest(folder), []
    for path in sorted(folder.glob("*.spool")):
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # emptied by an agent that runs
            continue
        assert data[:8] == MAGIC, path
        waiting += [record for record in _records_of(data, struct.unpack_from("!Q", data, 8)[0]) if record.number >= first]
    return waiting


def fill(folder, messages):
    """Puts (topic, payload) behind what waits, as an agent without a connection does. No agent may run."""
    folder.mkdir(mode=0o700, exist_ok=True)
    waiting = read(folder)
    number = waiting[-1].number + 1 if waiting else oldest(folder)
    segment, first = bytearray(), number
    for topic, payload in messages:
        body = struct.pack("!H", len(topic)) + topic.encode() + payload.encode()
        size, tail = struct.pack("!I", len(body)), struct.pack("!Q", number) + body
        segment += size + struct.pack("!I", crc32c(size + tail)) + tail
        number += 1
        if len(segment) > SEGMENT_BYTES:
            _write(folder, first, segment)
            segment, first = bytearray(), number
    _write(folder, first, segment)


def _write(folder, first, segment):
    path = folder / f"{first:016x}.spool"
    path.write_bytes(MAGIC + struct.pack("!Q", first) + segment)
    path.chmod(0o600)
