# SPDX-License-Identifier: Apache-2.0
"""HTTPS as curl, openssl and a browser's sockets see it: framing, caching, headers, TLS, WebSocket, event streams."""
import json
import re

import pytest

from harness.api import PASSWORD
from harness.device import Device, run
from harness.http_wire import Wire
from harness.mqtt_client import PUBLISH, Client, WebSocket, client

NOT_AUTHORIZED = 0x87


@pytest.fixture(scope="module")
def pump(server, tmp_path_factory):
    return Device(tmp_path_factory.mktemp("devices"), "pump", server).enrol()


@pytest.fixture(scope="module")
def page(server):
    """The console's page, and the assets that it names."""
    with Wire(server) as wire:
        answer = wire.ask("GET", "/")
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/html")
    return answer


@pytest.fixture(scope="module")
def asset(server, page):
    return re.search(rb'(?:src|href)="(/?[\w./-]+\.js)"', page.body).group(1).decode().rjust(1, "/")


def curl(server, *words):
    done = run("curl", "-s", "--http1.1", "--cacert", server.ca, *words)
    assert done.returncode == 0, done
    return done.stdout


def sign_in(server):
    """(cookie, token) of a session of its own."""
    with Wire(server) as wire:
        body = json.dumps({"name": "ada", "password": PASSWORD}).encode()
        answer = wire.ask("POST", "/api/v1/session", "Content-Type: application/json", f"Content-Length: {len(body)}", body=body)
    assert answer.status == 200, answer
    return "Cookie: " + answer.headers["set-cookie"].split(";")[0], answer.json["token"]


def bearer(server):
    return f"Authorization: Bearer {server.api.token}"


# -- framing

def test_a_connection_is_kept(server):
    with Wire(server) as wire:
        for _ in range(50):
            assert wire.ask("GET", "/healthz").json["status"] == "ok"
        assert wire.ask("GET", "/healthz", "Connection: close").headers["connection"] == "close"
        assert wire.wait_closed() == b""
    with Wire(server) as wire:
        assert wire.request("GET", "/healthz", version="1.0").answer().status == 200
        assert wire.wait_closed() == b"", "1.0 does not expect more"


def test_pipelined_requests_are_answered_in_order(server):
    paths = ["/healthz", "/api/v1/fleet", "/nowhere", "/readyz", "/api/v1/openapi.json", "/healthz"] * 5
    with Wire(server) as wire:
        wire.send("".join(f"GET {path} HTTP/1.1\r\nHost: {wire.host}\r\n{bearer(server)}\r\n\r\n" for path in paths))
        answers = [wire.answer() for _ in paths]
        assert [answer.status for answer in answers] == [200, 200, 404, 200, 200, 200] * 5
        assert all("devices" in answer.json for answer in answers[1::6]), "each answer is that of its own request"


def test_a_body_may_come_in_chunks(server, tmp_path):
    wish = tmp_path / "wish.json"
    wish.write_text(json.dumps({"group": "chunks", "uses": 1, "minutes": 5}))
    done = curl(server, "-H", bearer(server), "-H", "Content-Type: application/json", "-H", "Transfer-Encoding: chunked", "-d",
                f"@{wish}", f"{server.url}/api/v1/tokens")
    assert json.loads(done)["group"] == "chunks"
    with Wire(server) as wire:
        wire.request("POST", "/api/v1/tokens", bearer(server), "Content-Type: application/json", "Transfer-Encoding: chunked")
        for letter in wish.read_bytes():
            wire.send(b"1;ext=1\r\n" + bytes([letter]) + b"\r\n")
        wire.send("0\r\nX-Trailer: 1\r\n\r\n")
        assert wire.answer().json["group"] == "chunks"
        assert wire.ask("GET", "/healthz").status == 200, "the connection goes on behind it"


