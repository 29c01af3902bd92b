#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""holdfast-bridge from outside: its command line, and a settings file with each wrong thing that can stand in it.

  test_bridge.py PROGRAM
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)

GOOD = """\
remote:
  host: localhost
  port: 1883
  plain: true
mappings:
  - direction: out
    filter: a/#
    remote-prefix: x/
"""

# What is wrong: the file, and what is said of it.
WRONG = [
    ("no mapping", "remote: {host: localhost, plain: true}\n", "bridge.yaml: mappings is missing"),
    ("an empty list", "remote: {host: localhost, plain: true}\nmappings: []\n", "mappings is missing"),
    ("no host", GOOD.replace("host: localhost", "port: 1884").replace("  port: 1883\n", ""), "remote.host is missing"),
    ("no authority", GOOD.replace("  plain: true\n", ""), "remote.ca is missing"),
    ("plain to elsewhere", GOOD.replace("localhost", "broker.example"), "insecure-plain: true"),
    ("plain to another address", GOOD.replace("localhost", "192.0.2.7"), "insecure-plain: true"),
    ("plain and an authority", GOOD.replace("  plain: true\n", "  plain: true\n  ca: /x\n"), "exclude each other"),
    ("a certificate without its key", GOOD.replace("  plain: true\n", "  ca: /x\n  certificate: /y\n"), "belong together"),
    ("a password without a name", GOOD.replace("  plain: true\n", "  plain: true\n  password-file: /x\n"), "needs remote.user-name"),
    ("an unknown setting", GOOD.replace("port: 1883", "prot: 1883"), "bridge.yaml:3: remote.prot: there is no such setting; did you mean remote.port?"),
    ("a port out of bounds", GOOD.replace("1883", "70000"), "bridge.yaml:3: remote.port"),
    ("a setting twice", GOOD.replace("  port: 1883\n", "  port: 1883\n  port: 1884\n"), "bridge.yaml:4: remote.port: is set twice"),
    ("no such version", GOOD.replace("  port: 1883\n", "  version: 4\n"), "bridge.yaml:3: remote.version"),
    ("no YAML", "remote: {\n", "bridge.yaml:2:"),
    ("a second list", GOOD + "mappings: [{filter: b}]\n", "bridge.yaml:9: mappings: is set twice"),
    ("mappings as a text", GOOD.split("mappings")[0] + "mappings: a/#\n", "bridge.yaml:5: mappings: a list of maps is expected, not a value"),
    ("mappings as a map", GOOD.split("mappings")[0] + "mappings: {filter: a}\n", "a list of maps is expected, not a map"),
    ("an entry that is a text", GOOD.split("mappings")[0] + "mappings:\n  - a/#\n", "bridge.yaml:6: mappings: an entry of the list must be a map"),
    ("an entry that is a list", GOOD.split("mappings")[0] + "mappings:\n  - [a]\n", "bridge.yaml:6: mappings: a list is not allowed here"),
    ("an unknown name in an entry", GOOD.replace("filter: a/#", "topic: a/#"), "bridge.yaml:7: mappings.topic: there is no such setting"),
    ("a name twice in an entry", GOOD + "    filter: b\n", "bridge.yaml:9: mappings.filter: is set twice"),
    ("a map in an entry", GOOD.replace("a/#", "{a: b}"), "bridge.yaml:7: mappings.filter: a value is expected, not a map"),
    ("no such direction", GOOD.replace("direction: out", "direction: up"), "bridge.yaml:6: direction"),
    ("no such QoS", GOOD + "    qos: 2\n", "bridge.yaml:9: qos"),
    ("no filter", GOOD.replace("    filter: a/#\n", ""), "bridge.yaml:6: mappings: filter is missing"),
    ("a wrong filter", GOOD.replace("a/#", "a/#/b"), "bridge.yaml:6: mappings: \"a/#/b\" is no filter on the local side"),
    ("a wildcard in a prefix", GOOD.replace("x/", "+/"), "bridge.yaml:6: mappings: remote-prefix"),
    ("the second of two", GOOD + "  - {filter: 'b#'}\n", "bridge.yaml:9: mappings: \"b#\" is no filter"),
    ("the same twice", GOOD + "  - {filter: 'a/#'}\n", "bridge.yaml:9: mappings: \"a/#\" on the local side is taken by a rule before"),
    ("an echo", GOOD.replace("  port: 1883\n", "  version: 3.1.1\n").replace("direction: out", "direction: both"),
     "bridge.yaml:6: mappings: what goes out to \"x/a/#\" would come back in by \"x/a/#\""),
    ("too many", GOOD + "".join(f"  - {{filter: t{n}}}\n" for n in range(128)), "bridge.yaml:136: mappings: the list has too many entries"),
    ("an anchor", GOOD.replace("filter: a/#", "filter: &a a/#"), "anchors and tags are not taken"),
    ("an alias", GOOD.replace("filter: a/#", "filter: *a"), "aliases are not taken"),
]


