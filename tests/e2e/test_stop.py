# SPDX-License-Identifier: Apache-2.0
"""Stopping while much is under way: a slow disk keeps writes waiting when the signal comes."""
import os
import signal
import subprocess

import pytest

from harness.device import Device
from harness.mqtt_client import client, publish_packet

SLOW_DISK = """
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>
static int slowly(long call, int fd) { poll(0, 0, 300); return syscall(call, fd); }
int fsync(int fd) { return slowly(SYS_fsync, fd); }
int fdatasync(int fd) { return slowly(SYS_fdatasync, fd); }
"""


@pytest.fixture
def slow_disk(tmp_path, monkeypatch):
    """Programs that are started from now on wait 0.3 s for each write to reach the disk."""
    (tmp_path / "slow.c").write_text(SLOW_DISK)
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", tmp_path / "slow.so", tmp_path / "slow.c"], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(tmp_path / "slow.so"))
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0:detect_leaks=0")


@pytest.mark.parametrize("signals", [1, 2])
def test_what_is_under_way_ends_in_order(new_server, slow_disk, tmp_path, signals):
    """Publications of several loops are with the store when the loops end; its answers find them all the same."""
    server = new_server(threads_loops=3)
    server.make_account()
    devices = [Device(tmp_path, f"pump-{number}", server).enrol() for number in range(4)]
    for device in devices:
        one = client(server, device)
        one.subscribe(f"devices/{device.name}/#", qos=1)
        one.send(b"".join(publish_packet(f"devices/{device.name}/telemetry", '{"a":1}', number) for number in range(1, 101)))
    server_process = server.process()
    for _ in range(signals):
        os.kill(server_process, signal.SIGTERM)
    server.launcher.send_signal(signal.SIGTERM)
    assert server.launcher.wait(timeout=60) == 0, server.log.read_text()[-4000:]