def test_who_asks_first_is_told_to_go_on(server):
    with Wire(server) as wire:
        body = b'{"group":"asked","uses":1,"minutes":5}'
        wire.request("POST", "/api/v1/tokens", bearer(server), "Content-Type: application/json", f"Content-Length: {len(body)}",
                     "Expect: 100-continue")
        assert wire.head() == (100, {})
        assert wire.send(body).answer().status == 201
        wire.request("POST", "/api/v1/tokens", bearer(server), "Content-Length: 99999999", "Expect: 100-continue")
        assert wire.answer().status == 413, "no body is asked for that would be refused"
    with Wire(server) as wire:
        wire.request("POST", "/api/v1/tokens", "Content-Length: 4", "Expect: something")
        assert wire.answer().status == 417


def test_head_says_what_get_would(server, asset):
    for path in ("/", asset, "/healthz", "/api/v1/openapi.json", "/nowhere"):
        with Wire(server) as wire:
            full, head = wire.ask("GET", path), wire.ask("HEAD", path)
            assert head.status == full.status and head.body == b"", path
            if path != "/healthz":  # which tells the time
                assert head.headers["content-length"] == full.headers["content-length"], path


# -- the console's files

def test_ranges_and_conditions(server, asset):
    with Wire(server) as wire:
        whole = wire.ask("GET", asset)
        etag, size = whole.headers["etag"], len(whole.body)
        assert whole.status == 200 and whole.headers["accept-ranges"] == "bytes" and size > 100
        rows = {"bytes=0-9": (0, 10), "bytes=5-": (5, size), "bytes=-7": (size - 7, size), f"bytes=10-{size * 9}": (10, size)}
        for wanted, (first, end) in rows.items():
            part = wire.ask("GET", asset, f"Range: {wanted}")
            assert part.status == 206 and part.body == whole.body[first:end], wanted
            assert part.headers["content-range"] == f"bytes {first}-{end - 1}/{size}"
        beyond = wire.ask("GET", asset, f"Range: bytes={size}-")
        assert beyond.status == 416 and beyond.headers["content-range"] == f"bytes */{size}"
        assert wire.ask("GET", asset, "Range: lines=1-2").status == 200
        assert wire.ask("GET", asset, "Range: bytes=0-9", 'If-Range: "other"').status == 200
        assert wire.ask("GET", asset, "Range: bytes=0-9", f"If-Range: {etag}").status == 206
        for condition in (etag, f'"other", {etag}', f"W/{etag}", "*"):
            same = wire.ask("GET", asset, f"If-None-Match: {condition}")
            assert same.status == 304 and same.headers["etag"] == etag and same.body == b"", condition
        assert wire.ask("GET", asset, 'If-None-Match: "other"').status == 200
        packed = wire.ask("GET", asset, "Accept-Encoding: gzip")
        assert packed.headers.get("content-encoding") == "gzip" and packed.headers["etag"] != etag
        assert "accept-encoding" in packed.headers["vary"].lower()


def test_curl_resumes_and_unpacks(server, asset, tmp_path):
    begun = tmp_path / "begun"
    whole = curl(server, f"{server.url}{asset}")
    begun.write_bytes(whole[:50])
    curl(server, "-C", "-", "-o", begun, f"{server.url}{asset}")
    assert begun.read_bytes() == whole == curl(server, "--compressed", f"{server.url}{asset}")
    etags = tmp_path / "etags"
    curl(server, "--etag-save", etags, f"{server.url}{asset}")
    assert curl(server, "--etag-compare", etags, "-w", "%{http_code}", f"{server.url}{asset}") == b"304"


# -- what stands on every answer

def test_security_headers_are_on_every_answer(server, asset):
    asked = [("GET", "/"), ("GET", asset), ("GET", "/healthz"), ("GET", "/nowhere"), ("GET", "/api/v1/fleet"), ("PUT", "/"),
             ("DELETE", "/healthz"), ("GET", "/mqtt"), ("HEAD", "/"), ("GET", "/api/v1/ca.pem"), ("GET", "/.well-known/est/cacerts"),
             ("GET", "/api/v1/events/stream")]
    for method, path in asked:
        with Wire(server) as wire:
            wire.request(method, path, *([bearer(server)] if "stream" in path else []))
            _, headers = wire.head()
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, (path, policy)
        assert "unsafe" not in policy and "*" not in policy, (path, policy)
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer", path
        assert "server" not in headers, "nobody needs to know our version before signing in"
    with Wire(server) as wire:
        broken = wire.send("GET / HTTP/1.1\r\n\r\n").answer()
        assert broken.status == 400 and "content-security-policy" in broken.headers


