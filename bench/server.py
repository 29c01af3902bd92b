#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the server costs while nothing happens: time to start, memory, memory of a connection.

    meson setup build-bench -Dbenchmarks=true && ninja -C build-bench
    sudo bench/server.py [--connections 1000] [--starts 5]

The first start makes keys and certificates. Connections are MQTT 5 sessions over mutual TLS that do nothing, of 20 devices."""
import argparse
import pathlib
import tempfile
import time

from scene import Load, cpu_seconds, enrol, holdfast, memory_kib, spread

DEVICES = 20


def timed(work):
    start = time.monotonic()
    work()
    return (time.monotonic() - start) * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--starts", type=int, default=5)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        start = time.monotonic()
        server = holdfast(folder / "holdfast")
        print(f"first start until an account is made: {(time.monotonic() - start) * 1000:.0f} ms")
        times = []
        for _ in range(wishes.starts):
            server.stop()
            times.append(timed(server.start))
        print(f"later starts until the console answers, min / median / max: {spread(times)} ms")
        pids = {"launcher": server.launcher.pid, "keeper": server.process("keeper"), "server": server.process()}
        for who, pid in pids.items():
            print(f"memory of the {who}: {memory_kib(pid) / 1024:.1f} MiB resident, {memory_kib(pid, 'RssAnon') / 1024:.1f} of it its own")
        enrol(server, folder / "devices", DEVICES)
        before, used = memory_kib(pids["server"], "RssAnon"), cpu_seconds(pids["server"])
        start = time.monotonic()
        load = Load(server.mqtt_port, "idle", "--connections", wishes.connections, ca=server.ca, folder=folder / "devices",
                    devices=DEVICES)
        took = time.monotonic() - start
        used = cpu_seconds(pids["server"]) - used
        after = memory_kib(pids["server"], "RssAnon")
        print(f"{wishes.connections} connections, opened in {took:.2f} s with {used / wishes.connections * 1000:.2f} ms of the server's CPU "
              f"each: {(after - before) / wishes.connections:.1f} KiB each")
        used = cpu_seconds(pids["server"])
        time.sleep(10)
        print(f"CPU of the server with them idle: {(cpu_seconds(pids['server']) - used) * 6:.2f} seconds per minute")
        load.run()
        server.stop()


if __name__ == "__main__":
    main()
