# SPDX-License-Identifier: Apache-2.0
"""A device that sends more than its rate allows."""
from harness.device import Device
from harness.mqtt_client import PUBACK, client, publish_packet

QUOTA_EXCEEDED = 0x97


def test_what_is_over_the_rate_is_refused_by_its_name(new_server, tmp_path):
    server = new_server(limits_device__rate=5)
    server.make_account()
    device = Device(tmp_path, "pump", server).enrol()
    with client(server, device) as one:
        one.send(b"".join(publish_packet("devices/pump/telemetry", '{"a":1}', number) for number in range(1, 41)))
        reasons = [one.expect(PUBACK).reason for _ in range(40)]
    assert set(reasons) == {0, QUOTA_EXCEEDED} and reasons[0] == 0
    event = server.api.wait_event("request.limited", "pump")
    assert "per second" in event["detail"]["why"], event
    kinds = {one["kind"] for one in server.api.events(limit=100)}
    assert "publish.refused" not in kinds, "it published where it may"
