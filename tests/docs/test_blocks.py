"""What README and docs show, runs: their Python, their commands, and what those are said to print.

Blocks of a page run one after another in a folder with the files that the pages speak of (conftest.py). A comment
before a block says what is special about it:

``<!-- not run: REASON -->``  only its syntax is checked, and that its commands and options exist
``<!-- output -->``           what the block before it printed, ``…`` standing for anything
``<!-- file: NAME -->``       is written to a file
``<!-- exit: N -->``          its commands end with that status
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.main import get_command

from fervid.cli.app import app, main

ROOT = Path(__file__).parent.parent.parent
PAGES = [
    "README.md",
    *(
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if not path.is_relative_to(ROOT / "docs" / "reference" / "cli") and "generated" not in path.parts
    ),
]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
TARGETS = re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
ELSEWHERE = {"curl", "docker", "ray", "export", "createdb"}
"""Programs that are not fervid's; nothing is said of them."""


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: str
    line: int
    language: str
    text: str
    mark: str
    value: str

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """Each command of a console block, and the lines it is said to print."""
        found: list[tuple[str, list[str]]] = []
        for line in re.sub(r"\\\n\s*", " ", self.text).splitlines():
            if self.language != "console" or line.startswith("$ "):
                found.append((line.removeprefix("$ ").strip(), []))
            elif found:
                found[-1][1].append(line)
        return [(command, output) for command, output in found if command and not command.startswith("#")]


def read_blocks(page: str, text: str) -> list[Block]:
    """The blocks of a page that anything can be said of."""
    pattern = re.compile(
        r"^(?:<!-- (?P<mark>not run|output|file|exit)(?:: (?P<value>[^\n]*?))? -->\n+)?"
        r"^(?P<fence>```+)(?P<language>[\w-]*)\n(?P<text>.*?)^(?P=fence)$",
        re.MULTILINE | re.DOTALL,
    )
    blocks = []
    for found in pattern.finditer(text):
        line = text.count("\n", 0, found.start("fence")) + 1
        language, body = found["language"], found["text"]
        mark, value = found["mark"] or "", found["value"] or ""
        if not language and re.match(r"(?:pip install|fervid) ", body):
            language, mark, value = "sh", "not run", "its names stand for others"
        blocks.append(Block(page, line, language, body, mark, value))
    return blocks


BLOCKS = {page: read_blocks(page, (ROOT / page).read_text(encoding="utf-8")) for page in PAGES}
CONSOLE = [block for blocks in BLOCKS.values() for block in blocks if block.language in ("console", "sh", "bash")]
PYTHON = [block for blocks in BLOCKS.values() for block in blocks if block.language == "python"]


def find_command(words: list[str]) -> object:
    """The command that the words after ``fervid`` name."""
    command = get_command(app)
    for word in words:
        below = getattr(command, "commands", {})
        if word in below:
            command = below[word]
        elif below and "run" in below:  # fervid batch SRC
            return below["run"]
        else:
            break
    return command


def list_wrong_options(command: str) -> list[str]:
    """Options of a line that its verb does not know."""
    words = shlex.split(re.split(r"\s[|>]|\s&&\s", command)[0], comments=True)[1:]
    found = find_command(words)
    known = {name for p in found.params for name in (*p.opts, *p.secondary_opts)} | {"-h", "--help"}  # type: ignore[attr-defined]
    if words and words[0].startswith("-"):
        return [word for word in words if word not in known]
    return [
        word for word in words if re.fullmatch(r"--?[a-z][\w-]*(=.*)?", word) and word.partition("=")[0] not in known
    ]


@pytest.mark.parametrize("block", CONSOLE, ids=lambda block: block.name)
def test_commands_exist(block: Block) -> None:
    for command, _ in block.commands:
        program = command.split()[0]
        if program == "fervid":
            assert find_command(command.split()[1:2]) is not get_command(app) or command.split()[1].startswith("-"), (
                command
            )
            assert list_wrong_options(command) == [], command
        elif program == "pip":
            for extras in re.findall(r"fervid\[([\w,-]+)\]", command):
                assert set(extras.split(",")) <= set(EXTRAS), command
        elif program == "make":
            assert all(word in TARGETS for word in command.split("#")[0].split()[1:] if "=" not in word), command
        elif program == "torchrun":
            assert list_wrong_options("fervid " + command.partition("-m fervid ")[2]) == [], command
        elif program in ("python", "bash"):
            assert command.split()[1] == "-m" or (ROOT / command.split()[1]).is_file(), command
        else:
            assert program in ELSEWHERE, command


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.name)
def test_python_has_no_wrong_syntax(block: Block) -> None:
    ast.parse(block.text)


