# SPDX-License-Identifier: Apache-2.0
"""The transport as peers from outside see it: ports in the clear and for WebSockets, peers that are slow, silent, half
gone or too many, and that none of them is felt by the others."""
import select
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from harness.device import Device
from harness.mqtt_client import CONNACK, PINGRESP, PUBACK, PUBLISH, Client, connect_packet, packet, publish_packet, tls_socket

PATIENCE_S = 60
PINGREQ = 12
NOT_AUTHORIZED = 0x87
GENEROUS = {"limits_device__rate": 1000000}


@pytest.fixture(scope="module")
def open_server(tmp_path_factory):
    """A server with every port that there is."""
    from harness.server import Server
    with Server(tmp_path_factory.mktemp("open"), mqtt_plain="true", mqtt_plain__port=0, mqtt_plain__websocket="true",
                mqtt_plain__websocket__port=0, mqtt_websocket="true", mqtt_websocket__port=0, mqtt_websocket__address="127.0.0.1",
                mqtt_insecure__anonymous="true", limits_handshake="2s", limits_stall="2s", **GENEROUS) as running:
        running.make_account()
        yield running


@pytest.fixture(scope="module")
def device(open_server, tmp_path_factory):
    return Device(tmp_path_factory.mktemp("devices"), "pump", open_server).enrol()


def plain_socket(server):
    raw = socket.create_connection(("127.0.0.1", server.plain_port), timeout=PATIENCE_S)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return raw


def plain_client(server, client_id, version=5):
    one = Client(plain_socket(server), version)
    assert one.connect(client_id).reason == 0
    return one


def closes_within(stream, seconds):
    """How long it took until the peer closed; what it says before is read."""
    began = time.monotonic()
    stream.settimeout(seconds)
    try:
        while stream.recv(65536):
            pass
    except (ssl.SSLError, ConnectionError):
        pass
    return time.monotonic() - began


# -- the ports

def test_mosquitto_talks_in_the_clear(open_server):
    words = ["-h", "127.0.0.1", "-p", str(open_server.plain_port)]
    for version in ("mqttv311", "mqttv5"):
        listener = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", *words, "-V", version, "-d", "-t", "plant/#", "-q", "1", "-C", "1"],
                                    stdout=subprocess.PIPE, text=True)
        while "Subscribed" not in listener.stdout.readline():
            pass
        subprocess.run(["mosquitto_pub", *words, "-V", version, "-t", "plant/line", "-q", "1", "-m", version], check=True, timeout=PATIENCE_S)
        assert version in listener.communicate(timeout=PATIENCE_S)[0]


def test_the_anonymous_reach_nothing_of_the_devices(open_server, device):
    with plain_client(open_server, "stranger") as stranger, Client(tls_socket(open_server, device)) as pump:
        assert pump.connect("pump").reason == 0
        assert stranger.subscribe("devices/#", "devices/pump/telemetry", "$holdfast/#", "#") == [NOT_AUTHORIZED] * 3 + [0]
        assert stranger.publish("devices/pump/telemetry", '{"a":1}', 1) == NOT_AUTHORIZED
        assert pump.publish("devices/pump/telemetry", '{"a":1}', 1) == 0
        stranger.send(publish_packet("open/topic", "mine"))
        assert stranger.expect(PUBLISH).topic == "open/topic", "its # matches no topic of a device"


def test_without_the_setting_the_anonymous_are_refused(new_server):
    server = new_server(mqtt_plain="true", mqtt_plain__port=0)
    refused = Client(plain_socket(server))
    assert refused.connect("stranger").reason == NOT_AUTHORIZED
    refused.close()


def test_a_plain_port_beyond_the_loopback_has_to_be_asked_for(open_server):
    from harness.server import BUILD
    words = [BUILD / "holdfastd", "--check", "--set", "mqtt.plain=true", "--set", "mqtt.plain-address=0.0.0.0"]
    refused = subprocess.run(words, capture_output=True, text=True)
    assert refused.returncode == 1 and "mqtt.insecure-plain-anywhere" in refused.stderr
    assert subprocess.run([*words, "--set", "mqtt.insecure-plain-anywhere=true"], capture_output=True).returncode == 0


