# SPDX-License-Identifier: Apache-2.0
"""MQTT over mutual TLS as clients from outside see it: mosquitto's, and one that misbehaves on purpose."""
import queue
import signal
import subprocess
import threading

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from harness.device import Device
from harness.forge import forge, issuer_of, make_authority
from harness.mqtt_client import PUBLISH, Client, client, connect_packet, publish_packet, tls_socket

VERSIONS = ["mqttv311", "mqttv5"]
NOT_AUTHORIZED, KEEP_ALIVE_TIMEOUT, TAKEN_OVER, PAYLOAD_INVALID = 0x87, 0x8D, 0x8E, 0x99
PATIENCE_S = 60


class Listener:
    """mosquitto_sub, with its lines as they come."""

    def __init__(self, device, *words, version="mqttv5"):
        self.lines, self.heard = queue.Queue(), []
        command = ["stdbuf", "-oL", *device.mosquitto("mosquitto_sub", "-d", "-v", *words, version=version)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def wait(self, wanted):
        """The next line that has the text in it."""
        while True:
            line = self.lines.get(timeout=PATIENCE_S)
            assert line is not None, f"{wanted!r} did not come: {self.heard}"
            self.heard.append(line)
            if wanted in line:
                return line

    def wait_end(self):
        while (line := self.lines.get(timeout=PATIENCE_S)) is not None:
            self.heard.append(line)
        return self.process.wait(timeout=PATIENCE_S)

    def __enter__(self):
        self.wait("Subscribed")
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def pump(server, tmp_path_factory):
    return Device(tmp_path_factory.mktemp("devices"), "pump", server).enrol()


@pytest.fixture(scope="module")
def valve(server, tmp_path_factory):
    return Device(tmp_path_factory.mktemp("devices"), "valve", server).enrol()


def newest(server):
    events = server.api.events(limit=1)
    return events[0]["id"] if events else 0


# -- what is accepted

@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("qos", [0, 1])
def test_own_topics_are_heard_through_wildcards(server, pump, version, qos):
    name = f"{version}-{qos}"
    with Listener(pump, "-q", qos, "-t", "devices/pump/+/#", version=version) as listener:
        done = pump.publish(f"devices/pump/telemetry/{name}", '{"level": 7.5}', qos, version)
        assert done.returncode == 0, done
        assert f'devices/pump/telemetry/{name} {{"level": 7.5}}' in listener.wait("level")
        done = pump.publish("devices/pump/free/for/all", b"\x00\xff not telemetry \xfe", qos, version)
        assert done.returncode == 0, done
        assert "devices/pump/free/for/all" in listener.wait("not telemetry")
    latest = {row["metric"]: row["value"] for row in server.api.get("/api/v1/devices/pump/latest")["values"]}
    assert latest[f"{name}.level"] == 7.5


def test_a_filter_that_does_not_fit_hears_nothing(server, pump):
    with client(server, pump, "deaf") as deaf, client(server, pump, "speaker") as speaker:
        assert deaf.subscribe("devices/pump/telemetry/+/deep", "devices/pump/last") == [0, 0]
        assert speaker.publish("devices/pump/telemetry/deep", '{"a":1}', 1) == 0
        assert speaker.publish("devices/pump/telemetry/very/deep", '{"a":1}', 2) == 0
        assert deaf.expect(PUBLISH).topic == "devices/pump/telemetry/very/deep"
        assert speaker.publish("devices/pump/lasting", "x", 3) == 0
        assert speaker.publish("devices/pump/last", "x", 4) == 0
        assert deaf.expect(PUBLISH).topic == "devices/pump/last"


def test_senml_is_kept(server, pump):
    pack = ('[{"bn":"urn:dev:1:","bt":1700000000,"bu":"Cel","n":"temp","v":21.5},{"n":"door","u":"/","vb":true},'
            '{"n":"temp","t":60,"v":22}]')
    assert pump.publish("devices/pump/telemetry", pack).returncode == 0
    series = server.api.get("/api/v1/devices/pump/series?metric=urn:dev:1:temp&from=1700000000000&to=1700000061000")
    assert series["points"] == [[1700000000000, 21.5], [1700000060000, 22]]
    latest = {row["metric"]: row for row in server.api.get("/api/v1/devices/pump/latest")["values"]}
    assert latest["urn:dev:1:temp"]["unit"] == "Cel" and latest["urn:dev:1:door"]["value"] is True


def test_events_and_documents_are_kept(server, pump):
    assert pump.publish("devices/pump/events", '{"kind":"disk.low","severity":"error","detail":{"free":3}}').returncode == 0
    event = server.api.wait_event("device.event", "pump")
    assert event["severity"] == "error" and event["detail"]["kind"] == "disk.low", event
    assert pump.publish("devices/pump/twin/reported", '{"inventory":{"os":"Debian"}}').returncode == 0
    documents = server.api.get("/api/v1/devices/pump/documents")["documents"]
    assert documents["inventory"]["content"] == {"os": "Debian"}


# -- what is refused

def test_another_devices_topic_is_refused(server, pump, valve):
    before = newest(server)
    done = valve.publish("devices/pump/telemetry", '{"a":1}', version="mqttv5")
    assert "RC:135" in done.stdout or "Not authorized" in done.stdout + done.stderr, done
    event = server.api.wait_event("publish.refused", "valve", before)
    assert event["detail"]["topic"] == "devices/pump/telemetry", event
    with client(server, valve, version=4) as old:
        old.send(publish_packet("devices/pump/telemetry", '{"a":1}', 1, version=4))
        assert old.wait_closed() == [], "3.1.1 has no refusal but closing"
    server.api.wait_event("publish.refused", "valve", event["id"])
    with client(server, valve) as new:
        rows = ["devices/pump/telemetry", "devices/valv/x", "devices/valve2/x", "other", "$holdfast/events/a/b/c", "/devices/valve/x"]
        for number, topic in enumerate(rows, 1):
            assert new.publish(topic, '{"a":1}', number) == NOT_AUTHORIZED, topic
        assert new.publish("devices/valve/fine", "x", 99) == 0
    assert not [row for row in server.api.get("/api/v1/devices/pump/latest")["values"] if row["metric"] == "a"]


def test_another_devices_filter_is_refused(server, pump, valve):
    before = newest(server)
    listener = Listener(valve, "-t", "devices/pump/#", version="mqttv5")
    assert "135" in listener.wait("Subscribed")
    listener.wait_end()
    event = server.api.wait_event("subscribe.refused", "valve", before)
    assert event["detail"]["topic"] == "devices/pump/#", event
    rows = ["devices/pump/#", "#", "devices/+/telemetry", "+/valve/telemetry", "devices/#", "$holdfast/events/#", "$SYS/#"]
    with client(server, valve) as new, client(server, valve, version=4) as old:
        assert new.subscribe(*rows) == [NOT_AUTHORIZED] * len(rows)
        assert old.subscribe(*rows) == [0x80] * len(rows)
        assert new.subscribe("devices/valve/#") == old.subscribe("devices/valve/#") == [0]
        assert client(server, pump).publish("devices/pump/telemetry", '{"secret":1}', 1) == 0
        assert new.publish("devices/valve/own", "x") is None
        assert new.expect(PUBLISH).topic == old.expect(PUBLISH).topic == "devices/valve/own", "nothing else came before"


def test_malformed_telemetry_is_named(server, valve):
    rows = {
        '{"pressure": null}': "pressure", '{"deep": {"er": [1]}}': "deep.er", '{"twice": 1, "twice": 2}': "twice",
        '[{"n": "sum", "s": 1}]': "s", '[{"n": "must", "v": 1, "x_": 2}]': "x_", '{"cut": ': "", "not json": "", "": "",
        "[]": "", "17": "", '{"time": "yesterday", "a": 1}': "time",
    }
    before = newest(server)
    with client(server, valve) as new:
        for number, (payload, member) in enumerate(rows.items(), 1):
            assert new.publish("devices/valve/telemetry", payload, number) == PAYLOAD_INVALID, payload
            event = server.api.wait_event("payload.refused", "valve", before)
            assert member in event["detail"]["why"] and len(event["detail"]["why"]) > 10, (payload, event)
            before = event["id"]
        assert new.publish("devices/valve/telemetry", b'{"text": "\xff"}', 90) == PAYLOAD_INVALID
        assert new.publish("devices/valve/events", '{"severity":"info"}', 91) == PAYLOAD_INVALID
        assert new.publish("devices/valve/twin/reported", "[1]", 92) == PAYLOAD_INVALID
        assert new.publish("devices/valve/telemetry", '{"good": 1}', 93) == 0
    metrics = [row["metric"] for row in server.api.get("/api/v1/devices/valve/latest")["values"]]
    assert metrics == ["good"]


# -- sessions

@pytest.mark.parametrize("version", VERSIONS)
def test_the_will_of_a_killed_client_is_delivered(server, pump, version):
    topic = f"devices/pump/wills/{version}"
    with Listener(pump, "-t", "devices/pump/wills/+", version=version) as heir:
        with Listener(pump, "-t", "devices/pump/x", "--will-topic", topic, "--will-payload", "gone", version=version) as mortal:
            mortal.process.send_signal(signal.SIGKILL)
            assert f"{topic} gone" in heir.wait("gone")
        with Listener(pump, "-t", "devices/pump/x", "-C", "1", "--will-topic", topic, "--will-payload", "never", version=version) as polite:
            assert pump.publish("devices/pump/x", "enough").returncode == 0
            polite.wait_end()
        assert pump.publish("devices/pump/wills/last", "the end").returncode == 0
        heir.wait("the end")
        assert not [line for line in heir.heard if "never" in line]


def test_a_will_is_judged_like_any_publish(server, pump, valve):
    before = newest(server)
    with client(server, pump) as listener:
        assert listener.subscribe("devices/pump/#") == [0]
        client(server, valve, will=("devices/pump/telemetry", '{"a":1}')).close()
        event = server.api.wait_event("publish.refused", "valve", before)
        assert event["detail"]["topic"] == "devices/pump/telemetry"
        assert listener.publish("devices/pump/own", "x") is None
        assert listener.expect(PUBLISH).topic == "devices/pump/own"


@pytest.mark.parametrize("version", [4, 5])
def test_a_client_that_falls_silent_is_let_go(server, pump, version):
    with client(server, pump, f"silent-{version}", version, keep_alive=1) as silent:
        came = silent.wait_closed()
    assert [one.reason for one in came] == ([KEEP_ALIVE_TIMEOUT] if version == 5 else [])


@pytest.mark.parametrize("version", [4, 5])
def test_a_client_id_is_taken_over(server, pump, valve, version):
    with client(server, pump, "same", version) as first, client(server, valve, "same", version) as foreign:
        with client(server, pump, "same", version) as second:
            came = first.wait_closed()
            assert [one.reason for one in came] == ([TAKEN_OVER] if version == 5 else [])
            assert second.publish("devices/pump/x", "x", 1) == 0
            assert foreign.publish("devices/valve/x", "x", 1) == 0, "another device's session of that name stays"


def test_presence_is_known(server, tmp_path):
    device = Device(tmp_path, "presence", server).enrol()
    with client(server, device, "one"):
        server.api.wait_event("device.connected", "presence")
        shown = server.api.get("/api/v1/devices/presence")
        assert shown["connected"] and shown["state"] == "active" and shown["connected_since"], shown
    server.api.wait_event("device.disconnected", "presence")
    assert not server.api.get("/api/v1/devices/presence")["connected"]


# -- who is let in

def refused(server, device, version=5):
    """A TLS 1.3 client learns of its refusal with the first bytes that it reads."""
    try:
        with Client(tls_socket(server, device), version) as one:
            one.send(connect_packet("stranger", version))
            return one.read()
    except (ConnectionError, OSError):
        return None


def test_no_certificate_is_refused(server):
    before = newest(server)
    assert refused(server, None) is None
    assert server.api.wait_event("connection.refused", after=before)["detail"]["why"]


def test_another_authoritys_certificate_is_refused(server, tmp_path, pump):
    before = newest(server)
    issuer = issuer_of(pump)
    for name in ("Another CA", issuer.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value):
        impostor = forge(Device(tmp_path, "pump", server), *make_authority(name))
        assert refused(server, impostor) is None
        event = server.api.wait_event("connection.refused", after=before)
        assert event["device"] is None and event["detail"]["why"], event
        before = event["id"]
    done = impostor.publish("devices/pump/x", "x")
    assert done.returncode != 0, done


@pytest.fixture
def issuing(server, pump):
    path = server.data / "keeper" / "issuing-key.pem"
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as why:
        pytest.skip(f"the issuing key is the keeper's alone: {why}")
    return issuer_of(pump), key


def test_an_expired_certificate_is_refused(server, tmp_path, issuing):
    device = Device(tmp_path, "pump", server)
    for begins, ends in ((-48, -24), (24, 48)):
        before = newest(server)
        assert refused(server, forge(device, *issuing, begins, ends)) is None
        wanted, why = "expired" if ends < 0 else "not yet", ""
        while wanted not in why:  # events of former refusals may come later than what was newest
            event = server.api.wait_event("connection.refused", after=before)
            why, before = event["detail"]["why"], event["id"]
    assert refused(server, forge(device, *issuing, 0)).reason == 0, "the same certificate with good times is let in"


def test_a_certificate_of_an_unknown_device_is_refused(server, tmp_path, issuing):
    before = newest(server)
    assert refused(server, forge(Device(tmp_path, "ghost", server), *issuing)).reason == NOT_AUTHORIZED
    server.api.wait_event("connection.refused", "ghost", before)
    assert refused(server, forge(Device(tmp_path, "ghost", server), *issuing), 4).reason == 5


def test_a_deleted_device_is_out_at_once(server, tmp_path):
    device = Device(tmp_path, "doomed", server).enrol()
    with client(server, device, "a") as one, client(server, device, "b", 4) as other:
        assert server.api.ask("DELETE", "/api/v1/devices/doomed").status == 204
        assert [packet.reason for packet in one.wait_closed()] == [NOT_AUTHORIZED]
        assert other.wait_closed() == []
    assert refused(server, device).reason == NOT_AUTHORIZED
    server.api.wait_event("connection.refused", "doomed")
    server.api.wait_event("device.deleted", "doomed")
    status, _ = device.est("simplereenroll", device.request(), certificate=True)
    assert status in (401, 403)
    assert server.api.ask("GET", "/api/v1/devices/doomed").status == 404


def test_a_certificate_from_before_the_enrolment_is_refused(server, tmp_path, issuing):
    """A device may be deleted and its id enrolled anew: what was issued for the former one opens nothing."""
    new = Device(tmp_path / "new", "phoenix", server).enrol()
    assert refused(server, new).reason == 0
    assert refused(server, forge(Device(tmp_path / "old", "phoenix", server), *issuing, -1)).reason == NOT_AUTHORIZED
    event = server.api.wait_event("connection.refused", "phoenix")
    assert "before" in event["detail"]["why"], event
