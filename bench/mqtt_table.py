#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What an MQTT broker costs: Holdfast beside other brokers and beside the floor, in one run.

    meson setup build-bench --buildtype=release -Dbenchmarks=true && ninja -C build-bench
    sudo bench/mqtt_table.py [--rounds 3] [--seconds 4] [--rows fan-in,pairs-0] [--peers floor,mosquitto,nats,holdfast]
                             [--flashmq PROGRAM] [--peer NAME=COMMAND] [--json FILE]

The floor (bench/floor_broker.c) is a broker that does nothing but wait, read, match and write: what the kernel takes for
itself. Figures are the broker's CPU seconds (all of its processes, /proc/PID/stat) per million messages that moved, so they
hold on machines that others use as well; behind them stands how many times the floor's that is, by the medians. Rounds alternate between the
brokers, each begins with a fresh one, and each message is counted: a figure with losses says so. QoS 0 messages
have 16 bytes and at most 8 of each publisher are on their way (32 when 16 packets go in a write); with QoS 1, and to 500 subscribers, it is 20.
Rows over TLS need root: the issuing key, which signs the other brokers' certificates, is the keeper's alone."""
import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import time

from peers import Certificates, FlashMQ, Floor, Foreign, Holdfast, Mosquitto, Nats
from scene import Load, enrol, holdfast, spread

DEVICES = 100
SETTLE_S = 0.3  # what a broker does by itself after it has begun


class Row:
    """One line of the table. measure(row, peer, port, tls, wishes) gives {"value": number, ...}."""

    def __init__(self, name, title, unit, measure, *words, tls=False, digits=2):
        self.name, self.title, self.unit, self.measure, self.words, self.tls, self.digits = name, title, unit, measure, words, tls, digits


def with_load(row, peer, port, tls, *more):
    return Load(port, *row.words, "--version", 4, *more, **tls)


def per_million(row, peer, port, tls, wishes):
    load = with_load(row, peer, port, tls, "--seconds", wishes.seconds)
    time.sleep(SETTLE_S)
    before = peer.cpu()
    result = load.run()
    return {"value": (peer.cpu() - before) * 1e6 / max(result["moved"], 1), **result}


def latency(row, peer, port, tls, wishes):
    result = with_load(row, peer, port, tls, "--seconds", wishes.seconds).run()
    return {"value": result["way_us"]["p99"] / 1000, **result}


def memory(row, peer, port, tls, wishes):
    time.sleep(SETTLE_S)
    before = peer.memory()
    load = with_load(row, peer, port, tls)
    after = peer.memory()
    result = load.run()
    return {"value": (after - before) / result["connections"], "lost": result["closed"], **result}


def handshakes(row, peer, port, tls, wishes):
    load = with_load(row, peer, port, tls)
    before = peer.cpu()
    result = load.run()
    return {"value": (peer.cpu() - before) * 1000 / result["handshakes"],
            "not resumed": result["handshakes"] - result["resumed"] if "--resumed" in row.words else 0, **result}


MILLION, KIB, MS = "CPU s per million", "KiB each", "CPU ms each"
ROWS = [
    Row("fan-in", "QoS 0, 50 publishers to 1, one packet per write", MILLION, per_million, "fan-in"),
    Row("fan-in-16", "the same, 16 packets per write", MILLION, per_million, "fan-in", "--batch", 16),
    Row("fan-in-1", "QoS 1, 50 publishers to 1", MILLION, per_million, "fan-in", "--qos", 1),
    Row("fan-out", "QoS 0, 1 publisher to 500, per delivered million", MILLION, per_million, "fan-out", "--window", 20),
    Row("pairs-0", "100 pairs, QoS 0", MILLION, per_million, "pairs"),
    Row("pairs-1", "100 pairs, QoS 1", MILLION, per_million, "pairs", "--qos", 1),
    Row("pairs-tls", "100 pairs, QoS 1, over mutual TLS", MILLION, per_million, "pairs", "--qos", 1, "--own", tls=True),
    Row("idle-1000", "idle plain connection, 1,000 of them", KIB, memory, "idle", "--connections", 1000),
    Row("idle-10000", "idle plain connection, 10,000 of them", KIB, memory, "idle", "--connections", 10000),
    Row("idle-tls-1000", "idle mutual-TLS connection, 1,000 of them", KIB, memory, "idle", "--connections", 1000, tls=True),
    Row("idle-tls-10000", "idle mutual-TLS connection, 10,000 of them", KIB, memory, "idle", "--connections", 10000, tls=True),
    Row("handshake", "mutual-TLS handshake and CONNECT, full", MS, handshakes, "handshakes", "--connections", 1000, tls=True),
    Row("resumed", "mutual-TLS handshake and CONNECT, resumed", MS, handshakes, "handshakes", "--connections", 1000, "--resumed", tls=True),
    Row("latency", "5,000 messages/s QoS 0, 99 % delivered within", "ms", latency, "fan-in", "--rate", 5000, "--window", 60000),
    Row("latency-1", "5,000 messages/s QoS 1, 99 % delivered within", "ms", latency, "fan-in", "--qos", 1, "--rate", 5000, "--window", 60000),
] + [
    Row(f"ballast-{count}", f"100 pairs, QoS 0, beside {count:,} other subscriptions", MILLION, per_million, "pairs", "--ballast", count)
    for count in (1000, 100000, 1000000)
]
USUAL = [row.name for row in ROWS if not row.name.startswith("ballast")]


def one_figure(row, kind, folder, certificates, wishes):
    """None: this broker cannot do this row."""
    if row.tls and not kind.tls:
        return None
    peer = kind(folder, certificates if row.tls or kind is Holdfast else None).start()
    try:
        port = peer.mqtt_port if row.tls else peer.plain_port
        if not port:
            return None
        tls = {"ca": certificates.ca, "folder": certificates.devices, "devices": DEVICES} if row.tls else {}
        if row.tls and kind is Holdfast:
            folder = peer.folder / "devices"
            enrol(peer.server, folder, DEVICES)
            tls = {"ca": peer.ca, "folder": folder, "devices": DEVICES}
        return row.measure(row, peer, port, tls, wishes)
    finally:
        peer.stop()


def judged(result):
    """What must be said beside a figure."""
    return ", ".join(f"{result[what]:,} {what}" for what in ("lost", "refused", "disordered", "not resumed") if result.get(what))


def run(rows, kinds, folder, certificates, wishes):
    results = {}
    for number in range(wishes.rounds):
        for row in rows:
            for kind in kinds:
                began = time.monotonic()
                try:
                    result = one_figure(row, kind, folder / f"{number}-{row.name}-{kind.name}", certificates, wishes)
                except AssertionError as trouble:
                    print(f"  round {number + 1}  {row.name:15} {kind.name:10} failed: {trouble}", file=sys.stderr, flush=True)
                    continue
                if result is None:
                    continue
                results.setdefault(row.name, {}).setdefault(kind.name, []).append(result)
                print(f"  round {number + 1}  {row.name:15} {kind.name:10} {result['value']:10.{row.digits}f} {row.unit:18} "
                      f"{result.get('per_second', 0):12,.0f}/s  {time.monotonic() - began:5.1f} s  {judged(result)}",
                      file=sys.stderr, flush=True)
    return results


def show(rows, kinds, results):
    """A table in Markdown: min / median / max, and the median as a multiple of the floor's."""
    names = [kind.name for kind in kinds]
    print("| work | unit | " + " | ".join(names) + " |\n|---|---|" + "--:|" * len(names))
    for row in rows:
        found, cells = results.get(row.name, {}), []
        floor = statistics.median(one["value"] for one in found["floor"]) if "floor" in found else None
        for name in names:
            if name not in found:
                cells.append("")
                continue
            values = [one["value"] for one in found[name]]
            times = f" ({statistics.median(values) / floor:.2f} x)" if floor and name != "floor" and row.unit == MILLION else ""
            faults = "; ".join(sorted({judged(one) for one in found[name]} - {""}))
            cells.append(spread(values, row.digits) + times + (f" **{faults}**" if faults else ""))
        print(f"| {row.title} | {row.unit} | " + " | ".join(cells) + " |")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rows", default=",".join(USUAL), help="of " + ", ".join(row.name for row in ROWS))
    parser.add_argument("--peers", default="floor,mosquitto,nats,holdfast")
    parser.add_argument("--flashmq", metavar="PROGRAM")
    parser.add_argument("--peer", metavar="NAME=COMMAND", action="append", default=[])
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="a setting of Holdfast")
    parser.add_argument("--json", type=pathlib.Path)
    return parser.parse_args()


def chosen_kinds(wishes):
    known = {kind.name: kind for kind in (Floor, Mosquitto, Nats, Holdfast)}
    kinds = [known[name] for name in wishes.peers.split(",") if name]
    if wishes.flashmq:
        FlashMQ.program = wishes.flashmq
        kinds.append(FlashMQ)
    for one in wishes.peer:
        name, _, line = one.partition("=")
        kinds.append(type(name, (Foreign,), {"name": name, "line": line}))
    Holdfast.settings = {name.replace("-", "__").replace(".", "_"): value for name, value in (one.split("=", 1) for one in wishes.set)}
    return kinds


def main():
    wishes = arguments()
    kinds = chosen_kinds(wishes)
    rows = [row for row in ROWS if row.name in wishes.rows.split(",")]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        certificates = None
        if any(row.tls for row in rows):
            authority = holdfast(folder / "authority")
            devices = enrol(authority, folder / "devices", DEVICES)
            certificates = Certificates(folder / "certificates", authority, devices[0])
            authority.stop()
        results = run(rows, kinds, folder, certificates, wishes)
    show(rows, kinds, results)
    if wishes.json:
        wishes.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
