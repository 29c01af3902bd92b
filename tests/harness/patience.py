# SPDX-License-Identifier: Apache-2.0
"""Waiting for what nobody announces: asked again and again, with a deadline."""
import threading
import time

PATIENCE_S = 60
PAUSE_S = 0.1


def wait_until(holds, what, patience_s=PATIENCE_S):
    """Returns the first answer of `holds` that is true. `what` says what was waited for."""
    nobody, deadline = threading.Event(), time.monotonic() + patience_s
    while not (answer := holds()):
        assert time.monotonic() < deadline, f"after {patience_s} s still not: {what}"
        nobody.wait(PAUSE_S)
    return answer