def test_what_is_not_run_has_a_reason() -> None:
    for blocks in BLOCKS.values():
        for block in blocks:
            assert block.mark != "not run" or len(block.value.split()) > 2, block.name


def test_most_blocks_run() -> None:
    blocks = [*CONSOLE, *PYTHON]
    assert len(blocks) > 60
    assert sum(block.mark != "not run" for block in blocks) > 40


def call_fervid(words: list[str]) -> tuple[int, str]:
    """Status and output of the command line, as in a terminal, in this process."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    status = 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        patch.setattr(sys, "argv", ["fervid", *words])
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
    return status, stream.buffer.getvalue().decode()  # type: ignore[attr-defined]


def run_line(line: str, run: Callable[[list[str]], tuple[int, str]] = call_fervid) -> tuple[int, str] | None:
    """Status and output of a line; None when it is not fervid's, or pipes into a program that is not here."""
    if not line.startswith("fervid "):
        return None
    if not re.search(r"\s[|>]", line):
        return run(shlex.split(line, comments=True)[1:])
    if any(shutil.which(part.split()[0]) is None for part in line.split("|")[1:]):
        return None
    here = str(Path(sys.executable).parent)
    script = f'PATH="{here}:$PATH"; set -o pipefail; {line}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def simplify(text: str) -> str:
    """A text without what may change with the networks, the data and the width of a terminal.

    Numbers are all alike, bars and rules are gone, white space counts once: words, their order and the layout stay.
    """
    text = re.sub(r"[█▉▊▋▌▍▎▏─]+", " ", text)
    text = re.sub(r"\d+(?:[.,:]\d+)*", "0", text)
    return " ".join(text.split())


def matches(expected: str, printed: str) -> bool:
    """Whether a text is what was promised, ``…`` standing for anything; see :func:`simplify`."""
    wanted, found = simplify(expected), simplify(printed)
    return re.fullmatch(".*?".join(re.escape(part.strip()) for part in wanted.split("…")), found) is not None


@pytest.mark.training
@pytest.mark.parametrize("page", [page for page, blocks in BLOCKS.items() if blocks])
def test_blocks_run(page: str, workplace: Path) -> None:
    pytest.importorskip("torch", reason="the examples train networks: pip install 'fervid[train]'")
    names: dict[str, object] = {"__name__": "__main__"}
    printed = ""
    for block in BLOCKS[page]:
        if block.mark == "not run":
            continue
        if block.mark == "file":
            Path(block.value).parent.mkdir(parents=True, exist_ok=True)
            Path(block.value).write_text(block.text, encoding="utf-8")
        elif block.mark == "output":
            assert matches(block.text, printed), f"{block.name} says\n{block.text}\nbut it is\n{printed}"
        elif block.language == "python":
            stream = io.StringIO()
            with contextlib.redirect_stdout(stream):
                exec(compile(block.text, block.name, "exec"), names)
            printed = stream.getvalue()
        elif block.language in ("console", "sh", "bash"):
            for line, output in block.commands:
                result = run_line(line)
                if result is None:
                    continue
                status, printed = result
                assert status == int(block.value or 0), f"{block.name}: {line}\n{printed}"
                if output:
                    assert matches("\n".join(output), printed), f"{block.name}: {line} prints\n{printed}"
    assert page != "README.md" or Path("out.jpg").is_file()


def test_this_test_can_fail(workplace: Path) -> None:
    page = "<!-- not run: no camera here -->\n```console\n$ fervid camera --nonsense\n```\n\n```python\nprint(1)\n```\n"
    console, python = read_blocks("page.md", page)
    assert (console.mark, console.value) == ("not run", "no camera here")
    assert list_wrong_options(console.commands[0][0]) == ["--nonsense"]
    assert list_wrong_options("fervid batch SRC --out DIR --chunk 5") == []
    assert (python.mark, python.line) == ("", 6)
    assert run_line("fervid image absent.jpg") is not None
    assert run_line("fervid image absent.jpg")[0] != 0  # type: ignore[index]
    assert matches("a … c\n", "a b b c \n")
    assert not matches("a … c\n", "a b b d\n")
