#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Packs the web console into a C file, so that the sandboxed server can serve it from memory.

  tools/embed.py OUT_C DEPFILE CONSOLE_DIR

CONSOLE_DIR/public/** becomes /**; the packages' files named in CONSOLE_DIR/vendor.json become /vendor/**. The browser
loads plain modules without an import map (the Content-Security-Policy allows no inline script), so bare imports between
packages are rewritten to relative ones here. The same input always gives the same output.
"""
import gzip
import hashlib
import json
import pathlib
import re
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
NUMBERS_PER_LINE = 40


def without_bare_imports(text, imports, name):
    def relative(match):
        start, bare, end = match.groups()
        if bare not in imports:
            sys.exit(f"embed: {name} imports '{bare}', which vendor.json does not map to a file")
        return start + imports[bare] + end

    text = re.sub(r"""(\b(?:import|export)\s*[\w\s{},*$]*\bfrom\s*["'])([^"'./][^"']*)(["'])""", relative, text)
    return re.sub(r"\n//# sourceMappingURL=\S*\s*$", "\n", text)


def licences(modules, lock):
    """The licence texts of every package whose code may be inside the vendored files: their terms ask for it."""
    parts = []
    for folder, package in sorted(lock["packages"].items()):
        if not folder or package.get("dev"):
            continue
        texts = sorted(path for path in (modules.parent / folder).glob("*") if re.match(r"licen[cs]e", path.name, re.I))
        name = folder.removeprefix("node_modules/")
        body = texts[0].read_text().strip() if texts else f"Licence: {package.get('license', 'see the package')}"
        parts.append(f"{name} {package['version']}\n\n{body}\n")
    return ("\n" + "-" * 72 + "\n\n").join(parts)


def collect(console):
    """Gives {path: bytes} and the files that were read."""
    public, modules = console / "public", console / "node_modules"
    vendor = json.loads((console / "vendor.json").read_text())
    read = [console / "vendor.json", console / "package-lock.json"]
    files = {}
    for path in sorted(public.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            files["/" + path.relative_to(public).as_posix()] = path.read_bytes()
            read.append(path)
    for path, source in vendor["modules"].items():
        source = modules / source
        if not source.is_file():
            sys.exit(f"embed: {source} is missing: run `npm ci --prefix console` first")
        data = source.read_bytes()
        if path.endswith(".js"):
            data = without_bare_imports(data.decode(), vendor["imports"], source).encode()
        files[path] = data
        read.append(source)
    lock = json.loads((console / "package-lock.json").read_text())
    files[vendor["licences"]] = licences(modules, lock).encode()
    return files, read


def c_text(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def c_array(name, data):
    lines = (",".join(map(str, data[at : at + NUMBERS_PER_LINE])) for at in range(0, len(data), NUMBERS_PER_LINE))
    return f"static const uint8_t {name}[] = {{\n" + ",\n".join(lines) + "};\n"


def etag(data):
    return '"' + hashlib.sha256(data).hexdigest()[:20] + '"'


def render(files):
    arrays, rows = [], []
    for number, (path, data) in enumerate(sorted(files.items())):
        kind = TYPES.get(pathlib.PurePosixPath(path).suffix)
        if not kind:
            sys.exit(f"embed: {path}: no content type is known for this kind of file")
        if not data:
            sys.exit(f"embed: {path} is empty")
        packed = gzip.compress(data, 9, mtime=0)
        view = "{NULL, 0}"
        arrays.append(c_array(f"body_{number}", data))
        if len(packed) < len(data):
            arrays.append(c_array(f"gzip_{number}", packed))
            view = f"{{gzip_{number}, sizeof gzip_{number}}}"
        body = f"{{body_{number}, sizeof body_{number}}}"
        texts = ", ".join(map(c_text, (path, kind, etag(data), etag(packed))))
        rows.append(f"    {{{texts}, {body}, {view}}},\n")
    return (
        "/* The console's files. Made by tools/embed.py; do not edit. */\n"
        "/* SPDX-License-Identifier: Apache-2.0 */\n"
        '#include "prog/server/console_assets.h"\n\n'
        + "\n".join(arrays)
        + "\nconst struct console_asset console_assets[] = {\n"
        + "".join(rows)
        + "};\nconst size_t console_assets_count = sizeof console_assets / sizeof console_assets[0];\n"
    )


def main(args):
    if len(args) != 3:
        sys.exit(__doc__)
    out, depfile, console = (pathlib.Path(arg) for arg in args)
    files, read = collect(console)
    out.write_text(render(files))
    # Folders are named too, so that a new or deleted file is noticed.
    folders = {path for path in (console / "public").rglob("*") if path.is_dir()} | {console / "public"}
    names = (str(path).replace(" ", "\\ ") for path in [*read, *sorted(folders)])
    depfile.write_text(str(out).replace(" ", "\\ ") + ": " + " ".join(names) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
