# SPDX-License-Identifier: Apache-2.0
"""./run in a clone of this checkout's last commit: builds, starts, shows three devices, stops whole, keeps, forgets."""
import os
import pathlib
import queue
import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from harness.api import PASSWORD, Api
from harness.patience import wait_until
from harness.server import TOP, free_port

BUILD_S = 600   # on a slow machine, all processors shared
INTERRUPTED = 130
DEMO = {"demo-1", "demo-2", "demo-3"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    clone = tmp_path_factory.mktemp("clone") / "holdfast"
    done = subprocess.run(["git", "clone", "-q", TOP, clone], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this folder is no git checkout: {done.stderr.strip()}")
    if (TOP / "console" / "node_modules").exists():  # what npm has fetched once need not come over the network again
        shutil.copytree(TOP / "console" / "node_modules", clone / "console" / "node_modules", symlinks=True)
    clone.parent.chmod(0o755)  # the server's own user goes through here to its data
    clone.parent.parent.chmod(0o755)
    return clone


@pytest.fixture(scope="module")
def ports():
    return ["--http-port", str(free_port()), "--mqtt-port", str(free_port())]


def environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}


def session_of(pid):
    """The session of a process, 0 when there is none (any more)."""
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[3])
    except (FileNotFoundError, ProcessLookupError):
        return 0


class Run:
    """./run in a session of its own, as in a terminal."""

    def __init__(self, checkout, *words):
        self.process = subprocess.Popen(["./run", *words], cwd=checkout, start_new_session=True, text=True, env=environment(),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines, self.text = queue.Queue(), ""
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.process.poll() is None:
            self.interrupt()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def read_to(self, words):
        """Reads until a line begins with the words; False: it ended before."""
        while (line := self.lines.get(timeout=BUILD_S)) is not None:
            self.text += line
            if line.startswith(words):
                return True
        return False

    def wait_ready(self, folder):
        assert self.read_to("Ctrl-C"), self.text
        url = re.search(r"console and API +(https://\S+?)/?\n", self.text).group(1)
        pem = subprocess.run(["curl", "-sk", f"{url}/api/v1/ca.pem"], capture_output=True, check=True).stdout
        (folder / "ca.pem").write_bytes(pem)
        self.api = Api(url, folder / "ca.pem")
        return self

    def secret(self):
        found = re.search(r"#setup=(\S+)", self.text)
        return found and found.group(1)

    def processes(self):
        """All that belong to it, whoever's parent is gone."""
        return [int(path.name) for path in pathlib.Path("/proc").glob("[0-9]*") if session_of(path.name) == self.process.pid]

    def interrupt(self):
        """Ctrl-C: the terminal sends it to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)
        code = self.process.wait(timeout=60)
        self.read_to("never")
        return code


def connected(api):
    return {device["id"] for device in api.get("/api/v1/devices?connected=true")["devices"]}


def test_it_goes_from_a_clone_to_three_live_devices(checkout, ports, tmp_path):
    with Run(checkout, *ports) as run:
        run.wait_ready(tmp_path)
        assert len(run.processes()) >= 6, "./run, launcher, keeper, server and three agents"
        token = re.search(r"enrolment token", run.text)
        assert not token, "the agents' token is nobody else's business"
        made = run.api.ask("POST", "/api/v1/setup", {"secret": run.secret(), "name": "ada", "password": PASSWORD})
        assert made.status == 201 and run.api.sign_in().status == 200
        wait_until(lambda: connected(run.api) == DEMO, "three connected devices")
        for name in DEMO:
            wait_until(lambda: run.api.get(f"/api/v1/devices/{name}/series?metric=cpu.load")["points"], f"measurements of {name}")
        second = subprocess.run(["./run", "--fresh"], cwd=checkout, capture_output=True, text=True, timeout=60, env=environment())
        assert second.returncode == 1 and "at work in this folder already" in second.stderr, second
        before = {name: run.api.get(f"/api/v1/devices/{name}")["enrolled"] for name in DEMO}
        assert run.interrupt() == INTERRUPTED
        assert not run.processes(), "nothing is left"
    with Run(checkout, *ports) as again:
        again.wait_ready(tmp_path)
        assert not again.secret() and "enrolling" not in again.text, again.text
        assert again.api.sign_in().status == 200
        wait_until(lambda: connected(again.api) == DEMO, "the same devices")
        assert {name: again.api.get(f"/api/v1/devices/{name}")["enrolled"] for name in DEMO} == before
        os.kill(again.process.pid, signal.SIGTERM)
        assert again.process.wait(timeout=60) == 143
        assert not again.processes(), "nothing is left"
    with Run(checkout, *ports, "--fresh", "--devices", "1") as fresh:
        fresh.wait_ready(tmp_path)
        assert fresh.secret() and fresh.api.sign_in().status == 401
        fresh.api.ask("POST", "/api/v1/setup", {"secret": fresh.secret(), "name": "ada", "password": PASSWORD})
        assert fresh.api.sign_in().status == 200
        wait_until(lambda: connected(fresh.api) == {"demo-1"}, "the one device")


def test_a_port_that_is_taken_is_named(checkout):
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1])
        with Run(checkout, "--http-port", port, "--mqtt-port", str(free_port())) as run:
            assert not run.read_to("Ctrl-C")
            assert run.process.wait(timeout=60) not in (0, INTERRUPTED)
            assert port in run.text and "error: the server did not start" in run.text, run.text
            assert not run.processes(), "nothing is left"


@pytest.mark.parametrize("words, sentence", [
    (("--frsh",), "no such option: --frsh"),
    (("--http-port",), "--http-port needs a value"),
    (("--devices", "many"), "not a number: many"),
    (("--mqtt-port", "-1"), "not a number: -1"),
    (("stop",), "no such option: stop"),
])
def test_wrong_options_end_with_a_sentence(checkout, words, sentence):
    done = subprocess.run(["./run", *words], cwd=checkout, capture_output=True, text=True, timeout=60, env=environment())
    assert done.returncode == 1 and sentence in done.stderr, done


def test_help_starts_nothing(checkout):
    done = subprocess.run(["./run", "--help"], cwd=checkout, capture_output=True, text=True, timeout=60, env=environment())
    assert done.returncode == 0 and "--fresh" in done.stdout and not done.stderr, done
