#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Very many live mutual-TLS connections: what each costs, in the server and in the kernel, and whether that stays flat.

    meson setup build-bench --buildtype=release -Dbenchmarks=true && ninja -C build-bench
    ulimit -n 1100000 && sudo bench/million.py [--connections 1000000] [--steps 1000,10000,100000] [--devices 1000] [--json FILE]

holdfast-sim enrols the devices and opens idle sessions that share their keys, step by step, from as many processes as one
process's limit of open files asks for; each session is a handshake, both certificates, and CONNECT. They forget their TLS secrets
afterwards (--mute), so that the fleet's end is sockets alone; --speaking keeps them. Each of the server's connections needs a
descriptor: where `ulimit -n` is lower than the wish, the largest possible number is measured, and the script says so. The
kernel's part is what its own books (/proc/slabinfo) say of sockets, both ends being here: other programs that open many at the
same time are counted with them."""
import argparse
import json
import pathlib
import resource
import subprocess
import tempfile
import time

from scene import BUILD, cpu_seconds, holdfast, memory_kib

EACH_SPARE = 500  # descriptors that a process needs beside its connections


# What the kernel holds for a TCP connection that is open, idle and watched: the socket, its inode, the file, its place in the
# epoll set. Directory entries and buffers in flight are not counted.
SLABS = ("TCP", "sock_inode_cache", "filp", "eventpoll_epi", "eventpoll_pwq", "ep_head")


def socket_kib():
    """All sockets of this machine together."""
    rows = (line.split() for line in pathlib.Path("/proc/slabinfo").read_text().splitlines()[2:])
    return sum(int(row[1]) * int(row[3]) for row in rows if row[0] in SLABS) / 1024


class Crowd:
    """So many sessions more; they stay until `stop`."""

    def __init__(self, server, folder, devices, sessions, first, words):
        self.process = subprocess.Popen(
            [str(word) for word in (BUILD / "holdfast-sim", "run", "--mqtt", f"127.0.0.1:{server.mqtt_port}", "--state", folder, "--devices", devices,
             "--sessions-per-device", sessions, "--profile", "idle", "--seconds", 86400, "--first-session", first, "--json", *words)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        assert line == "ready\n", line

    def stop(self):
        self.process.terminate()
        out, _ = self.process.communicate()
        return json.loads(out.splitlines()[-1])


def enrol(server, folder, devices):
    token = server.api.make_token(uses=devices, minutes=600)
    began = time.monotonic()
    subprocess.run([BUILD / "holdfast-sim", "enrol", "--server", server.url, "--ca-sha256", server.pin, "--state", folder, "--devices",
                    str(devices)], input=token + "\n", text=True, check=True, stderr=subprocess.DEVNULL)
    print(f"{devices} devices enrolled in {time.monotonic() - began:.1f} s", flush=True)


def grow(server, pid, folder, wishes, steps, each):
    """Opens connections until each step is reached; tells what they cost."""
    crowds, results, now = [], [], 0
    before, kernel = memory_kib(pid), socket_kib()
    for step in steps:
        used, began = cpu_seconds(pid), time.monotonic()
        had = now
        while now < step:
            sessions = min(each, step - now) // wishes.devices
            assert sessions, f"{step} is no multiple of {wishes.devices} devices"
            crowds.append(Crowd(server, folder, wishes.devices, sessions, now // wishes.devices, [] if wishes.speaking else ["--mute"]))
            now += sessions * wishes.devices
        took, used = time.monotonic() - began, cpu_seconds(pid) - used
        server_kib = memory_kib(pid) - before
        fleet_kib = sum(memory_kib(crowd.process.pid) for crowd in crowds)
        results.append({"connections": now, "server_kib_each": server_kib / now, "fleet_kib_each": fleet_kib / now,
                        "kernel_kib_each": (socket_kib() - kernel) / now, "opened_per_second": (now - had) / took,
                        "server_cpu_ms_each": used * 1000 / (now - had)})
        print("{connections:9,} connections: server {server_kib_each:.2f} KiB each, kernel (both ends) {kernel_kib_each:.1f}, fleet "
              "{fleet_kib_each:.2f}; the last were opened at {opened_per_second:,.0f}/s with {server_cpu_ms_each:.2f} ms of the "
              "server's CPU each".format(**results[-1]), flush=True)
    used = cpu_seconds(pid)
    time.sleep(10)
    print(f"idle: {(cpu_seconds(pid) - used) * 6:.2f} CPU seconds per minute", flush=True)
    ended = [crowd.stop() for crowd in crowds]
    print(f"lost meanwhile: {sum(one['lost'] for one in ended)}")
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=1000000)
    parser.add_argument("--steps", default="1000,10000,100000")
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--speaking", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    wishes = parser.parse_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    each = (limit - EACH_SPARE) // wishes.devices * wishes.devices
    most = min(wishes.connections, each)
    if most < wishes.connections:
        print(f"a process may open {limit:,} files here (ulimit -Hn), so {most:,} connections are measured and not {wishes.connections:,}")
    steps = sorted({int(step) for step in wishes.steps.split(",") if int(step) < most} | {most})
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        server = holdfast(folder / "holdfast", limits_connections=min(2 * most, 1000000) if most < 1000000 else 1000000)
        try:
            enrol(server, folder / "fleet", wishes.devices)
            results = grow(server, server.process(), folder / "fleet", wishes, steps, each)
        finally:
            server.stop()
    if wishes.json:
        wishes.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
