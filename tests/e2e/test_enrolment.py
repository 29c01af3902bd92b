# SPDX-License-Identifier: Apache-2.0
"""EST (RFC 7030) with curl and openssl alone: what is given, what is refused, and what is remembered of it."""
from harness.device import Device, run


def refusals(server):
    return [event["detail"] for event in server.api.events(kind="enrolment.refused")]


def test_a_device_enrols_with_a_token(server, tmp_path):
    device = Device(tmp_path, "pump-1", server).enrol()
    verified = run("openssl", "verify", "-x509_strict", "-CAfile", server.ca, "-untrusted", device.certificate, device.certificate)
    assert verified.returncode == 0, verified
    text = run("openssl", "x509", "-in", device.certificate, "-noout", "-text", text=True).stdout
    assert "URI:urn:holdfast:device:pump-1" in text and "TLS Web Client Authentication" in text
    assert "CA:FALSE" in text and "NIST CURVE: P-256" in text
    known = server.api.get("/api/v1/devices/pump-1")
    assert known["group"] == "lab" and known["state"] == "enrolled"
    assert [event for event in server.api.events(kind="device.enrolled") if event["device"] == "pump-1"]


def test_a_device_renews_by_its_certificate(server, tmp_path):
    device = Device(tmp_path, "pump-2", server).enrol()
    before = server.api.get("/api/v1/devices/pump-2")["certificate"]["serial"]
    status, body = device.est("simplereenroll", device.request(), certificate=True)
    assert status == 200, body
    assert server.api.get("/api/v1/devices/pump-2")["certificate"]["serial"] != before
    status, body = device.est("simplereenroll", device.request("pump-1"), certificate=True)
    assert status in (400, 403), (status, body)
    status, body = device.est("simplereenroll", device.request())
    assert status == 401, (status, body)


def test_tokens_are_spent(server, tmp_path):
    token = server.api.make_token(uses=1)
    Device(tmp_path, "once-1", server).enrol(token)
    status, body = Device(tmp_path, "once-2", server).make_key().est("simpleenroll", Device(tmp_path, "once-2", server).request(), token)
    assert status == 403, (status, body)
    assert any("once-2" in str(detail) for detail in refusals(server))


def test_unknown_and_absent_tokens_are_refused(server, tmp_path):
    device = Device(tmp_path, "stranger", server).make_key()
    foreign = "a" * len(server.api.make_token())
    for token in (foreign, "", "not a token at all", "x" * 5000):
        status, body = device.est("simpleenroll", device.request(), token)
        assert status in (401, 403), (token[:20], status, body)
    status, body = device.est("simpleenroll", device.request())
    assert status == 401, (status, body)
    assert server.api.ask("GET", "/api/v1/devices/stranger").status == 404


def test_deleted_tokens_are_refused(server, tmp_path):
    token = server.api.make_token(group="gone")
    handle = next(one["id"] for one in server.api.get("/api/v1/tokens")["tokens"] if one["group"] == "gone")
    assert server.api.ask("DELETE", f"/api/v1/tokens/{handle}").status == 204
    device = Device(tmp_path, "late", server).make_key()
    status, body = device.est("simpleenroll", device.request(), token)
    assert status in (401, 403), (status, body)


def test_a_second_device_with_the_same_id_is_refused(server, tmp_path):
    Device(tmp_path / "a", "twin", server).enrol()
    second = Device(tmp_path / "b", "twin", server).make_key()
    status, body = second.est("simpleenroll", second.request(), server.api.make_token())
    assert status == 409, (status, body)
    assert any("twin" in str(detail) for detail in refusals(server))


def test_wrong_requests_are_named(server, tmp_path):
    token = server.api.make_token()
    device = Device(tmp_path, "wrong", server)
    good = device.make_key().request()
    run("openssl", "genrsa", "-out", tmp_path / "rsa.key", "2048")
    rsa = Device(tmp_path, "rsa", server)
    rows = {
        "rubbish": (b"bm90IGEgcmVxdWVzdA==\n", 400),
        "not base64": (b"\x00\xff\xfe", 400),
        "empty": (b"", 400),
        "truncated": (good[: len(good) // 2], 400),
        "id with a slash": (device.request("a\\/b"), 400),
        "wildcard id": (device.request("+"), 400),
        "RSA": (rsa.request(), 400),
        "P-384": (Device(tmp_path, "p384", server).make_key("secp384r1").request(), 400),
    }
    for name, (body, wanted) in rows.items():
        status, text = device.est("simpleenroll", body, token)
        assert status == wanted and len(text.strip()) > 10, (name, status, text)
