#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Packs a JSON document into a C file, so that a program carries it: without needless blanks, and only if it is JSON.

  tools/embed_json.py IN_JSON OUT_C HEADER FUNCTION     FUNCTION, declared in HEADER, gives the text as struct bytes
"""
import json
import pathlib
import sys

NUMBERS_PER_LINE = 32


def once(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError(f"a member is there twice: {[name for name, _ in pairs]}")
    return members


def main(source, target, header, function):
    document = json.loads(pathlib.Path(source).read_text(), object_pairs_hook=once)
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode()
    rows = (text[at : at + NUMBERS_PER_LINE] for at in range(0, len(text), NUMBERS_PER_LINE))
    numbers = ",\n".join("    " + ",".join(map(str, row)) for row in rows)
    pathlib.Path(target).write_text(
        f"/* Made by tools/embed_json.py from {pathlib.Path(source).name}. */\n"
        f'#include "{header}"\n\nstatic const uint8_t text[] = {{\n{numbers}}};\n\n'
        f"struct bytes {function}(void)\n{{\n    return bytes_of(text, sizeof text);\n}}\n")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
