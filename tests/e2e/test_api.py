# SPDX-License-Identifier: Apache-2.0
"""Every route of the API, good and bad, each answer held against the OpenAPI document that the server gives out."""
import base64
import datetime
import http.client
import json

import jsonschema
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from harness.api import PASSWORD, Api
from harness.device import Device
from harness.forge import make_key, name_of
from harness.mqtt_client import client
from harness.openapi import Description

MANY = 250


@pytest.fixture(scope="module")
def described(server):
    answer = server.api.ask("GET", "/api/v1/openapi.json")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    return Description(answer.json)


@pytest.fixture
def ask(server, described):
    """Asks and checks; `api` is another one than the signed-in operator."""
    def ask_and_check(method, path, body=None, headers=None, api=None):
        return described.check(method, path, (api or server.api).ask(method, path, body, headers))
    return ask_and_check


@pytest.fixture(scope="module")
def stranger(server):
    return Api(server.url, server.ca)


@pytest.fixture(scope="module")
def pump(server, tmp_path_factory):
    """A device with telemetry, documents and events."""
    device = Device(tmp_path_factory.mktemp("devices"), "pump", server).enrol()
    with client(server, device) as one:
        for number in range(1, 101):
            payload = {"time": 1700000000000 + number * 1000, "count": number, "share": number / 8, "on": number % 2 == 0, "name": f"n{number}"}
            assert one.publish("devices/pump/telemetry", json.dumps(payload), number) == 0
        assert one.publish("devices/pump/twin/reported", '{"inventory":{"os":{"name":"Debian"}},"agent":{"version":"1"}}', 201) == 0
        assert one.publish("devices/pump/events", '{"kind":"door.open","severity":"warning","detail":{"by":"hand"}}', 202) == 0
    server.api.wait_event("device.disconnected", "pump")
    return device


def enrol_many(server, names):
    """Over one connection, with keys made here: what is tested is the list, not EST."""
    authorization = base64.b64encode(f"x:{server.api.make_token('many', len(names), 60)}".encode()).decode()
    headers = {"Content-Type": "application/pkcs10", "Content-Transfer-Encoding": "base64", "Authorization": f"Basic {authorization}"}
    connection = server.api.connect()
    for name in names:
        request = x509.CertificateSigningRequestBuilder().subject_name(name_of(name)).sign(make_key(), hashes.SHA256())
        body = base64.b64encode(request.public_bytes(serialization.Encoding.DER))
        connection.request("POST", "/.well-known/est/simpleenroll", body, headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
    connection.close()


# -- the description itself

def test_the_description_is_openapi_3_1(described):
    document = described.document
    described.seen.add(("GET", "/api/v1/openapi.json", 200))
    assert document["openapi"].startswith("3.1.")
    for (method, path), operation in described.operations().items():
        assert operation["operationId"] and operation["summary"], (method, path)
        for answer in operation["responses"].values():
            assert described.resolve(answer)["description"], (method, path)
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)


# -- anybody

def test_what_anybody_may_ask(ask, stranger):
    assert ask("GET", "/healthz", api=stranger).json["status"] == "ok"
    assert ask("GET", "/readyz", api=stranger).json["status"] == "ready"
    assert ask("GET", "/api/v1/ca.pem", api=stranger).body.startswith(b"-----BEGIN CERTIFICATE-----")
    for path in ("/.well-known/est/cacerts", "/.well-known/est/csrattrs"):
        ask("GET", path, api=stranger)


def test_nobody_else_may_ask_more(described, stranger):
    free = ("/healthz", "/readyz", "/api/v1/ca.pem", "/api/v1/openapi.json", "/api/v1/setup", "/api/v1/session")
    for method, path in described.operations():
        if path in free and method != "DELETE" or path.startswith("/.well-known"):
            continue
        filled = path.replace("{id}", "1")
        for headers in ({}, {"Authorization": "Bearer " + "x" * 43}, {"Authorization": "Basic eDp5"}, {"Cookie": "__Host-holdfast=x"}):
            answer = described.check(method, filled, stranger.ask(method, filled, headers=headers))
            assert answer.status == 401, (method, path, headers, answer)


# -- sessions

