# SPDX-License-Identifier: Apache-2.0
"""Runs one script of a foreign suite that ends in unittest.main(), for mqtt_suites.py, which says how a driver talks.

    run_unittest.py SUITE HOST PORT DONE SCRIPT

The script's own main part runs as it would alone, so that it sets what its tests need; only unittest's runner is ours."""
import contextlib
import json
import os
import pathlib
import runpy
import sys
import unittest


def say(test, outcome, detail=""):
    sys.__stdout__.write(json.dumps({"test": test, "outcome": outcome, "detail": detail}) + "\n")
    sys.__stdout__.flush()


def last_words(trouble):
    """Where in the suite it failed, and why."""
    kind, value, trace = trouble
    while trace.tb_next and "unittest" not in trace.tb_next.tb_frame.f_code.co_filename:
        trace = trace.tb_next
    return f"line {trace.tb_lineno}: {kind.__name__}: {value}"[:500]


def name_of(test):
    """Of a test, or of the class whose preparation failed."""
    return test.id().split(".")[-1]


class Result(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        say(name_of(test), "begun")

    def addSuccess(self, test):
        say(name_of(test), "passed")

    def addFailure(self, test, err):
        say(name_of(test), "failed", last_words(err))

    addError = addFailure

    def addSkip(self, test, reason):
        say(name_of(test), "skipped", reason)


def cases(suite):
    for one in suite:
        yield from cases(one) if isinstance(one, unittest.TestSuite) else [one]


def main():
    host, port, done = sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
    script = pathlib.Path(sys.argv[1]) / sys.argv[5]

    def run_tests(*_, **__):
        every = cases(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]))
        unittest.TestSuite(one for one in every if name_of(one) not in done).run(Result())

    sys.path.insert(0, str(script.parent))
    sys.argv = [str(script), "--hostname", host, "--port", port]
    unittest.main = run_tests
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
    os._exit(0)  # receivers that a suite left behind are threads, and would keep this process
