# SPDX-License-Identifier: Apache-2.0
"""An agent of a test's own: enrolled, run, stopped, killed, and its log and its spool read."""
import json
import os
import pathlib
import re
import signal
import subprocess
import threading

from .server import BUILD, PATIENCE_S

AGENT = BUILD / "holdfast-agent"


class Agent:
    """Its folder is `folder`/`name`. The server need not run, except for enrol()."""

    def __init__(self, folder, name, server):
        self.folder = pathlib.Path(folder) / name
        self.name, self.server = name, server
        self.process = None
        self.log = ""                     # all that all its processes said
        self.news = threading.Condition()
        self.reader = None

    # -- the commands

    def command(self, *words, **options):
        """One command of the program, for this folder; what it answered."""
        words = [AGENT, *words, "--folder", self.folder]
        return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=PATIENCE_S, **options)

    def ask_to_enrol(self, token, *words, server=None, pin=None):
        """Whatever becomes of it. The token goes in on standard input."""
        return self.command("enrol", "--server", server or self.server.url, "--ca-sha256", pin or self.server.pin,
                            "--id", self.name, *words, input=f"{token}\n")

    def enrol(self, token=None):
        done = self.ask_to_enrol(token or self.server.api.make_token())
        assert done.returncode == 0, done
        return self

    def status(self):
        return json.loads(self.command("status", "--json").stdout)

    # -- its life

    def start(self, interval="1s", **settings):
        """Settings are named as in the file, with "_" for "." and "__" for "-": spool_max="64KiB"."""
        names = {name.replace("__", "-").replace("_", "."): value for name, value in settings.items()}
        config = self.folder / "agent.yaml"
        config.write_text("".join(f"{name}: {value}\n" for name, value in names.items()))
        words = ["run", "--folder", self.folder, "--config", config, "--interval", interval,
                 "--mqtt", f"localhost:{self.server.mqtt_port}"]
        self.process = subprocess.Popen([AGENT, *words], stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read_log, args=(self.process.stderr,), daemon=True)
        self.reader.start()
        return self

    def _read_log(self, stderr):
        for line in stderr:
            with self.news:
                self.log += line
                self.news.notify_all()
        stderr.close()

    def wait_log(self, pattern, after=0):
        """Waits until the log has the pattern behind the place `after`; the place behind the match."""
        with self.news:
            found = self.news.wait_for(lambda: re.search(pattern, self.log[after:]), PATIENCE_S)
            assert found, f"the agent never said {pattern!r}:\n{self.log[-3000:]}"
            return after + found.end()

    def wait_connected(self, after=0):
        return self.wait_log(r'event="?connected', after)

    def end(self, number):
        """Ends it by a signal; the process's code."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=PATIENCE_S)
        self.reader.join(PATIENCE_S)
        return code

    def stop(self):
        return self.end(signal.SIGTERM) if self.running() else None

    def kill(self):
        return self.end(signal.SIGKILL)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def arguments(self):
        return pathlib.Path(f"/proc/{self.process.pid}/cmdline").read_bytes()

    def files(self):
        """Every file of the folder with what is in it."""
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*")
                if path.is_file() and os.access(path, os.R_OK)}
