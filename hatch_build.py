"""Building a wheel or an sdist builds the web pages first.

From an sdist, which carries them built, no Node is needed; an editable install takes them from where ``make serve``
puts them.
"""

from __future__ import annotations

import json
import lzma
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STATIC: Final = Path("src/fervid/web/static")
FRONTEND: Final = Path("frontend")
NOTICES: Final = "third-party-licences.txt"
OLDEST_NODE: Final = (20, 19)
_HOLDERS: Final = {
    "guid-typescript": "Copyright (c) nicolas (https://github.com/NicolasDeveloper/guid-typescript)",
    "onnxruntime-common": "Copyright (c) Microsoft Corporation",
    "onnxruntime-web": "Copyright (c) Microsoft Corporation\n\nThe notices of what is linked into its WebAssembly are "
    "in ThirdPartyNotices.txt of ONNX Runtime:\nhttps://github.com/microsoft/onnxruntime/blob/v{version}/ThirdPartyNotices.txt",
}
"""Whose packages are that come without the text of their licence."""
_PICTURES: Final = "The portrait on the page Photo: Eileen Collins, by NASA, in the public domain."
_LICENCES: Final = {
    "ISC": """\
Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby
granted, provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN
AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR
PERFORMANCE OF THIS SOFTWARE.
""".strip(),
    "MIT": """\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to
permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS
OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
""".strip(),
}
_BUILT_OR_FETCHED: Final = frozenset({"node_modules", "dist"})


class PagesHook(BuildHookInterface[Any]):
    """Makes ``src/fervid/web/static`` from ``frontend/``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the pages where they are missing or older than their sources.

        Raises:
            SystemExit: they are, and there is no Node.js to build them.
        """
        root = Path(self.root)
        if version == "editable":
            return
        self.build_missing(root)
        write_notices(root / FRONTEND, root / STATIC)
        pack_runtimes(root / STATIC / "assets")

    def build_missing(self, root: Path) -> None:
        """Build the pages unless they are there."""
        from_sdist = (root / "PKG-INFO").is_file()
        if (from_sdist and (root / STATIC / "index.html").is_file()) or is_current(root):
            return
        problem = find_problem()
        if problem:
            sys.exit(
                f"fervid: the web pages are not built, and {problem}. Install Node.js {OLDEST_NODE[0]}.{OLDEST_NODE[1]}"
                " or newer with npm, or install fervid from PyPI or from an sdist, which carry them."
            )
        try:
            build_pages(root / FRONTEND)
        except subprocess.CalledProcessError as error:
            sys.exit(f"fervid: the web pages could not be built: {' '.join(error.cmd)} failed; see above.")


def build_pages(frontend: Path) -> None:
    """Install what the build needs, unless it is there, and build.

    Raises:
        CalledProcessError: npm failed; what it said is on stderr.
    """
    lock, installed = frontend / "package-lock.json", frontend / "node_modules" / ".installed"
    if not installed.is_file() or installed.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=frontend, check=True, stdout=sys.stderr)
        installed.touch()  # the Makefile's stamp
    subprocess.run(["npm", "run", "build"], cwd=frontend, check=True, stdout=sys.stderr)


def write_notices(frontend: Path, static: Path) -> None:
    """Lay the licences of what is built into the pages beside them, as those licences ask.

    From an sdist, which carries the file, there is nothing to read them from.

    Raises:
        SystemExit: a package comes without its licence's text, and none is known here.
    """
    lock, modules = frontend / "package-lock.json", frontend / "node_modules"
    if not lock.is_file() or not modules.is_dir():
        return
    parts = []
    for place, entry in sorted(json.loads(lock.read_text("utf-8"))["packages"].items()):
        name = place.rpartition("node_modules/")[2]
        if not name or entry.get("dev") or name.startswith("@types/") or name == "undici-types":  # as release/sbom.py
            continue
        texts = [path for path in sorted((frontend / place).glob("*")) if _is_notice(path)]
        said = [path.read_text("utf-8").strip() for path in texts] or [state_licence(name, **entry)]
        parts.append("\n\n".join([f"{name} {entry['version']}: {entry.get('license', 'see below')}", *said]))
    text = f"\n\n{'-' * 80}\n\n".join(["The pages contain, in part or whole:", *parts, _PICTURES]) + "\n"
    (static / NOTICES).write_text(text, "utf-8")


def state_licence(name: str, version: str, license: str = "", **_: Any) -> str:  # noqa: A002 (as the lock file says it)
    """The licence of a package that names one but comes without its text.

    Raises:
        SystemExit: nobody has written here whose the package is.
    """
    if name not in _HOLDERS or license not in _LICENCES:
        sys.exit(f"fervid: {name} ({license or 'no licence'}) has no file with its licence's text: see _HOLDERS.")
    return f"{_HOLDERS[name].format(version=version)}\n\n{_LICENCES[license]}"


def _is_notice(path: Path) -> bool:
    return path.is_file() and path.name.lower().startswith(("licen", "copying", "notice", "thirdpartynotices"))


def pack_runtimes(assets: Path) -> None:
    """Lay a packed file beside each ``.wasm``: packages carry it instead, the server unpacks it. It is a third less.

    Their names carry a digest, so what is packed stays right.
    """
    with ThreadPoolExecutor() as pool:
        list(pool.map(_pack, [path for path in assets.glob("*.wasm") if not _name_packed(path).is_file()]))


def _pack(path: Path) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(lzma.compress(path.read_bytes(), preset=6))
    part.replace(_name_packed(path))


def _name_packed(path: Path) -> Path:
    return path.with_name(f"{path.name}.xz")


def is_current(root: Path) -> bool:
    """Whether the pages are built and no source is newer."""
    page = root / STATIC / "index.html"
    if not page.is_file():
        return False
    built = page.stat().st_mtime
    return all(path.stat().st_mtime <= built for path in list_sources(root))


def list_sources(root: Path) -> list[Path]:
    """The files that the pages are made of."""
    found: list[Path] = []
    waiting = [root / FRONTEND]
    while waiting:
        for path in waiting.pop().iterdir():
            if path.is_dir():
                if path.name not in _BUILT_OR_FETCHED:
                    waiting.append(path)
            else:
                found.append(path)
    return found


def find_problem() -> str:
    """Why the pages cannot be built here; empty when they can."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return "there is no Node.js"
    answer = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    try:
        version = tuple(int(part) for part in answer.removeprefix("v").split("."))
    except ValueError:
        return f"node --version says {answer!r}"
    return f"Node.js is {answer}" if version < OLDEST_NODE else ""