class BridgeTest(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.home.name)
        self.config = self.folder / "bridge.yaml"

    def tearDown(self):
        self.home.cleanup()

    def call(self, *words, config=None):
        if config is not None:
            self.config.write_text(config)
            words += ("--config", str(self.config))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
        return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=30, env=environment)

    def test_what_is_wrong_is_named_with_its_line(self):
        for name, text, expected in WRONG:
            for command in ("check", "run"):
                with self.subTest(name=name, command=command):
                    said = self.call(command, "--folder", str(self.folder / "state"), config=text)
                    self.assertEqual(said.returncode, 2, said)
                    self.assertIn(expected, said.stderr)

    def test_what_is_right_is_said_with_what_would_be_subscribed(self):
        said = self.call("--check", config=GOOD + "  - {direction: both, filter: c, qos: 0}\n")
        self.assertEqual(said.returncode, 0, said)
        for expected in ("from Holdfast: a/# (QoS 1)\n", "from Holdfast: c (QoS 0)\n", "from the other broker: c (QoS 0)\n",
                         "must speak MQTT 5: line 9", "not enrolled yet", "acceptable"):
            self.assertIn(expected, said.stdout)

    def test_files_that_cannot_be_used(self):
        word = self.folder / "word"
        named = GOOD.replace("  plain: true\n", f"  plain: true\n  user-name: me\n  password-file: {word}\n")
        rows = [(None, 0o600, "cannot be opened"), ("", 0o600, "its first line is empty"), ("\nx", 0o600, "its first line is empty"),
                ("x" * 512, 0o600, "longer than 511"), ("x", 0o644, "give it the mode 0600"), ("x", 0o602, "give it the mode 0600"),
                ("x", 0o660, "give it the mode 0600")]
        for content, mode, expected in rows:
            with self.subTest(content=content, mode=oct(mode)):
                if content is not None:
                    word.write_text(content)
                    word.chmod(mode)
                said = self.call("check", config=named)
                self.assertEqual((said.returncode, expected in said.stderr), (2, True), said)
        word.write_text("x" * 511 + "\r\nmore")
        word.chmod(0o400)
        self.assertEqual(self.call("check", config=named).returncode, 0)
        said = self.call("check", config=GOOD.replace("  plain: true\n", f"  ca: {self.folder}\n"))
        self.assertIn("remote.ca: ", said.stderr)
        self.assertIn("no regular file", said.stderr)
        word.write_text("no PEM")
        said = self.call("check", config=GOOD.replace("  plain: true\n", f"  ca: {word}\n"))
        self.assertEqual(said.returncode, 2, said)

    def test_its_command_line(self):
        for words, code in (([], 2), (["fly"], 2), (["run", "--json"], 2), (["check", "--config"], 2),
                            (["check", "--config=a", "--config=b"], 2), (["--help"], 0), (["run", "--help"], 0), (["--version"], 0),
                            (["--reference"], 0), (["check", "--config", "/nowhere"], 2)):
            with self.subTest(words=words):
                self.assertEqual(self.call(*words).returncode, code)

    def test_without_an_identity_it_does_not_run(self):
        said = self.call("run", "--folder", str(self.folder / "state"), config=GOOD)
        self.assertEqual(said.returncode, 3, said)
        self.assertIn("not enrolled", said.stderr)

    def test_status_of_none_that_runs(self):
        said = self.call("status", "--json", "--folder", str(self.folder / "state"), config=GOOD)
        self.assertEqual((said.returncode, said.stdout), (4, '{"running":false}\n'))


if __name__ == "__main__":
    unittest.main()