def test_problems_say_what_was_wrong(server):
    rows = [("GET", "/api/v1/nowhere", 404), ("GET", "/index.htm", 404), ("PUT", "/api/v1/tokens", 405), ("POST", "/healthz", 405),
            ("GET", "/api/v1/fleet", 401), ("GET", "/metrics", 401), ("GET", "/api/v1/devices/x", 401)]
    for method, path, status in rows:
        with Wire(server) as wire:
            answer = wire.ask(method, path)
        assert answer.status == status, (path, answer)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["status"] == status and answer.json["title"] and answer.json["detail"]
        assert answer.headers["cache-control"] == "no-store"
        assert status != 405 or set(answer.headers["allow"].replace(",", " ").split()) & {"GET", "POST"}, answer


# -- TLS

@pytest.mark.parametrize("door", ["http_port", "mqtt_port"])
def test_tls_as_openssl_sees_it(server, pump, door):
    own = ["-cert", pump.certificate, "-key", pump.key] if door == "mqtt_port" else []
    to = ["openssl", "s_client", "-connect", f"localhost:{getattr(server, door)}", "-servername", "localhost", "-CAfile", server.ca,
          "-verify_return_error", "-verify_hostname", "localhost", *own]
    for version in ("1_2", "1_3"):
        seen = run(*to, f"-tls{version}", input=b"").stdout.decode()
        assert "Verify return code: 0 (ok)" in seen, seen
        assert re.search(r"Cipher is (TLS_AES|TLS_CHACHA|ECDHE)\S*(GCM|POLY1305)", seen), seen
        assert "CN = Holdfast issuing" in seen, "the chain is sent"
    for version in ("-tls1", "-tls1_1"):
        old = run(*to, version, "-cipher", "ALL:@SECLEVEL=0", input=b"")
        assert old.returncode != 0 and b"Cipher is (NONE)" in old.stdout, old
    weak = run(*to, "-tls1_2", "-cipher", "AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0", input=b"")
    assert weak.returncode != 0, weak
    other = run(*to[:-len(own) or None], "-verify_hostname", "other.example", *own, input=b"").stdout.decode()
    assert "Verify return code: 0 (ok)" not in other


def test_renegotiation_is_refused(server):
    done = run("openssl", "s_client", "-connect", f"localhost:{server.http_port}", "-CAfile", server.ca, "-tls1_2", input=b"R\n")
    assert done.returncode != 0 or b"no renegotiation" in done.stderr, done


# -- WebSocket

def test_a_websocket_needs_the_cookie_and_the_origin(server):
    cookie, _ = sign_in(server)
    origin = f"Origin: https://localhost:{server.http_port}"
    rows = [([origin], 401), ([cookie, "Origin: https://evil.example"], 403), ([cookie, "Origin: null"], 403),
            ([cookie, f"Origin: http://localhost:{server.http_port}"], 403), ([cookie.replace("=", "=x"), origin], 401),
            ([cookie, origin], 101)]
    for lines, status in rows:
        assert WebSocket(server, lines).status == status, lines
    with Wire(server) as wire:
        assert wire.ask("GET", "/mqtt", cookie).status == 426


