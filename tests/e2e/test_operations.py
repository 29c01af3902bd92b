# SPDX-License-Identifier: Apache-2.0
"""Operating a live server: clients' sessions are seen and ended, messages are watched as they pass, clients are sent away for
maintenance, and every number can be scraped. The command line and the API see the same."""
import base64
import json
import re
import shutil
import subprocess
import urllib.parse

import jsonschema
import pytest

from harness.device import Device
from harness.mqtt_client import Client, client, tls_socket
from harness.mqtt_codec import CONNACK, DISCONNECT
from harness.openapi import Description
from harness.server import TOP
from test_cli import DONE, REFUSED, Operator

ADMINISTRATIVE_ACTION, USE_ANOTHER_SERVER = 0x98, 0x9C


@pytest.fixture(scope="module")
def operator(server, tmp_path_factory):
    return Operator(tmp_path_factory.mktemp("ada"), server).signed_in()


@pytest.fixture(scope="module")
def devices(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    return {name: Device(folder, name, server).enrol() for name in ("pump-1", "pump-2")}


def one_session(server, device, name):
    query = urllib.parse.urlencode({"kind": "device", "principal": device, "client": name})
    return server.api.ask("GET", f"/api/v1/sessions/one?{query}")


class Tail:
    """GET /api/v1/tail, event by event."""

    def __init__(self, server, pattern, api=None):
        self.connection = (api or server.api).connect()
        self.connection.request("GET", "/api/v1/tail?" + urllib.parse.urlencode({"filter": pattern}),
                                headers={"Authorization": f"Bearer {server.api.token}"})
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        assert self.answer.readline() == b":\n", "it says at once that it hears"

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.connection.close()

    def next(self):
        """(kind, data)"""
        kind = None
        while True:
            line = self.answer.readline()
            assert line, "the stream ended"
            if line.startswith(b"event: "):
                kind = line[7:].strip().decode()
            elif line.startswith(b"data: "):
                return kind, json.loads(line[6:])


# -- sessions

def test_sessions_are_listed_in_pages(server, operator, devices):
    clients = [client(server, devices[name], f"{name}/{number}") for name in devices for number in range(5)]
    shown, after = [], None
    while True:
        page = operator.json("sessions", "list", "--limit", 3, "--search", "pump-", *(["--after", after] if after else []))
        assert page["total"] == 10 and len(page["sessions"]) <= 3
        shown += [one["client"] for one in page["sessions"]]
        after = page["next"]
        if not after:
            break
    assert shown == sorted(f"{name}/{number}" for name in devices for number in range(5))
    text = operator.show("sessions", "list", "--search", "PUMP-2/", "--connected", "yes").splitlines()
    assert len(text) == 6 and re.match(r"pump-2/0 +device pump-2 +yes ", text[1])
    assert "sessions; there is more: --after device:pump-1:" in operator.show("sessions", "list", "--limit", 1)
    for one in clients:
        one.close()


def test_one_session_in_full(server, operator, devices):
    name = "caf\u00e9/..?&"
    with client(server, devices["pump-1"], name, keep_alive=77) as one:
        one.subscribe("devices/pump-1/commands/#", "devices/pump-1/twin/desired", qos=1)
        shown = one_session(server, "pump-1", name).json
        assert (shown["client"], shown["principal"]) == (name, {"kind": "device", "id": "pump-1"})
        assert shown["connected"] and shown["version"] == "5.0" and shown["transport"] == "tls" and shown["keep_alive_s"] == 77
        assert shown["peer"].startswith("127.0.0.1:") and shown["subscriptions"] == 2
        assert sorted(watch["filter"] for watch in shown["watches"]) == ["devices/pump-1/commands/#", "devices/pump-1/twin/desired"]
        text = operator.show("sessions", "show", name, "--principal", "pump-1")
        assert "devices/pump-1/commands/#" in text and name in text
    done = operator.run("sessions", "show", "nobody", "--principal", "pump-1")
    assert done.returncode == REFUSED and "There is no session with the client identifier 'nobody' of device pump-1." in done.stderr


def test_a_kicked_client_is_told_and_may_come_back(server, operator, devices):
    one = client(server, devices["pump-1"], "kicked")
    assert operator.show("sessions", "kick", "kicked", "--principal", "pump-1") == "Ended the connection of kicked.\n"
    last = one.wait_closed()[-1]
    assert last.kind == DISCONNECT and last.reason == ADMINISTRATIVE_ACTION
    event = server.api.wait_event("session.kicked", "pump-1")
    assert event["detail"] == {"operator": "ada", "principal": {"kind": "device", "id": "pump-1"}, "client": "kicked", "state": False}
    client(server, devices["pump-1"], "kicked").close()
    done = operator.run("sessions", "kick", "nobody", "--principal", "pump-1")
    assert done.returncode == REFUSED and "There is no session" in done.stderr


# -- the tail

def test_the_tail_shows_messages_as_they_pass(server, operator, devices):
    described = Description(server.api.get("/api/v1/openapi.json"))
    schema = {"$ref": "#/components/schemas/TailMessage"}
    validator = jsonschema.Draft202012Validator(schema, resolver=described.resolver, format_checker=jsonschema.FormatChecker())
    with Tail(server, "devices/+/raw/#") as tail, client(server, devices["pump-1"]) as pump, client(server, devices["pump-2"]) as other:
        pump.publish("devices/pump-1/raw/text", "21.5 \u00b0C")
        kind, message = tail.next()
        validator.validate(message)
        assert (kind, message["topic"], message["qos"]) == ("message", "devices/pump-1/raw/text", 0)
        assert message["payload"] == {"bytes": 8, "whole": True, "encoding": "text", "data": "21.5 \u00b0C"}
        other.publish("devices/pump-2/raw/bytes", b"\xff\x00" * 50000)
        message = tail.next()[1]
        validator.validate(message)
        assert message["payload"]["bytes"] == 100000 and not message["payload"]["whole"]
        assert base64.b64decode(message["payload"]["data"]) == (b"\xff\x00" * 50000)[:16384]
        other.publish("devices/pump-2/other", "not meant")
        other.publish("devices/pump-2/raw/last", "{}")
        assert tail.next()[1]["topic"] == "devices/pump-2/raw/last"


def test_the_tail_says_how_much_it_left_out(server, devices):
    """More in a moment than is shown: what comes and what is said to be missing add up."""
    sent = 1500  # within what one device may send at once
    with Tail(server, "devices/pump-1/raw/flood") as tail, client(server, devices["pump-1"]) as pump:
        for number in range(sent):
            pump.publish("devices/pump-1/raw/flood", str(number))
        seen = skipped = 0
        while seen + skipped < sent:
            kind, data = tail.next()
            seen += kind == "message"
            skipped += data["messages"] if kind == "skipped" else 0
        assert seen + skipped == sent and skipped > 0 and seen >= 500


def test_the_tail_on_the_command_line(server, operator, devices):
    follow = subprocess.Popen([*operator_command(operator), "tail", "devices/pump-2/raw/#", "--count", "2", "--json"],
                              stdout=subprocess.PIPE, text=True, env=operator.environment())
    with client(server, devices["pump-2"]) as pump:
        for number in range(1, 60000):  # until it hears, for there is no past; each waits for its acknowledgement
            pump.publish("devices/pump-2/raw/n", str(number), number)
            if follow.poll() is not None:
                break
    lines = [json.loads(line) for line in follow.communicate(timeout=60)[0].splitlines()]
    assert follow.returncode == DONE and len(lines) == 2 and lines[1]["topic"] == "devices/pump-2/raw/n"
    done = operator.run("tail", "$SYS/#")
    assert done.returncode == REFUSED and "may not subscribe" in done.stderr
    done = operator.run("tail", "a/#/b")
    assert done.returncode == REFUSED and "'filter' must be a topic filter" in done.stderr


def operator_command(operator):
    from harness.server import BUILD
    return [BUILD / "holdfast"]


# -- maintenance

def test_a_drain_sends_clients_away_and_lets_them_in_again(server, operator, devices):
    one, old = client(server, devices["pump-1"], "drained"), client(server, devices["pump-2"], "old", version=4)
    assert operator.json("drain", "on", "--reference", "other.example:8883", "--per-second", 1000) == {
        "drains": True, "reference": "other.example:8883", "per_second": 1000}
    last = one.wait_closed()[-1]
    assert last.kind == DISCONNECT and last.reason == USE_ANOTHER_SERVER and b"other.example:8883" in last.body
    old.wait_closed()
    late = Client(tls_socket(server, devices["pump-1"]))
    refused = late.connect("late")
    assert refused.kind == CONNACK and refused.reason == USE_ANOTHER_SERVER and b"other.example:8883" in refused.body
    assert server.api.wait_event("server.draining")["detail"] == {"operator": "ada", "per_second": 1000, "reference": "other.example:8883"}
    assert operator.show("drain", "off") == "Clients are let in.\n"
    server.api.wait_event("server.drain-ended")
    client(server, devices["pump-1"], "drained").close()


# -- numbers

SAMPLE = re.compile(r"(holdfast_[a-z0-9_]+)(?:\{((?:[a-z_]+=\"(?:[^\"\\\n]|\\[\\\"n])*\",?)+)\})? (-?[0-9.e+]+)")


def read_metrics(text):
    """The text format 0.0.4, strictly: each family in one run with HELP, then TYPE, then samples that fit the type."""
    families, samples, current = {}, {}, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in families, f"{name} stands twice"
            families[name], current = None, name
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name == current and families[name] is None and kind in ("counter", "gauge", "histogram"), line
            families[name] = kind
            assert (kind == "counter") == name.endswith("_total"), line
        else:
            match = SAMPLE.fullmatch(line)
            assert match, f"does not read: {line}"
            name, labels, value = match.groups()
            base = re.sub(r"_(bucket|sum|count)$", "", name) if families[current] == "histogram" else name
            assert base == current, f"{line} stands in the family {current}"
            assert (name, labels) not in samples, line
            samples[name, labels] = float(value)
    return families, samples


def scrape(server):
    answer = server.api.ask("GET", "/metrics")
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return answer.body.decode()


def test_the_metrics_read_strictly(server, devices):
    with client(server, devices["pump-1"]) as pump:
        assert pump.publish("devices/pump-1/telemetry", '{"a":1}', 1) == 0
        families, samples = read_metrics(scrape(server))
    assert families["holdfast_messages_in_total"] == "counter" and families["holdfast_connections"] == "gauge"
    assert samples["holdfast_messages_in_total", 'qos="1"'] >= 1
    assert samples["holdfast_sessions", 'state="connected"'] >= 1
    for name in [name for name, kind in families.items() if kind == "histogram"]:
        counts = [value for (sample, _), value in samples.items() if sample == name + "_bucket"]
        assert counts == sorted(counts) and counts[-1] == samples[name + "_count", None], name
        assert (name + "_bucket", 'le="+Inf"') in samples and samples[name + "_sum", None] >= 0
    health = server.api.get("/api/v1/health")
    for family in health["numbers"]:
        assert f"holdfast_{family}" in families or f"holdfast_{family}_total" in families, family


def test_an_acknowledgement_is_timed(server, devices):
    before = read_metrics(scrape(server))[1]["holdfast_acknowledgement_seconds_count", None]
    with client(server, devices["pump-1"]) as pump:
        for number in range(1, 11):
            assert pump.publish("devices/pump-1/telemetry", '{"a":1}', number) == 0
    _, samples = read_metrics(scrape(server))
    assert samples["holdfast_acknowledgement_seconds_count", None] == before + 10
    assert 0 < samples["holdfast_acknowledgement_seconds_sum", None] < 60


def test_prometheus_takes_the_metrics(server):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (Debian package prometheus)")
    done = subprocess.run(["promtool", "check", "metrics"], input=scrape(server), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_every_metric_is_explained(server):
    page = (TOP / "docs" / "operate.md").read_text()
    families, samples = read_metrics(scrape(server))
    explained = set(re.findall(r"`(holdfast_[a-z_]+)", page))
    made = {re.sub(r"_(bucket|sum|count)$", "", name) for name in explained}
    assert set(families) <= explained, "those have no row in docs/operate.md"
    assert explained <= set(families) or made <= set(families), explained - set(families)
    for (_, labels) in samples:
        for name in re.findall(r"(\w+)=", labels or ""):
            assert name in ("le", "version") or "{" + name + "}" in page, name
