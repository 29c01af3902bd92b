#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the agent costs its device: the size of its program, memory while it runs, CPU seconds per hour.

    meson setup build-bench -Dbenchmarks=true && ninja -C build-bench
    sudo bench/agent.py [--minutes 2] [--interval 10s]

The agent enrols at a server of its own and runs with its usual interval. Memory is read at the end. CPU is counted from the
third report on, so that the start (TLS, the first inventory) is told apart from what follows."""
import argparse
import pathlib
import subprocess
import tempfile
import time

from scene import BUILD, fine_cpu_seconds, holdfast, memory_kib

DEVICE = "bench-agent"


def stripped_bytes(program, folder):
    copy = folder / "stripped"
    subprocess.run(["strip", "-o", copy, program], check=True)
    return copy.stat().st_size


def reports(server):
    """How many samples of one metric came."""
    return len(server.api.get(f"/api/v1/devices/{DEVICE}/series?metric=memory.used&limit=1000")["points"])


def wait_for_reports(server, count):
    while reports(server) < count:
        time.sleep(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--interval", default="10s")
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        agent = BUILD / "holdfast-agent"
        for program in (agent, BUILD / "holdfastd", BUILD / "holdfast-keeper", BUILD / "holdfast"):
            print(f"{program.name}, stripped: {stripped_bytes(program, folder) / 1024:,.0f} KiB")
        server = holdfast(folder / "holdfast")
        place = ["--folder", folder / "agent"]
        (folder / "agent").mkdir(mode=0o700)
        subprocess.run([agent, "enrol", "--server", server.url, "--ca-sha256", server.pin, "--id", DEVICE, *place],
                       input=server.api.make_token() + "\n", text=True, check=True)
        process = subprocess.Popen([agent, "run", "--interval", wishes.interval, "--mqtt", f"localhost:{server.mqtt_port}", *place],
                                   stderr=open(folder / "log", "wb"))
        wait_for_reports(server, 3)
        start, before, from_report = time.monotonic(), fine_cpu_seconds(process.pid), reports(server)
        time.sleep(wishes.minutes * 60)
        used, took, count = fine_cpu_seconds(process.pid) - before, time.monotonic() - start, reports(server) - from_report
        print(f"start and first three reports: {before:.3f} CPU seconds")
        print(f"then {count} reports in {took:.0f} s, one each {wishes.interval}: {used:.4f} CPU seconds, "
              f"{used * 3600 / took:.2f} CPU seconds per hour")
        for what, sentence in (("VmRSS", "resident"), ("VmHWM", "resident at most"), ("RssAnon", "of it its own, not shared with files")):
            print(f"memory, {sentence}: {memory_kib(process.pid, what) / 1024:.1f} MiB")
        process.terminate()
        process.wait()
        server.stop()


if __name__ == "__main__":
    main()
