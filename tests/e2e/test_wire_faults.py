# SPDX-License-Identifier: Apache-2.0
"""What no honest peer sends: broken, cut and oversized packets and requests, peers that send nothing or read nothing.
The server answers what can be answered, lets go of the rest, and lives: it is the same process after all of it."""
import re
import resource
import select
import socket
import ssl
import struct
import urllib.parse

import pytest

from harness.device import Device
from harness.http_wire import Wire
from harness.mqtt_client import (CONNACK, DISCONNECT, PUBACK, PUBLISH, SUBSCRIBE, Client, ack_packet, client, connect_packet,
                                 packet, publish_packet, subscribe_packet, text, tls_socket, variable)
from harness.server import Server

MALFORMED, PROTOCOL_ERROR, PACKET_TOO_LARGE, TOPIC_INVALID = 0x81, 0x82, 0x95, 0x90


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with little patience, whose process must be the same at the end."""
    folder = tmp_path_factory.mktemp("server")
    with Server(folder, limits_handshake="1s", limits_body="1s", limits_idle="2s", limits_stall="2s", mqtt_queue__messages=20,
                mqtt_queue__bytes=65536, limits_device__rate=1000000, mqtt_packet__max=65536, http_body__max=65536) as running:
        running.make_account()
        pid = running.process()
        yield running
        assert running.process() == pid, running.log.read_text()[-3000:]


@pytest.fixture(scope="module")
def device(server, tmp_path_factory):
    return Device(tmp_path_factory.mktemp("devices"), "pump", server).enrol()


def metric(server, name, **labels):
    """One number; of a labelled one, that with these labels."""
    wanted = f"holdfast_{name}" + ("{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else "")
    lines = server.api.ask("GET", "/metrics").body.decode().splitlines()
    return int(next(number for series, number in (line.rsplit(" ", 1) for line in lines) if series == wanted))


def dropped_for(server, client_id):
    query = urllib.parse.urlencode({"kind": "device", "principal": "pump", "client": client_id})
    return server.api.get(f"/api/v1/sessions/one?{query}")["dropped"]


def resident_kb(server):
    return int(re.search(r"VmRSS:\s+(\d+) kB", open(f"/proc/{server.process()}/status").read()).group(1))


def newest(server):
    events = server.api.events(limit=1)
    return events[0]["id"] if events else 0


# -- MQTT

BROKEN = {  # what comes after a good CONNECT of MQTT 5: the packet, the reasons that may answer it
    "type 0": (b"\x00\x00", [MALFORMED]),
    "wrong flags of SUBSCRIBE": (packet(SUBSCRIBE, b"\0\1\0" + text("a") + b"\0", 0), [MALFORMED]),
    "QoS 3": (packet(PUBLISH, text("devices/pump/a") + b"\0\1\0", 6), [MALFORMED]),
    "DUP with QoS 0": (packet(PUBLISH, text("devices/pump/a") + b"\0", 8), [MALFORMED, PROTOCOL_ERROR]),
    "packet id 0": (packet(PUBLISH, text("devices/pump/a") + b"\0\0\0", 2), [MALFORMED, PROTOCOL_ERROR]),
    "a length of five bytes": (b"\x30\xff\xff\xff\xff\x01", [MALFORMED]),
    "a topic longer than its packet": (packet(PUBLISH, b"\xff\xffabc"), [MALFORMED]),
    "a topic with a wildcard": (packet(PUBLISH, text("devices/pump/#") + b"\0"), [MALFORMED, TOPIC_INVALID, PROTOCOL_ERROR]),
    "a topic that is no UTF-8": (packet(PUBLISH, text(b"devices/pump/\xc0\x80") + b"\0"), [MALFORMED]),
    "a topic with NUL": (packet(PUBLISH, text("devices/pump/\0") + b"\0"), [MALFORMED]),
    "properties longer than the packet": (packet(PUBLISH, text("devices/pump/a") + b"\x7f"), [MALFORMED]),
    "an unknown property": (packet(PUBLISH, text("devices/pump/a") + b"\x02\x7e\x00"), [MALFORMED]),
    "a property twice": (packet(PUBLISH, text("devices/pump/a") + b"\x04\x01\x00\x01\x00"), [MALFORMED, PROTOCOL_ERROR]),
    "SUBSCRIBE without a filter": (packet(SUBSCRIBE, b"\0\1\0", 2), [MALFORMED, PROTOCOL_ERROR]),
    "a second CONNECT": (connect_packet("again"), [PROTOCOL_ERROR]),
    "a CONNACK from a client": (packet(CONNACK, b"\0\0\0"), [MALFORMED, PROTOCOL_ERROR]),
    "a PINGREQ with a body": (b"\xc0\x01\x00", [MALFORMED]),
    "more than the server takes": (publish_packet("devices/pump/a", b"x" * 65536), [PACKET_TOO_LARGE]),
    "the length alone says too much": (b"\x30" + variable(268435455), [PACKET_TOO_LARGE]),
    "an HTTP request": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", [MALFORMED, PROTOCOL_ERROR, PACKET_TOO_LARGE]),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_broken_packets_are_named_and_closed(server, device, rule):
    data, reasons = BROKEN[rule]
    before = newest(server)
    with client(server, device) as one:
        one.send(data)
        came = one.wait_closed()
        assert len(came) == 1 and came[0].kind == DISCONNECT and came[0].reason in reasons, came
    assert server.api.wait_event("protocol.error", "pump", before)["detail"]["why"]
    if "propert" not in rule:  # 3.1.1 has none: there it is payload
        with client(server, device, version=4) as old:
            old.send(data)
            assert old.wait_closed() == []


FIRST = {  # instead of a CONNECT: the packet, the reason in CONNACK or None when there is none
    "something else": (publish_packet("devices/pump/a", "x"), None),
    "rubbish": (b"\x16\x03\x01\x02\x00" * 20, None),
    "a reserved flag": (connect_packet("x").replace(b"MQTT\x05\x02", b"MQTT\x05\x03"), MALFORMED),
    "a client id that is too long": (connect_packet("x" * 300), 0x85),
    "a client id that is no UTF-8": (connect_packet(b"\xff"), MALFORMED),
    "a will cut off": (packet(1, text("MQTT") + b"\x05\x06\x00\x3c\x00" + text("x") + b"\x00\x00\x09a"), MALFORMED),
    "bytes behind the end": (packet(1, connect_packet("x")[2:] + b"more"), MALFORMED),
}


@pytest.mark.parametrize("rule", FIRST)
def test_broken_connects_are_refused(server, device, rule):
    data, reason = FIRST[rule]
    with Client(tls_socket(server, device)) as one:
        one.send(data)
        came = [(answer.kind, answer.reason) for answer in one.wait_closed()]
    assert came == ([(CONNACK, reason)] if reason else []), came


def test_packets_cut_anywhere_are_waited_for(server, device):
    whole = connect_packet("cut", will=("devices/pump/will", "x")) + subscribe_packet(["devices/pump/#"])
    whole += publish_packet("devices/pump/telemetry", '{"a":1}', 7)
    for at in range(1, len(whole), 7):
        with Client(tls_socket(server, device)) as one:
            one.send(whole[:at])
    with Client(tls_socket(server, device)) as one:
        for at in range(len(whole)):
            one.send(whole[at:at + 1])
        kinds = [one.read().kind for _ in range(4)]
        assert sorted(kinds) == [CONNACK, PUBLISH, 4, 9], kinds


# -- HTTP

def smuggled(*lines, body=""):
    return "\r\n".join(["POST /api/v1/session HTTP/1.1", "Host: localhost", *lines, "", ""]) + body


REQUESTS = {  # the request, the statuses that may answer it
    "rubbish": ("\x16\x03\x01" * 30 + "\r\n\r\n", [400]),
    "no such version": ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", [400, 505]),
    "no Host": ("GET / HTTP/1.1\r\n\r\n", [400]),
    "two Hosts": ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", [400]),
    "a blank before the colon": ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", [400]),
    "a folded header": ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", [400]),
    "a NUL in a header": ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\0\r\n\r\n", [400]),
    "a bare CR": ("GET / HTTP/1.1\r\nHost: a\rX: 1\r\n\r\n", [400]),
    "a target with blanks": ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", [400, 505]),
    "length and chunks": (smuggled("Content-Length: 4", "Transfer-Encoding: chunked", body="0\r\n\r\n"), [400]),
    "two lengths": (smuggled("Content-Length: 4", "Content-Length: 5", body="12345"), [400]),
    "a list of lengths": (smuggled("Content-Length: 4, 5", body="12345"), [400]),
    "a negative length": (smuggled("Content-Length: -1"), [400]),
    "a length with a sign": (smuggled("Content-Length: +4", body="1234"), [400]),
    "a length in hex": (smuggled("Content-Length: 0x4", body="1234"), [400]),
    "a length past 64 bits": (smuggled("Content-Length: 18446744073709551617", body="1"), [400, 413]),
    "chunked not last": (smuggled("Transfer-Encoding: chunked, gzip", body="0\r\n\r\n"), [400, 501]),
    "chunked twice": (smuggled("Transfer-Encoding: chunked, chunked", body="0\r\n\r\n"), [400, 501]),
    "an unknown coding": (smuggled("Transfer-Encoding: xchunked", body="0\r\n\r\n"), [400, 501]),
    "an obscured coding": (smuggled("Transfer-Encoding:\x0bchunked", body="0\r\n\r\n"), [400, 501]),
    "a chunk size that is none": (smuggled("Transfer-Encoding: chunked", body="g\r\n"), [400]),
    "a chunk size past 64 bits": (smuggled("Transfer-Encoding: chunked", body="11111111111111111\r\n"), [400, 413]),
    "a chunk longer than it says": (smuggled("Transfer-Encoding: chunked", body="1\r\nab\r\n0\r\n\r\n"), [400]),
    "a body that is too long": (smuggled("Content-Length: 65537"), [413]),
    "chunks that are too long": (smuggled("Transfer-Encoding: chunked", body="10001\r\n" + "x" * 0x10001 + "\r\n0\r\n\r\n"), [413]),
    "a target that is too long": ("GET /" + "a" * 70000 + " HTTP/1.1\r\nHost: a\r\n\r\n", [414, 431]),
    "a header that is too long": ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "a" * 70000 + "\r\n\r\n", [431]),
    "too many headers": ("GET / HTTP/1.1\r\nHost: a\r\n" + "X: 1\r\n" * 5000 + "\r\n", [431]),
    "a method that is none": ("BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", [400, 405, 501]),
    "a tunnel": ("CONNECT other:443 HTTP/1.1\r\nHost: a\r\n\r\n", [400, 405, 501]),
    "the preface of HTTP/2": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400, 505]),
}


@pytest.mark.parametrize("rule", REQUESTS)
def test_broken_requests_are_answered_once_and_closed(server, rule):
    data, statuses = REQUESTS[rule]
    hidden = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    with Wire(server) as wire:
        try:
            wire.send(data + hidden)
        except OSError:
            pass  # it was refused before all of it was sent; the answer may still be there
        answer = wire.answer()
        assert answer.status in statuses, answer
        assert answer.headers["content-type"] == "application/problem+json" and answer.json["detail"], answer
        assert answer.headers["connection"] == "close"
        assert b"HTTP/1.1" not in wire.wait_closed(), "what was hidden behind it was answered"


# -- slow peers

@pytest.mark.parametrize("begun", ["", "GET / HTTP/1.1\r\nHost: localhost\r\n", smuggled("Content-Length: 10", body="{"),
                                   smuggled("Transfer-Encoding: chunked", body="3\r\nabc\r\n")])
def test_a_request_that_does_not_go_on_is_ended(server, begun):
    with Wire(server) as wire:
        wire.send(begun)
        answer = wire.wait_closed()
        assert answer.startswith(b"HTTP/1.1 408 ") if begun else not answer, answer


def test_a_head_that_drips_is_ended_in_time(server):
    """Each piece is in time; the whole is not."""
    sent, answer = 0, b""
    with Wire(server) as wire:
        wire.stream.settimeout(0.05)
        while not answer and sent < 1000:
            wire.send(("GET / HTTP/1.1\r\nX: " + "x" * 1000)[sent])
            sent += 1
            try:
                answer = wire.stream.recv(1024)
            except TimeoutError:
                pass
    assert answer.startswith(b"HTTP/1.1 408 ") and sent < 100, (sent, answer)


def test_a_connection_at_rest_is_ended(server):
    with Wire(server) as wire:
        assert wire.ask("GET", "/healthz").status == 200
        assert wire.wait_closed() == b""


def read_to_end(raw):
    try:
        while raw.recv(1024):
            pass
    except ConnectionError:
        pass
    raw.close()


def test_a_tls_handshake_that_does_not_go_on_is_ended(server):
    begun = []
    for port in (server.http_port, server.mqtt_port):
        for data in (b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n"):
            begun.append(socket.create_connection(("127.0.0.1", port), timeout=60))
            begun[-1].sendall(data)
    for raw in begun:
        read_to_end(raw)


def test_a_thousand_connections_that_send_nothing(server, device):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    idle = [socket.create_connection(("127.0.0.1", (server.mqtt_port, server.http_port)[n % 2]), timeout=60) for n in range(1000)]
    with client(server, device, "real") as real:
        assert real.publish("devices/pump/telemetry", '{"real": 1}', 1) == 0
    assert server.api.ask("GET", "/healthz").status == 200
    for one in idle:
        assert one.recv(1) == b"", "the handshake's time ends it"
        one.close()


def test_connections_over_the_bound_are_refused(new_server):
    server = new_server(limits_connections=20)
    held = [tls_socket(server, port=server.http_port) for _ in range(20)]
    for _ in range(3):
        with pytest.raises((ssl.SSLError, OSError)):
            tls_socket(server, port=server.http_port)
    while held:
        held.pop().close()
    answers = 0
    while answers != 200:  # the server hears of the closing in its own time
        try:
            answers = server.api.ask("GET", "/healthz").status
        except OSError:
            pass
    server.make_account()
    assert metric(server, "connections") < 20


# -- peers that do not read

def test_a_subscriber_that_does_not_read_hurts_itself_only(server, device):
    dropped, before, resident = metric(server, "messages_dropped_total", reason="queue"), newest(server), resident_kb(server)
    deaf = Client(tls_socket(server, device, receive_buffer=4096))
    deaf.connect("deaf")
    assert deaf.subscribe("devices/pump/flood") == [0]
    with client(server, device, "speaker") as speaker, client(server, device, "listener") as listener:
        assert listener.subscribe("devices/pump/flood") == [0]
        for number in range(1, 1001):
            assert speaker.publish("devices/pump/flood", struct.pack("!I", number) + b"x" * 16000, number) == 0
            assert listener.expect(PUBLISH).payload[:4] == struct.pack("!I", number), "another one hears all of it"
    assert resident_kb(server) - resident < 8192, "kB: 16 MB were for it"
    assert server.api.wait_event("subscriber.slow", "pump", before)["detail"]["why"]
    assert metric(server, "messages_dropped_total", reason="queue") > dropped
    client_id = None
    while client_id != "deaf":  # a peer that takes nothing for too long is let go
        event = server.api.wait_event("device.disconnected", "pump", before)
        client_id, before = event["detail"]["client"], event["id"]
    deaf.close()


def test_a_qos_1_subscriber_that_does_not_acknowledge_loses_the_oldest(server, device):
    """mqtt.queue-messages is 20: two are under way, and what comes goes on to push out what waits longest."""
    dropped, before = metric(server, "messages_dropped_total", reason="queue"), newest(server)
    with client(server, device, "mute", properties=b"\x21\x00\x02") as mute, client(server, device, "speaker") as speaker:
        assert mute.subscribe("devices/pump/flood", qos=1) == [1]
        for number in range(1, 41):
            assert speaker.publish("devices/pump/flood", str(number), number) == 0
        assert dropped_for(server, "mute") == metric(server, "messages_dropped_total", reason="queue") - dropped == 20
        assert server.api.wait_event("subscriber.slow", "pump", before)["detail"]["why"]
        came = [mute.expect(PUBLISH) for _ in range(2)]
        for _ in range(18):  # each one brings the next: it heard no more than its Receive Maximum before
            mute.send(ack_packet(PUBACK, came[-2].packet_id))
            came.append(mute.expect(PUBLISH))
        assert [int(one.payload) for one in came] == [1, 2, *range(23, 41)]


def test_answers_that_are_not_read_fill_no_memory(server):
    """A few bytes ask for 50 MB: they wait until what came before was taken, and all come in the end."""
    before = resident_kb(server)
    with Wire(server, receive_buffer=4096) as deaf, Wire(server) as slow:
        deaf.send(f"GET /api/v1/openapi.json HTTP/1.1\r\nHost: {deaf.host}\r\n\r\n" * 1000)
        slow.send(f"GET /api/v1/openapi.json HTTP/1.1\r\nHost: {slow.host}\r\n\r\n" * 1000)
        sizes = {len(slow.answer().body) for _ in range(1000)}
        assert len(sizes) == 1 and sizes.pop() > 10000
        assert resident_kb(server) - before < 8192, "kB"
    assert server.api.ask("GET", "/healthz").status == 200


def test_a_reader_of_http_that_does_not_read_is_ended(server):
    with Wire(server, receive_buffer=4096) as wire:
        wire.send(f"GET /api/v1/openapi.json HTTP/1.1\r\nHost: {wire.host}\r\n\r\n" * 1000)
        poll = select.poll()
        poll.register(wire.stream, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        assert poll.poll(60000), "it was never let go"
    assert server.api.ask("GET", "/healthz").status == 200
