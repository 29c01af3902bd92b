# SPDX-License-Identifier: Apache-2.0
"""tests/conformance/clauses.txt says what holds each normative statement of MQTT 5.0; here, that it says so of all of them,
and that every test that it names is there."""
import pathlib
import re

TESTS = pathlib.Path(__file__).resolve().parent.parent
TABLE = TESTS / "conformance" / "clauses.txt"
STATEMENTS = 251  # of the standard's appendix B
UNSEEN = "-"      # a client's duty that a server cannot see broken


def lines():
    return TABLE.read_text(encoding="utf-8").splitlines()


def short_names():
    return {name: TESTS / file for line in lines() if line.startswith("#")
            for name, file in re.findall(r"(\w+) = (\S+\.(?:py|c))", line)}


def rows():
    return [[part.strip() for part in line.split(" | ")] for line in lines() if line and not line.startswith("#")]


def test_every_statement_has_its_row():
    clauses = [row[0] for row in rows()]
    assert len(set(clauses)) == len(clauses) == STATEMENTS
    assert all(re.fullmatch(r"\d+(\.\d+)+-\d+", clause) for clause in clauses)
    unheld = [row[0] for row in rows() if row[3] == UNSEEN and row[1] != "client"]
    assert not unheld, f"nothing holds {unheld}"


def test_every_test_that_is_named_is_there():
    files, absent = {name: file.read_text(encoding="utf-8") for name, file in short_names().items()}, []
    for clause, _, _, tests in rows():
        for test in tests.split(", ") if tests != UNSEEN else []:
            name, _, what = test.partition("::")
            wanted = rf"\b{what}\b" if what.startswith("test_") else re.escape(f'"{what}"') + "|" + rf"^{re.escape(what)} ="
            if not re.search(wanted, files[name], re.MULTILINE):
                absent.append(f"{clause}: {test}")
    assert not absent, absent
