# SPDX-License-Identifier: Apache-2.0
"""Revocation lists: laid into the server's folder while it runs, and in force without a restart or a dropped session."""
import datetime

import pytest
from cryptography.hazmat.primitives import serialization

from harness.device import Device
from harness.forge import issuer_of, key_pem, make_authority
from harness.mqtt_client import Client, client, connect_packet, tls_socket
from harness.patience import wait_until
from harness.revocation import Lists

FIRST = 1  # a packet identifier


@pytest.fixture
def fleet(tmp_path, new_server):
    """(server, lists, two devices)"""
    server = new_server()
    server.make_account()
    token = server.api.make_token()
    pump, valve = (Device(tmp_path, name, server).enrol(token) for name in ("pump", "valve"))
    key = server.data / "keeper" / "issuing-key.pem"
    try:
        key.read_bytes()
    except OSError as why:
        pytest.skip(f"the issuing key is the keeper's alone: {why}")
    issuer = tmp_path / "issuer.pem"
    issuer.write_bytes(issuer_of(pump).public_bytes(serialization.Encoding.PEM))
    yield server, Lists(tmp_path / "lists", server, issuer, key), pump, valve


def taken(server, count):
    """Waits until the server has looked at its lists for the count-th time; the last line about it."""
    def lines():
        found = [line for line in server.log.read_text().splitlines() if 'event="revocation lists"' in line]
        return found if len(found) >= count else None
    return wait_until(lines, f"{count} looks at revocation lists")[count - 1]


def lives(one, name, number):
    return one.publish(f"devices/{name}/telemetry", b'{"pressure": 1}', number) < 0x80


def is_let_in(server, device):
    """By a handshake of its own; TLS 1.3 tells a client of its refusal only when it reads."""
    try:
        with Client(tls_socket(server, device)) as one:
            one.send(connect_packet(device.name + "-again", 5))
            return one.read().reason == 0
    except (ConnectionError, OSError):
        return False


def test_lists_come_while_sessions_live(fleet):
    server, lists, pump, valve = fleet
    one, other = client(server, pump, "pump"), client(server, valve, "valve")
    lists.publish()
    assert 'result="ok"' in taken(server, 1)
    assert lives(one, "pump", FIRST) and lives(other, "valve", FIRST), "an empty list ends nobody"
    assert is_let_in(server, pump)
    before = server.api.events(limit=1)[0]["id"]
    lists.revoke(pump).publish()
    assert 'result="ok"' in taken(server, 2)
    assert one.wait_closed() == []
    assert lives(other, "valve", FIRST + 1), "nobody else notices"
    ended = server.api.wait_event("connection.refused", device="pump", after=before)
    assert ended["detail"]["why"] == "its certificate was revoked", ended
    assert not is_let_in(server, pump) and is_let_in(server, valve)
    refused = server.api.wait_event("connection.refused", after=ended["id"])
    assert "certificate revoked" in refused["detail"]["why"], refused
    lists.place.unlink()
    assert 'bytes=0 result="ok"' in taken(server, 3)
    assert is_let_in(server, pump), "without a list nobody is revoked"
    assert lives(other, "valve", FIRST + 2)


def test_what_is_no_list_of_ours_changes_nothing(fleet, tmp_path):
    server, lists, pump, valve = fleet
    lists.revoke(pump).publish()
    taken(server, 1)
    one = client(server, valve, "valve")
    certificate, key = make_authority("Another CA")
    (tmp_path / "other.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "other.key").write_bytes(key_pem(key))
    Lists(tmp_path / "others", server, tmp_path / "other.pem", tmp_path / "other.key").publish()
    assert "signed by none of the anchors" in taken(server, 2)
    lists.put(b"-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n")
    assert "the revocation lists are not PEM" in taken(server, 3)
    over = datetime.datetime.utcnow() - datetime.timedelta(hours=1)
    lists.publish("-crl_lastupdate", f"{over - datetime.timedelta(hours=1):%y%m%d%H%M%SZ}", "-crl_nextupdate", f"{over:%y%m%d%H%M%SZ}")
    assert "a revocation list is over" in taken(server, 4)
    assert not is_let_in(server, pump), "the list before is still in force"
    assert is_let_in(server, valve) and lives(one, "valve", FIRST)


def test_lists_are_in_force_from_the_start(fleet):
    server, lists, pump, valve = fleet
    lists.revoke(pump).publish()
    server.stop()
    server.start()
    assert not is_let_in(server, pump) and is_let_in(server, valve)