def test_sessions(ask, server, stranger):
    signed = ask("POST", "/api/v1/session", {"name": "ada", "password": PASSWORD}, api=stranger)
    cookie = signed.headers["Set-Cookie"]
    for part in ("__Host-holdfast=", "Path=/", "Secure", "HttpOnly", "SameSite=Strict", "Max-Age="):
        assert part in cookie, cookie
    own = Api(server.url, server.ca)
    own.token = signed.json["token"]
    shown = ask("GET", "/api/v1/session", api=own).json
    assert shown["operator"]["name"] == "ada" and shown["expires"] == signed.json["expires"]
    expires = datetime.datetime.fromisoformat(shown["expires"].replace("Z", "+00:00"))
    assert datetime.timedelta(minutes=10) < expires - datetime.datetime.now(datetime.timezone.utc) < datetime.timedelta(days=31)
    assert ask("GET", "/api/v1/fleet", headers={"Cookie": cookie.split(";")[0]}, api=stranger).status == 200
    ended = ask("DELETE", "/api/v1/session", api=own)
    assert ended.status == 204 and "Max-Age=0" in ended.headers["Set-Cookie"]
    assert ask("GET", "/api/v1/session", api=own).status == 401
    assert ask("GET", "/api/v1/fleet", headers={"Cookie": cookie.split(";")[0]}, api=stranger).status == 401
    assert ask("GET", "/api/v1/session").status == 200, "another session stays"


def test_bad_sign_ins(ask, stranger):
    rows = [({"name": "ada"}, 400, "password"), ({"name": "ada", "password": PASSWORD, "admin": True}, 400, "admin"),
            ({"name": ["ada"], "password": PASSWORD}, 400, "name"), ([], 400, ""), ({"name": "eve", "password": "not the password"}, 401, "")]
    for body, status, named in rows:
        answer = ask("POST", "/api/v1/session", body, api=stranger)
        assert answer.status == status and named in answer.json["detail"], (body, answer)
    assert ask("POST", "/api/v1/session", b"{", {"Content-Type": "application/json"}, stranger).status == 400
    assert ask("POST", "/api/v1/session", b"name=ada", {"Content-Type": "application/x-www-form-urlencoded"}, stranger).status == 415
    unknown = ask("POST", "/api/v1/session", {"name": "nobody", "password": "a wrong password"}, api=stranger)
    wrong = ask("POST", "/api/v1/session", {"name": "ada", "password": "a wrong password"}, api=stranger)
    assert unknown.json == wrong.json, "who asks does not learn which names exist"
    late = ask("POST", "/api/v1/setup", {"secret": "x" * 43, "name": "eve", "password": PASSWORD}, api=stranger)
    assert late.status == 403


def test_another_sites_page_may_change_nothing(ask, server, stranger):
    cookie = ask("POST", "/api/v1/session", {"name": "ada", "password": PASSWORD}, api=stranger).headers["Set-Cookie"].split(";")[0]
    order = {"group": "evil", "uses": 1, "minutes": 1}
    for origin in ("https://evil.example", "null", f"http://localhost:{server.http_port}", f"https://localhost:{server.http_port + 1}"):
        assert ask("POST", "/api/v1/tokens", order, {"Cookie": cookie, "Origin": origin}, stranger).status == 403, origin
        assert ask("DELETE", "/api/v1/devices/none", None, {"Cookie": cookie, "Origin": origin}, stranger).status == 403
        assert ask("POST", "/api/v1/session", {"name": "ada", "password": PASSWORD}, {"Origin": origin}, stranger).status == 403
    assert not [token for token in server.api.get("/api/v1/tokens")["tokens"] if token["group"] == "evil"]
    own = {"Cookie": cookie, "Origin": f"https://localhost:{server.http_port}"}
    assert ask("POST", "/api/v1/tokens", {**order, "group": "good"}, own, stranger).status == 201


def test_sessions_outlive_the_server(new_server):
    server = new_server()
    server.make_account()
    ended = Api(server.url, server.ca)
    assert ended.sign_in().status == 200
    assert ended.ask("DELETE", "/api/v1/session").status == 204
    server.stop()
    server.start()
    assert server.api.ask("GET", "/api/v1/session").status == 200
    ended.url = server.api.url
    assert ended.ask("GET", "/api/v1/session").status == 401
    server.kill()
    server.wait_ready()
    assert server.api.ask("GET", "/api/v1/session").status == 200


# -- devices

def test_one_device(ask, pump):
    device = ask("GET", "/api/v1/devices/pump").json
    assert device["id"] == "pump" and device["group"] == "lab" and device["state"] == "active" and not device["connected"]
    latest = {row["metric"]: row["value"] for row in ask("GET", "/api/v1/devices/pump/latest").json["values"]}
    assert latest == {"count": 100, "share": 12.5, "on": True, "name": "n100"}
    documents = ask("GET", "/api/v1/devices/pump/documents").json["documents"]
    assert documents["inventory"]["content"] == {"os": {"name": "Debian"}} and set(documents) == {"inventory", "agent"}
    for path in ("", "/latest", "/series?metric=a", "/documents"):
        assert ask("GET", f"/api/v1/devices/nobody{path}").status == 404, path
    assert ask("DELETE", "/api/v1/devices/nobody").status == 404