def test_the_console_hears_live_telemetry(server, pump):
    cookie, _ = sign_in(server)
    socket = WebSocket(server, [cookie, f"Origin: https://localhost:{server.http_port}"])
    assert socket.status == 101 and "Sec-WebSocket-Protocol: mqtt" in socket.answer
    console = Client(socket)
    assert console.connect("console").reason == 0
    assert console.subscribe("devices/+/telemetry/#", "devices/pump/secret/#", "$holdfast/#", "$SYS/#") == [0, 0, NOT_AUTHORIZED, NOT_AUTHORIZED]
    with client(server, pump) as device:
        for number in range(1, 101):
            assert device.publish("devices/pump/telemetry/live", json.dumps({"number": number}), number) == 0
            heard = console.expect(PUBLISH)
            assert heard.topic == "devices/pump/telemetry/live" and json.loads(heard.payload) == {"number": number}
    assert console.publish("devices/pump/telemetry", '{"a":1}', 1) == NOT_AUTHORIZED, "consoles only listen"
    socket.sendall(b"are you there", kind=9)
    socket.sendall(b"", kind=8)
    with pytest.raises(ConnectionError):
        console.read()


# -- Server-Sent Events

class Stream:
    """A listener to /api/v1/events/stream."""

    def __init__(self, server, query="", *lines, authorization=None):
        self.wire = Wire(server)
        self.wire.request("GET", f"/api/v1/events/stream{query}", authorization or bearer(server), *lines)
        status, headers = self.wire.head()
        assert status == 200 and headers["content-type"].startswith("text/event-stream"), (status, headers)
        self.text = ""

    def record(self):
        """The next block; {} for a comment."""
        while "\n\n" not in self.text:
            piece = self.wire.chunk()
            if not piece:
                raise ConnectionError("the stream ended")
            self.text += piece.decode()
        block, _, self.text = self.text.partition("\n\n")
        return dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))

    def begun(self):
        """The first word says that everything from now on is heard."""
        assert self.record() == {}
        return self

    def event(self, kind=None):
        """The next one, or the next of the kind."""
        for _ in range(100):
            record = self.record()
            if record and kind in (None, record["event"]):
                return record
        raise AssertionError("no such event came")


def test_events_come_live_to_all_listeners(server):
    first, second, other = Stream(server).begun(), Stream(server).begun(), Stream(server, "?kind=token.deleted").begun()
    made = server.api.ask("POST", "/api/v1/tokens", {"group": "live", "uses": 1, "minutes": 5}).json
    for listener in (first, second):
        event = listener.event("token.created")
        assert json.loads(event["data"])["id"] == int(event["id"])
    assert server.api.ask("DELETE", f"/api/v1/tokens/{made['id']}").status == 204
    deleted = other.event()
    assert deleted["event"] == "token.deleted"
    assert first.event("token.deleted") == second.event("token.deleted") == deleted


def test_a_stream_resumes_without_gap_or_double(server, pump):
    device = client(server, pump, "reporter")
    report = lambda number: device.publish("devices/pump/events", json.dumps({"kind": f"number.{number}", "detail": {}}), number)
    query, seen, last, made = "?device=pump&kind=device.event", [], 0, 0
    for _ in range(30):  # each round reads less than there is, while more is made
        for _ in range(20):
            made += 1
            assert report(made) == 0
        stream = Stream(server, query, f"Last-Event-ID: {last}")
        for _ in range(15):
            event = stream.event()
            seen.append(json.loads(event["data"])["detail"]["kind"])
            last = event["id"]
            made += 1
            assert report(made) == 0
        stream.wire.stream.close()
    assert seen == [f"number.{number}" for number in range(1, 451)]


def test_who_signed_out_hears_no_more(server):
    """Within a heartbeat, which is fifteen seconds."""
    cookie, token = sign_in(server)
    console = Client(WebSocket(server, [cookie]))
    assert console.connect("console").reason == 0
    assert console.subscribe("devices/#") == [0]
    stream = Stream(server, authorization=f"Authorization: Bearer {token}").begun()
    assert server.api.ask("DELETE", "/api/v1/session", headers={"Authorization": f"Bearer {token}"}).status == 204
    assert WebSocket(server, [cookie]).status == 401
    with pytest.raises(ConnectionError):
        while True:
            stream.record()
    assert [one.reason for one in console.wait_closed()] in ([NOT_AUTHORIZED], [])
