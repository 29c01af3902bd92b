# SPDX-License-Identifier: Apache-2.0
"""The console in Debian's Chromium, before a real server with three real agents. The steps are in *.test.mjs; each of them is
a test here. Pictures of every page are kept where SCREENSHOTS names a folder."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from harness.agent import Agent  # noqa: E402
from harness.server import Server  # noqa: E402

DEVICES = 3
MINUTES = 10
STEP = re.compile(r'^test\("([^"]+)"|^test\(`([^`]+)`', re.M)
RESULT = re.compile(r"^ *(ok|not ok) \d+ - (.*?)(?: # (?:SKIP|TODO).*)?$", re.M)


def steps():
    """The names in the browser's test, as the reader of that file sees them."""
    text = (HERE / "console.test.mjs").read_text()
    return [plain or made.replace("${expected}", str(DEVICES)) for plain, made in STEP.findall(text)]


def outcomes(tap):
    """{name: (ok, what TAP says about it)}, of "ok 1 - name" and the block behind it, whether the file is a level of its own or not."""
    found = {}
    marks = list(RESULT.finditer(tap))
    for mark, following in zip(marks, [*marks[1:], None]):
        found[mark.group(2).replace("\\#", "#")] = (mark.group(1) == "ok", tap[mark.start(): following.start() if following else None])
    return found


@pytest.fixture(scope="module")
def tap(tmp_path_factory):
    """What `node --test` said of every file in this folder."""
    folder = tmp_path_factory.mktemp("console")
    with Server(folder / "server", enrolment_start__uses=DEVICES, enrolment_start__group="demo") as server:
        secret, token = server.first_sign_in(), server.first_token()
        agents = [Agent(folder, f"demo-{n}", server).enrol(token).start() for n in range(1, DEVICES + 1)]
        try:
            for agent in agents:
                agent.wait_connected()
            told = {"HOLDFAST_URL": server.url, "HOLDFAST_SETUP_SECRET": secret, "HOLDFAST_EXPECT_DEVICES": str(DEVICES),
                    "SCREENSHOTS": os.environ.get("SCREENSHOTS", str(folder / "pictures"))}
            files = sorted(str(path) for path in HERE.glob("*.test.mjs"))
            done = subprocess.run(["node", "--test", "--test-reporter=tap", *files], capture_output=True, text=True,
                                  timeout=60 * MINUTES, env={**os.environ, **told})
        finally:
            for agent in agents:
                agent.stop()
    return done.stdout + done.stderr


@pytest.mark.parametrize("step", steps())
def test_console(tap, step):
    ok, told = outcomes(tap).get(step, (False, "it was never run:\n" + tap))
    assert ok, told


def test_every_other_file_too(tap):
    """The console's arithmetic: rows that need no browser."""
    failed = [told for name, (ok, told) in outcomes(tap).items() if not ok and name not in steps()]
    assert not failed and len(outcomes(tap)) > len(steps()), "\n".join(failed) or tap
