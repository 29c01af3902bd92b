# SPDX-License-Identifier: Apache-2.0
"""A certificate of the shortest life that a server gives, renewed by the agent while it reports."""
import datetime

from harness.patience import wait_until

LIFE_S, BACKDATED_S = 300, 300   # of the certificate's start, for devices whose clock is behind
LOOK_S = 10                      # the agent looks every hundredth of the life whether something is due; the rest is the machine's


def seconds(earlier, later):
    return (datetime.datetime.fromisoformat(later["time"][:-1]) - datetime.datetime.fromisoformat(earlier["time"][:-1])).total_seconds()


def test_it_renews_in_time_and_leaves_out_nothing(renewing):
    server, agent, first = renewing
    key, old = first["key.pem"], first["certificate.pem"]
    renewed = server.api.wait_event("device.renewed", agent.name, patience_s=LIFE_S)
    enrolled = server.api.wait_event("device.enrolled", agent.name)
    due = (LIFE_S + BACKDATED_S) * 2 / 3 - BACKDATED_S
    assert due <= seconds(enrolled, renewed) + 1 <= due + (LIFE_S + BACKDATED_S) / 20 + LOOK_S
    place = agent.wait_log('event="certificate renewed"')
    agent.wait_connected(place)
    now = agent.files()
    assert now["key.pem"] == key and now["certificate.pem"] != old
    serial = server.api.get(f"/api/v1/devices/{agent.name}")["certificate"]["serial"]
    assert serial == agent.status()["serial"] != enrolled["detail"]["serial"]

    def behind():
        return [at for at, _ in points() if at > ends]

    def points():
        return server.api.get(f"/api/v1/devices/{agent.name}/series?metric=uptime&from=0&to=2100-01-01T00:00:00Z&limit=10000")["points"]

    ends = max(at for at, _ in points())
    wait_until(behind, "a measurement over the new connection")
    times = [at for at, _ in points()]
    assert not [(a, b) for a, b in zip(times, times[1:]) if b - a > 1900], "no hole"
    kinds = [event["detail"]["kind"] for event in server.api.events(device=agent.name, kind="device.event")]
    assert kinds == ["agent.started"], "a reconnection on purpose is no lost link"
