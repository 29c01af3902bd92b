#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the code against its floor plan, src/HOUSE.

  tools/house.py                 check the tree; exit 1 and one line per breach
  tools/house.py --objects DIR   also look for writable globals in the libraries of the build folder DIR
  tools/house.py --tests ROOM    list the room's test programs
  tools/house.py --fuzzers       list the fuzz targets: path|rooms that it links
  tools/house.py --plan          print the plan for the build: room|rooms|libs|sources, then program=folder|rooms|sources
"""
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
SRC = TOP / "src"
FILE_LINES, FILE_STOP, FUNCTION_LINES = 500, 800, 70
# A foreign library is known by the headers it brings.
HEADERS = {
    "openssl": r"openssl/", "seccomp": r"seccomp\.h", "llhttp": r"llhttp\.h", "jansson": r"jansson\.h",
    "yaml": r"yaml\.h", "sqlite3": r"sqlite3\.h", "curl": r"curl/", "cmocka": r"cmocka\.h",
}
BANNED = {  # word: why
    r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca|atoi|atol|atof|mktemp|tmpnam|rand|srand|system|popen)\s*\(":
        "has a safer sister",
    r"\bpthread_cancel\b": "threads end by a mail",
    r"\bgoto\b": "clean-up belongs to the scope (SCOPED)",
    r"\b(TODO|FIXME|XXX|HACK)\b": "needs an issue instead",
    r"^\s*#\s*include\s+<(stdatomic)\.h>": "only base/count.h and os may use atomics",
}
MALLOC = r"\b(malloc|calloc|realloc|free|strdup|strndup|asprintf)\s*\("
VAGUE = re.compile(r"(^|_)(common|internal|util|utils|misc|helpers?)($|_)")


def plan():
    rooms, programs = {}, {}
    for number, line in enumerate((SRC / "HOUSE").read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        if "=" in line:
            name, rest = (part.strip() for part in line.split("=", 1))
            folder, may = (part.strip() for part in rest.split(":", 1))
            programs[name] = (folder, may.split())
        else:
            name, rest = (part.strip() for part in line.split(":", 1))
            may, libs = (rest.split("|") + [""])[:2]
            rooms[name] = (may.split(), libs.split())
            may = rooms[name][0]
        for other in may if isinstance(may, list) else may.split():
            if other not in rooms or other == name:
                sys.exit(f"src/HOUSE:{number}: {name} names {other}, which does not stand on an earlier line")
    return rooms, programs


def sources(folder):
    return sorted(str(path.relative_to(TOP)) for path in (SRC / folder).rglob("*.c"))


def print_plan(rooms, programs):
    for name, (may, libs) in rooms.items():
        if name != "prog":
            print(name, ",".join(may), ",".join(libs), ",".join(sources(name)), sep="|")
    for name, (folder, may) in programs.items():
        print(name + "=" + folder, ",".join(may), ",".join(rooms["prog"][1]), ",".join(sources("prog/" + folder)), sep="|")


def print_fuzzers():
    for path in sorted((TOP / "tests" / "fuzz").glob("fuzz_*.c")):
        linked = re.match(r"/\* fuzz:([^*]*)\*/", path.read_text())
        print(path, ",".join(re.findall(r"\w+", linked.group(1))), sep="|")


def functions(lines):
    """Yields (first line, length) of each function body: '{' and '}' in the first column."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            yield start, number - start - 1
            start = None


def strip_comments(text):
    blank = lambda match: re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r"/\*.*?\*/|//[^\n]*", blank, text, flags=re.S)


def check_includes(path, room, text, rooms, say):
    may, libs = rooms[room]
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if not match:
            continue
        kind, name = match.groups()
        other = name.split("/")[0]
        if kind == '"' and other != room and other not in may:
            say(path, number, f"{room} may not include {name} (src/HOUSE)")
        for lib, pattern in HEADERS.items():
            if re.match(pattern, name) and lib not in libs:
                say(path, number, f"{room} may not use {lib} (src/HOUSE)")