def upgrade(stream, path="/mqtt"):
    stream.sendall((f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = stream.recv(1)
        assert piece, answer
        answer += piece
    return int(answer.split()[1])


def frame(payload, first=0x82):
    assert len(payload) < 126
    return bytes([first, 0x80 | len(payload), 0, 0, 0, 0]) + payload


def read_exactly(stream, count):
    data = b""
    while len(data) < count:
        piece = stream.recv(count - len(data))
        assert piece, data
        data += piece
    return data


def read_frame(stream):
    head = read_exactly(stream, 2)
    return head[0], read_exactly(stream, head[1] & 0x7F)


def websocket_connects(stream, path):
    assert upgrade(stream, path) == 101
    stream.sendall(frame(connect_packet("web", version=4)))
    first, payload = read_frame(stream)
    while first != 0x82:
        first, payload = read_frame(stream)
    return payload[0] >> 4 == CONNACK and payload[3] == 0


def test_websockets_in_the_clear(open_server):
    with socket.create_connection(("127.0.0.1", open_server.further_ports["MQTT over ws"]), timeout=PATIENCE_S) as stream:
        assert websocket_connects(stream, "/")


@pytest.mark.parametrize("which", ["the port of its own", "the HTTPS port"])
def test_websockets_with_a_devices_certificate(open_server, device, which):
    port = open_server.further_ports["MQTT over wss"] if which == "the port of its own" else open_server.http_port
    with tls_socket(open_server, device, port) as stream:
        assert websocket_connects(stream, "/mqtt")


def test_the_websocket_port_wants_a_certificate_and_serves_nothing_else(open_server, device):
    port = open_server.further_ports["MQTT over wss"]
    with pytest.raises((ssl.SSLError, OSError)), tls_socket(open_server, port=port) as stream:
        stream.recv(1)
    with tls_socket(open_server, device, port) as stream:
        stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert stream.recv(65536).split()[1] in (b"404", b"426")


def test_a_packet_in_fragments_with_a_ping_between(open_server):
    with socket.create_connection(("127.0.0.1", open_server.further_ports["MQTT over ws"]), timeout=PATIENCE_S) as stream:
        assert upgrade(stream) == 101
        connect = connect_packet("pieces", version=4)
        stream.sendall(frame(connect[:3], 0x02) + frame(b"?", 0x89) + frame(connect[3:7], 0x00) + frame(connect[7:], 0x80))
        answers = {}
        while 0x82 not in answers:
            first, payload = read_frame(stream)
            answers[first] = payload
        assert answers[0x8A] == b"?" and answers[0x82][0] >> 4 == CONNACK


# -- slow and silent peers

def drip(stream, data, every_s=0.1):
    """One byte at a time until the peer closes or all is sent."""
    for byte in data:
        try:
            stream.send(bytes([byte]))
        except (ssl.SSLError, OSError):
            return
        if select.select([stream], [], [], every_s)[0]:
            return


def test_slow_speakers_have_their_time_and_no_more(open_server, device):
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
    mqtt = connect_packet("slow" * 50)
    streams = {
        "TLS": (socket.create_connection(("127.0.0.1", open_server.mqtt_port)), hello),
        "CONNECT in the clear": (plain_socket(open_server), mqtt),
        "CONNECT in TLS": (tls_socket(open_server, device), mqtt),
        "a head of HTTP": (tls_socket(open_server, port=open_server.http_port), b"GET / HTTP/1.1\r\nX: " + b"x" * 500),
    }
    web = socket.create_connection(("127.0.0.1", open_server.further_ports["MQTT over ws"]), timeout=PATIENCE_S)
    assert upgrade(web) == 101
    streams["frames"] = (web, b"".join(frame(bytes([byte])) for byte in mqtt))
    began = time.monotonic()
    threads = [threading.Thread(target=drip, args=pair) for pair in streams.values()]
    for one in threads:
        one.start()
    for one in threads:
        one.join(PATIENCE_S)
    took = time.monotonic() - began
    assert took < 20, "two seconds is what each step has"
    for name, (stream, _) in streams.items():
        assert closes_within(stream, PATIENCE_S) < 10, name
        stream.close()


def test_silent_peers_are_let_go(open_server):
    streams = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
               for port in (open_server.mqtt_port, open_server.http_port, open_server.plain_port)]
    for stream in streams:
        assert closes_within(stream, PATIENCE_S) < 10
        stream.close()


def test_a_half_open_peer_ends_by_its_keep_alive(open_server):
    one = Client(plain_socket(open_server))
    one.send(connect_packet("half-open", keep_alive=1))
    assert one.expect(CONNACK).reason == 0
    assert 1 <= closes_within(one.stream, PATIENCE_S) < 10, "one and a half times its keep-alive"
    one.close()


def test_a_peer_that_shut_its_side_still_gets_its_answer(open_server):
    stream = plain_socket(open_server)
    stream.sendall(connect_packet("brief", version=4))
    stream.shutdown(socket.SHUT_WR)
    stream.settimeout(PATIENCE_S)
    answer = stream.recv(65536)
    assert not answer or answer[0] >> 4 == CONNACK
    stream.close()


def test_connect_byte_by_byte(open_server):
    one = Client(plain_socket(open_server))
    for byte in connect_packet("bytes"):
        one.send(bytes([byte]))
    assert one.expect(CONNACK).reason == 0
    for byte in publish_packet("a/b", "x" * 300, 1):
        one.send(bytes([byte]))
    assert one.expect(PUBACK).reason == 0
    one.close()


# -- too much

def latency_of(server, client_id, rounds):
    """The longest of so many round trips of a ping, in seconds."""
    worst = 0
    with plain_client(server, client_id) as one:
        for _ in range(rounds):
            began = time.monotonic()
            one.send(packet(PINGREQ, b""))
            one.expect(PINGRESP)
            worst = max(worst, time.monotonic() - began)
    return worst


def flood(server, stop, client_id):
    """Tiny packets as fast as they are taken; answers are read and forgotten."""
    with plain_client(server, client_id) as one:
        one.stream.setblocking(False)
        tiny = packet(PINGREQ, b"") * 8192
        rest = b""
        while not stop.is_set():
            readable, writable, _ = select.select([one.stream], [one.stream], [], 1)
            if readable:
                one.stream.recv(1 << 20)
            if writable:
                rest = rest or tiny
                rest = rest[one.stream.send(rest):]


def test_billions_of_tiny_packets_starve_nobody(open_server):
    stop = threading.Event()
    threads = [threading.Thread(target=flood, args=(open_server, stop, f"flood-{i}")) for i in range(3)]
    for one in threads:
        one.start()
    try:
        worst = latency_of(open_server, "patient", 200)
    finally:
        stop.set()
        for one in threads:
            one.join()
    assert worst < 2, f"{worst} s: most of it is this machine's two processors and Python's"


def storm(server, device, stop, done):
    while not stop.is_set():
        try:
            with Client(tls_socket(server, device)) as one:
                one.connect(f"storm-{threading.get_ident()}")
                done.append(1)
        except (OSError, ConnectionError):
            pass


def test_a_reconnect_storm_leaves_live_sessions_alone(open_server, device):
    stop, done = threading.Event(), []
    threads = [threading.Thread(target=storm, args=(open_server, device, stop, done)) for _ in range(8)]
    with Client(tls_socket(open_server, device)) as live:
        assert live.connect("live").reason == 0
        for one in threads:
            one.start()
        try:
            worst = 0
            for number in range(1, 101):
                began = time.monotonic()
                assert live.publish("devices/pump/telemetry", '{"a":1}', number) == 0
                worst = max(worst, time.monotonic() - began)
        finally:
            stop.set()
            for one in threads:
                one.join(PATIENCE_S)
    assert len(done) > 10, "they came, too"
    assert worst < 2, f"{worst} s until a PUBACK"


def test_more_than_the_bound_are_told_to_come_back(new_server):
    server = new_server(limits_handshakes=1, limits_handshake="1s", threads_loops=1)
    silent = [socket.create_connection(("127.0.0.1", server.mqtt_port), timeout=PATIENCE_S) for _ in range(12)]
    refused = 0
    for stream in silent:
        said = b""
        try:
            while piece := stream.recv(65536):
                said += piece
        except ConnectionError:
            pass
        refused += said[:1] == b"\x15"  # an alert in the clear
        stream.close()
    assert refused >= 2
    server.make_account()
    text = server.api.ask("GET", "/metrics").body.decode()
    shed = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("holdfast_handshakes_shed_total "))
    assert shed >= refused