def test_series_by_pages(ask, pump):
    for metric, value in (("count", lambda n: n), ("share", lambda n: n / 8), ("on", lambda n: n % 2 == 0), ("name", lambda n: f"n{n}")):
        points, begin = [], 1700000000000
        while begin:
            page = ask("GET", f"/api/v1/devices/pump/series?metric={metric}&from={begin}&to=1700000200000&limit=7").json
            assert len(page["points"]) <= 7
            points, begin = points + page["points"], page["next"]
        assert points == [[1700000000000 + n * 1000, value(n)] for n in range(1, 101)], metric
    part = ask("GET", "/api/v1/devices/pump/series?metric=count&from=2023-11-14T22:13:21Z&to=2023-11-14T22:13:23.000Z").json
    assert [value for _, value in part["points"]] == [1, 2], "the end does not belong to it"
    assert ask("GET", "/api/v1/devices/pump/series?metric=unknown").json["points"] == []


def test_bad_parameters_are_named(ask, pump):
    rows = {
        "/devices?limit=0": "limit", "/devices?limit=501": "limit", "/devices?limit=x": "limit", "/devices?colour=red": "colour",
        "/devices?state=blue": "state", "/devices?connected=maybe": "connected", "/devices?limit=1&limit=2": "limit",
        "/devices/pump/series": "metric", "/devices/pump/series?metric=a&from=tomorrow": "from",
        "/devices/pump/series?metric=a&from=2&to=1": "from", "/devices/pump/series?metric=a&limit=10001": "limit",
        "/devices/pump?x=1": "x", "/events?severity=bad": "severity", "/events?kind=none.such": "kind", "/events?before=x": "before",
        "/events?limit=0": "limit", "/events/stream?kind=x": "kind", "/fleet?x=1": "x", "/tokens?x=1": "x", "/health?deep=1": "deep",
    }
    for path, named in rows.items():
        answer = ask("GET", "/api/v1" + path)
        assert answer.status == 400 and f"'{named}'" in answer.json["detail"], (path, answer)


def test_many_devices_by_pages(ask, server):
    names = [f"d{number:03}" for number in range(MANY)]
    enrol_many(server, names)
    for limit in (500, 100, 33):
        seen, after = [], ""
        while after is not None:
            page = ask("GET", f"/api/v1/devices?group=many&limit={limit}{after and '&after=' + after}").json
            assert page["total"] == MANY and len(page["devices"]) <= limit
            seen, after = seen + [device["id"] for device in page["devices"]], page["next"]
        assert seen == names, limit
    assert [device["id"] for device in ask("GET", "/api/v1/devices?search=d24").json["devices"]] == names[240:250]
    assert ask("GET", "/api/v1/devices?group=many&state=active").json["total"] == 0
    assert ask("GET", "/api/v1/devices?group=many&connected=true").json == {"devices": [], "total": 0, "next": None}
    assert ask("GET", "/api/v1/devices?group=none").json["total"] == 0
    for wild in ("%25", "_", "*", "'"):
        assert ask("GET", f"/api/v1/devices?search={wild}").json["total"] == 0, "nothing is a wildcard"
    assert ask("GET", "/api/v1/fleet").json["devices"] >= MANY
    assert ask("DELETE", "/api/v1/devices/d000").status == 204
    assert ask("DELETE", "/api/v1/devices/d000").status == 404
    assert ask("GET", "/api/v1/devices?group=many&limit=1").json["devices"][0]["id"] == "d001"


# -- events and tokens

def test_events_by_pages(ask, pump):
    everything = ask("GET", "/api/v1/events?limit=500").json["events"]
    ids = [event["id"] for event in everything]
    assert ids == sorted(ids, reverse=True) and len(set(ids)) == len(ids)
    seen, before = [], ""
    while before is not None:
        page = ask("GET", f"/api/v1/events?limit=5&device=pump{before and f'&before={before}'}").json
        seen, before = seen + [event["id"] for event in page["events"]], page["next"]
    assert seen == [event["id"] for event in everything if event["device"] == "pump"]
    warned = ask("GET", "/api/v1/events?kind=device.event&severity=warning").json["events"]
    assert [event["detail"]["kind"] for event in warned] == ["door.open"]
    assert ask("GET", f"/api/v1/events?after={ids[0]}").json["events"] == []