def check_words(path, room, text, say):
    code = strip_comments(text)
    for number, line in enumerate(code.splitlines(), 1):
        for word, why in BANNED.items():
            if re.search(word, line) and not ("stdatomic" in word and room in ("base", "os")):
                say(path, number, f"banned: {re.search(word, line).group(0).strip()} {why}")
        if room not in ("base", "store") and re.search(r"(?<![\w.>])" + MALLOC, line):
            say(path, number, "memory is taken and dropped through base/memory.h")
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            say(path, number, "unfinished work belongs into an issue")


def check_bools(path, text, say):
    for match in re.finditer(r"^[a-zA-Z][^;={}()]*\(([^;{}()]*\bbool\s+\w+[^;{}()]*)\)\s*[;{]", strip_comments(text), re.M):
        say(path, text[: match.start()].count("\n") + 1, "a bool parameter: use an enum whose zero is the strict choice")


def check_file(path, rooms, say):
    room = path.relative_to(SRC).parts[0]
    text = path.read_text()
    lines = text.splitlines()
    if VAGUE.search(path.stem):
        say(path, 1, "a vague name: say which noun lives here")
    if "SPDX-License-Identifier: Apache-2.0" not in text[:4000]:
        say(path, 1, "no SPDX line")
    if not lines or not lines[0].startswith("/* "):
        say(path, 1, "the first line says what the file is")
    if len(lines) > FILE_LINES:
        say(path, len(lines), f"{len(lines)} lines; {FILE_LINES} is the bound, {FILE_STOP} stops the build")
    for start, length in functions(lines):
        if length > FUNCTION_LINES:
            say(path, start, f"a function of {length} lines; {FUNCTION_LINES} is the bound")
    check_includes(path, room, text, rooms, say)
    check_words(path, room, text, say)
    check_bools(path, text, say)


def check_tests(say):
    for path in (TOP / "tests").rglob("*"):
        if path.suffix not in (".c", ".h", ".py", ".mjs") or "node_modules" in path.parts:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"\b(usleep|nanosleep|time\.sleep|waitForTimeout)\s*\(|(?<![\w.])sleep\s*\(", line):
                say(path, number, "a test waits for the event, it does not sleep")


def check_objects(folder, rooms, say):
    """Writable data in any room but prog. Constants that hold addresses (.data.rel.ro) are read-only once loaded."""
    for room in rooms:
        for library in pathlib.Path(folder).rglob(f"libroom_{room}.a"):
            listing = subprocess.run(["objdump", "-t", library], capture_output=True, text=True, check=True).stdout
            member = "?"
            for line in listing.splitlines():
                member = line.split(":")[0] if re.match(r"\S+\.o:", line) else member
                match = re.match(r"[0-9a-f]+ .{7} (\.(?:data|bss|tdata)(?!\.rel\.ro)\S*|\*COM\*)\s+[0-9a-f]+\s+(\S+)$", line)
                if line.endswith(" __gnu_lto_slim"):
                    say(SRC / room / member, 0, "only the linker can read it: build with -ffat-lto-objects")
                if match and not re.match(r"(__|\.|completed|_?asan|_?ubsan)", match.group(2)) and match.group(1) != match.group(2):
                    say(SRC / room / member, 0, f"a writable global: {match.group(2)}")


def main(args):
    rooms, programs = plan()
    if args[:1] == ["--plan"]:
        return print_plan(rooms, programs)
    if args[:1] == ["--tests"]:
        return print("\n".join(sorted(map(str, (TOP / "tests" / args[1]).glob("test_*.c")))))
    if args[:1] == ["--fuzzers"]:
        return print_fuzzers()
    if args[:1] in (["-h"], ["--help"]):
        return print(__doc__)
    breaches = []
    say = lambda path, number, what: breaches.append(f"{path.relative_to(TOP)}:{number}: {what}")
    for path in sorted(SRC.rglob("*.[ch]")):
        if path.relative_to(SRC).parts[0] not in rooms:
            say(path, 1, "stands in no room of src/HOUSE")
        else:
            check_file(path, rooms, say)
    check_tests(say)
    if args[:1] == ["--objects"]:
        check_objects(args[1], rooms, say)
    print("\n".join(breaches) if breaches else "the house holds")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
