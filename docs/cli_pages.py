"""The pages of the command line, written from the app itself at every build."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from fervid.cli.app import app

_NOTICE = "<!-- Written by docs/cli_pages.py at every build. -->\n"


def write_pages(folder: Path) -> None:
    """One page per verb and one that lists them; files whose text is the same are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {f"{name}.md": build_page(name, command) for name, command in list_verbs()}
    pages["index.md"] = build_index()
    for name, text in pages.items():
        write_if_changed(folder / name, _NOTICE + text)
    for stale in set(folder.glob("*.md")) - {folder / name for name in pages}:
        stale.unlink()


def write_if_changed(path: Path, text: str) -> None:
    """So that a second build reads only what is new."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def list_verbs() -> list[tuple[str, Any]]:
    """The verbs in the order of ``fervid --help``."""
    root: Any = typer.main.get_command(app)
    return list(root.commands.items())


def build_index() -> str:
    """The page that lists the verbs."""
    root: Any = typer.main.get_command(app)
    rows = [f"| [`fervid {name}`]({name}.md) | {_first_paragraph(command)} |" for name, command in list_verbs()]
    toctree = "\n".join(["```{toctree}", ":hidden:", "", *(name for name, _ in list_verbs()), "```"])
    return "\n".join(
        [
            "# Command line",
            "",
            _escape(inspect.cleandoc(root.help)),
            "",
            "| verb | what it does |",
            "|---|---|",
            *rows,
            "",
            "`-h` after any of them prints what its page says. `fervid --install-completion` teaches your shell to "
            "complete verbs and options.",
            "",
            toctree,
            "",
        ]
    )


def build_page(name: str, command: Any) -> str:
    """One verb, with its own verbs where it has some."""
    lines = [f"# fervid {name}", ""]
    subcommands = getattr(command, "commands", None)
    if subcommands is None:
        lines += _describe(f"fervid {name}", command, level=2)
    else:
        lines += [_escape(inspect.cleandoc(command.help or "")), ""]
        for sub, subcommand in subcommands.items():
            lines += [f"## fervid {name} {sub}", "", *_describe(f"fervid {name} {sub}", subcommand, level=3)]
    return "\n".join(lines)


def _describe(words: str, command: Any, *, level: int) -> list[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([words, "[OPTIONS]", *(_name_argument(p) for p in arguments)])
    lines = [_escape(inspect.cleandoc(command.help or "")), "", "```text", usage, "```", ""]
    for title, parameters in _group(command.params):
        lines += [f"{'#' * level} {title}", ""]
        for parameter in parameters:
            lines += _describe_parameter(parameter)
    return lines


def _group(parameters: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Arguments, options, then the panels that the help has."""
    groups: dict[str, list[Any]] = {"Arguments": [], "Options": []}
    for parameter in parameters:
        if getattr(parameter, "hidden", False):
            continue
        plain = "Arguments" if parameter.param_type_name == "argument" else "Options"
        groups.setdefault(getattr(parameter, "rich_help_panel", None) or plain, []).append(parameter)
    yield from ((title, group) for title, group in groups.items() if group)


def _describe_parameter(parameter: Any) -> list[str]:
    if parameter.param_type_name == "argument":
        term = f"`{_name_argument(parameter).strip('[]')}`"
    else:
        names = sorted(parameter.opts, key=len, reverse=True) + list(parameter.secondary_opts)
        value = "" if parameter.is_flag else f" {_name_value(parameter)}"
        term = ", ".join(f"`{option}{value}`" for option in names)
    text = _escape(" ".join((parameter.help or "").split()))
    if parameter.required:
        text += " **Required.**"
    text += _describe_range(parameter.type)
    default = parameter.default
    if default not in (None, "", ()) and not callable(default) and not getattr(parameter, "is_flag", False):
        text += f" Default: `{_format_default(default)}`."
    if getattr(parameter, "multiple", False):
        text += " Repeatable."
    if parameter.envvar:
        variables = parameter.envvar if isinstance(parameter.envvar, list) else [parameter.envvar]
        text += " Variable: " + ", ".join(f"`{name}`" for name in variables) + "."
    return [term, f": {text.strip() or '…'}", ""]


def _format_default(default: Any) -> str:
    return " ".join(map(str, default)) if isinstance(default, list | tuple) else f"{getattr(default, 'value', default)}"


def _name_argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.required else f"[{name}]"


def _name_value(parameter: Any) -> str:
    """What an option takes, in one word."""
    if parameter.metavar:
        return str(parameter.metavar)
    kind = parameter.type
    if hasattr(kind, "choices"):
        return "|".join(getattr(choice, "value", str(choice)) for choice in kind.choices)
    if kind.name.startswith(("int", "float")):
        return "N" if kind.name.startswith("int") else "X"
    return "PATH" if kind.name == "path" else str(parameter.opts[-1]).rpartition("-")[2].upper()


def _describe_range(kind: Any) -> str:
    low, high = getattr(kind, "min", None), getattr(kind, "max", None)
    if low is not None and high is not None:
        return f" {low:g} to {high:g}."
    return "" if low is None else f" {'Above' if getattr(kind, 'min_open', False) else 'From'} {low:g}."


def _first_paragraph(command: Any) -> str:
    return _escape(" ".join(inspect.cleandoc(command.help or "").split("\n\n")[0].split()))


def _escape(text: str) -> str:
    """Plain text as Markdown; options become code, pages of the docs links."""
    marked = re.sub(r"([*_<>\[\]`|])", r"\\\1", text)
    marked = re.sub(r"docs/([\w-]+\.md)", r"[docs/\1](../../\1)", marked)
    return re.sub(r"(?<![\w-])(--[a-z][\w-]*)( -(?=[\s,.;]))?", r"`\1\2`", marked)
