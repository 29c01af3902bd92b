#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a reconnect storm costs the server, and which part of it is whose.

    meson setup build-bench --buildtype=release -Db_lto=true -Dbenchmarks=true && ninja -C build-bench
    bench/storm.py [--rounds 3] [--connections 2000]

Devices come as fast as the server lets them, with a full handshake and with a resumed one: mutual TLS 1.3, CONNECT, CONNACK, and
away again. Each leaves two events and two notes of its presence in the store. CPU is the scheduler's count of each thread."""
import argparse
import pathlib
import re
import statistics
import tempfile

from scene import Load, enrol, holdfast

DEVICES = 100
COUNTED = ("holdfast_store_commits_total", "holdfast_store_writes_total", "holdfast_store_commit_seconds_sum")


def threads(pid):
    """CPU milliseconds of the store's thread, and of all others."""
    spent = {"store": 0.0, "others": 0.0}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        spent["store" if name == "store" else "others"] += int((task / "schedstat").read_text().split()[0]) / 1e6
    return spent


def counts(server):
    text = server.api.ask("GET", "/metrics").body.decode()
    return {name: float(re.search(rf"^{name} (\S+)$", text, re.M).group(1)) for name in COUNTED}


def storm(server, folder, connections, *words):
    load = Load(server.mqtt_port, "handshakes", "--connections", connections, *words, ca=server.ca, folder=folder, devices=DEVICES)
    pid = server.process()
    spent, counted = threads(pid), counts(server)
    result = load.run()
    after, then = threads(pid), counts(server)
    done = result["handshakes"]
    assert not words or result["resumed"] == done, result
    return {"per second": result["per_second"], "CPU ms": sum(after.values()) / done - sum(spent.values()) / done,
            "of it the store's": (after["store"] - spent["store"]) / done,
            "writes": (then[COUNTED[1]] - counted[COUNTED[1]]) / done,
            "sessions per commit": done / max(then[COUNTED[0]] - counted[COUNTED[0]], 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=2000)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        server = holdfast(folder / "server")
        enrol(server, folder / "devices", DEVICES)
        print("| handshake | per second | CPU ms of the server | of it the store's | writes | sessions per commit |\n|---|--:|--:|--:|--:|--:|")
        for title, words in (("full", ()), ("resumed", ("--resumed",))):
            rounds = [storm(server, folder / "devices", wishes.connections, *words) for _ in range(wishes.rounds)]
            cells = [f"{statistics.median(one[key] for one in rounds):.{0 if key == 'per second' else 2}f}" for key in rounds[0]]
            print(f"| {title} | " + " | ".join(cells) + " |")
        server.stop()


main()