def test_tokens(ask, server):
    made = ask("POST", "/api/v1/tokens", {"group": "hall", "uses": 3, "minutes": 10}).json
    assert made["token"] in made["command"] and "--ca-sha256 " + server.pin in made["command"]
    listed = next(token for token in ask("GET", "/api/v1/tokens").json["tokens"] if token["id"] == made["id"])
    assert listed["uses_left"] == listed["uses_total"] == 3 and listed["made_by"] == "ada"
    assert made["token"] not in ask("GET", "/api/v1/tokens").body.decode()
    assert made["token"] not in ask("GET", "/api/v1/events?limit=500").body.decode()
    assert ask("DELETE", f"/api/v1/tokens/{made['id']}").status == 204
    assert ask("DELETE", f"/api/v1/tokens/{made['id']}").status == 404
    good = {"group": "hall", "uses": 3, "minutes": 10}
    rows = [({"uses": 0}, "uses"), ({"uses": 100001}, "uses"), ({"uses": "3"}, "uses"), ({"uses": 1.5}, "uses"), ({"minutes": 43201}, "minutes"),
            ({"group": "a/b"}, "group"), ({"group": ""}, "group"), ({"group": "x" * 65}, "group"), ({"for": "me"}, "for")]
    for wrong, named in rows:
        answer = ask("POST", "/api/v1/tokens", {**good, **wrong})
        assert answer.status == 400 and named in answer.json["detail"], (wrong, answer)
    assert ask("POST", "/api/v1/tokens", b"x" * 1048577, {"Content-Type": "application/json"}).status == 413


# -- the server

def test_health_and_metrics(ask, pump):
    health = ask("GET", "/api/v1/health").json
    assert health["status"] == "ok" and health["store"]["status"] == "ok" and health["numbers"]["messages_in"] >= 102
    text = ask("GET", "/metrics").body.decode()
    samples = [line.split()[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(set(samples)) == len(samples) and all(sample.startswith("holdfast_") for sample in samples)


def test_a_stream_of_events_is_described(described, server):
    connection = http.client.HTTPSConnection("localhost", server.http_port, context=server.api.context, timeout=60)
    connection.request("GET", "/api/v1/events/stream", headers={"Authorization": f"Bearer {server.api.token}"})
    answer = connection.getresponse()
    content = described.operation("GET", "/api/v1/events/stream")[1]["responses"]["200"]["content"]
    assert answer.status == 200 and answer.headers["Content-Type"].split(";")[0] in content
    described.seen.add(("GET", "/api/v1/events/stream", 200))
    connection.close()


def test_sessions_of_clients(server, ask, pump):
    with client(server, pump, "a/../b") as one:
        one.subscribe("devices/pump/#")
        listed = ask("GET", "/api/v1/sessions?search=A%2F..").json
        assert [found["client"] for found in listed["sessions"]] == ["a/../b"] and listed["total"] == 1
        name = "kind=device&principal=pump&client=a%2F..%2Fb"
        assert ask("GET", f"/api/v1/sessions/one?{name}").json["watches"][0]["filter"] == "devices/pump/#"
        assert ask("DELETE", f"/api/v1/sessions/one?{name}").status == 204
        one.wait_closed()
    for bad in ("", "?kind=device", "?kind=device&principal=pump", "?kind=x&principal=pump&client=a", name.replace("pump", "a%20b")):
        assert ask("GET", f"/api/v1/sessions/one{bad if bad.startswith('?') or not bad else '?' + bad}").status == 400
    assert ask("DELETE", "/api/v1/sessions/one?kind=device&principal=pump&client=nobody").status == 404
    for bad in ("limit=0", "limit=501", "connected=x", "after=x", "search=" + "x" * 65, "sort=a"):
        assert ask("GET", f"/api/v1/sessions?{bad}").status == 400


def test_drain_and_tail(server, described, ask):
    assert ask("GET", "/api/v1/drain").json["drains"] is False
    assert ask("PUT", "/api/v1/drain", {"drains": False}).json["drains"] is False
    for bad in ({}, {"drains": 1}, {"drains": True, "per_second": 0}, {"drains": True, "reference": "\n"}, {"drains": True, "more": 1}):
        assert ask("PUT", "/api/v1/drain", bad).status == 400
    for bad in ("", "?filter=", "?filter=a%2F%23%2Fb", "?filter=%24share%2Fg%2Fa"):
        assert ask("GET", f"/api/v1/tail{bad}").status == 400
    assert ask("GET", "/api/v1/tail?filter=%24SYS%2F%23").status == 403
    connection = server.api.connect()
    connection.request("GET", "/api/v1/tail?filter=%23", headers={"Authorization": f"Bearer {server.api.token}"})
    answer = connection.getresponse()
    assert answer.status == 200 and answer.headers["Content-Type"].split(";")[0] == "text/event-stream"
    described.seen.add(("GET", "/api/v1/tail", 200))
    connection.close()


def test_every_operation_was_asked(described):
    """The last of this file: nothing is described that was not tried, with success and without."""
    succeeded = {(method, path) for method, path, status in described.seen if status < 300}
    by_others = {("POST", "/api/v1/setup"), ("POST", "/.well-known/est/simpleenroll"), ("POST", "/.well-known/est/simplereenroll")}
    assert set(described.operations()) - succeeded == by_others, "those have tests of their own"
