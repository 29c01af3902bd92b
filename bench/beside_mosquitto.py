#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Durable QoS 1 messages per second and server CPU per message, Holdfast beside mosquitto, in one run.

    meson setup build-bench -Dbenchmarks=true && ninja -C build-bench
    sudo bench/beside_mosquitto.py [--rounds 3] [--seconds 4] [--version 5] [--json FILE]

Both on loopback, over mutual TLS with the same authority and certificates, loaded by the same program with a window of 20
messages per connection; rounds alternate. Holdfast acknowledges after its commit. mosquitto acknowledges at once and saves
its whole database later, in two ways that it offers: once per second, or after each turn of its loop in which something
changed. It runs fresh in every round, because each save costs as much as it already holds. It needs root: the issuing key,
which signs mosquitto's certificate, is the keeper's alone."""
import argparse
import json
import pathlib
import subprocess
import tempfile

from peers import Certificates, Mosquitto
from scene import Load, cpu_seconds, enrol, holdfast, spread

CONNECTIONS = (1, 10, 100)
SAVES = {
    "mosquitto, saves every second": ["autosave_interval 1"],
    "mosquitto, saves on change": ["autosave_on_changes true", "autosave_interval 1"],
}


def measure(peer, pid, folder, connections, wishes):
    load = Load(peer.mqtt_port, "durable", "--publishers", connections, "--window", 20, "--seconds", wishes.seconds, "--version",
                wishes.version, ca=peer.ca, folder=folder, devices=connections)
    before = cpu_seconds(pid)
    result = load.run()
    assert result["acknowledged"] == result["published"], result
    result["server_cpu_per_million"] = (cpu_seconds(pid) - before) * 1e6 / result["acknowledged"]
    return result


def saving_mosquitto(folder, certificates, device, saving):
    """With a subscriber that is away, so that there is something for its persistence to keep: mosquitto_sub -E subscribes,
    waits for the answer and leaves; its session stays."""
    broker = Mosquitto(folder, certificates)
    broker.saving = saving
    broker.start()
    subprocess.run(["mosquitto_sub", "-h", "localhost", "-p", str(broker.mqtt_port), "--cafile", broker.ca, "--cert",
                    device.certificate, "--key", device.key, "-c", "-i", "away", "-q", "1", "-t", "devices/#", "-E"], check=True)
    return broker


def round_of(number, server, devices, certificates, folder, connections, wishes, results):
    def keep(name, result):
        results.setdefault((connections, name), []).append(result)
        print(f"  {connections:4} connections  {name:30} {result['per_second']:9,.0f}/s  p50 {result['latency_us']['p50']:7,} us  "
              f"{result['server_cpu_per_million']:6.1f} CPU s/million", flush=True)

    keep("Holdfast", measure(server, server.process(), folder / "devices", connections, wishes))
    for place, (name, saving) in enumerate(SAVES.items()):
        broker = saving_mosquitto(folder / f"mosquitto-{number}-{connections}-{place}", certificates, devices[0], saving)
        keep(name, measure(broker, broker.process.pid, folder / "devices", connections, wishes))
        broker.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--version", type=int, choices=(4, 5), default=5)
    parser.add_argument("--json", type=pathlib.Path)
    wishes = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        server = holdfast(folder / "holdfast")
        devices = enrol(server, folder / "devices", max(CONNECTIONS))
        certificates = Certificates(folder / "certificates", server, devices[0])
        for number in range(wishes.rounds):
            print(f"round {number + 1}", flush=True)
            for connections in CONNECTIONS:
                round_of(number, server, devices, certificates, folder, connections, wishes, results)
        server.stop()
    print(f"\n{'min / median / max':47} messages/s {'half after (us)':>28} {'CPU s/million':>30}")
    for (connections, name), rounds in results.items():
        print(f"{connections:4} {name:30} {spread([one['per_second'] for one in rounds]):>30} "
              f"{spread([one['latency_us']['p50'] for one in rounds]):>28} "
              f"{spread([one['server_cpu_per_million'] for one in rounds], 1):>28}")
    if wishes.json:
        wishes.json.write_text(json.dumps([{"connections": c, "server": n, "rounds": r} for (c, n), r in results.items()], indent=1))


if __name__ == "__main__":
    main()
