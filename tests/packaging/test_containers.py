"""The container files ask for what there is, and give away nothing."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from fervid.cli.serve import serve

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def read_instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


INSTRUCTIONS = read_instructions()
LAST = INSTRUCTIONS[max(i for i, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM") :]


def find(word: str) -> list[str]:
    return [rest for name, rest in LAST if name == word]


def list_variables() -> dict[str, Any]:
    """The variables that ``fervid serve`` reads, and the defaults of their options."""
    return {
        note.envvar: parameter.default
        for parameter in inspect.signature(serve, eval_str=True).parameters.values()
        for note in parameter.annotation.__metadata__
    }


def environment_of_the_image() -> dict[str, str]:
    return dict(pair.split("=", 1) for rest in find("ENV") for pair in shlex.split(rest))


def test_what_is_copied_is_there() -> None:
    build = {"FROM", "COPY", "RUN", "WORKDIR"}
    run = {"LABEL", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {word for word, _ in INSTRUCTIONS} == build | run
    copied = [rest.split()[:-1] for word, rest in INSTRUCTIONS if word == "COPY" and not rest.startswith("--from")]
    sources = [source for group in copied for source in group]
    assert len(sources) >= 4
    assert all((ROOT / source).exists() for source in sources)


def test_stages_are_named_before_they_are_used() -> None:
    stages: list[str] = []
    for word, rest in INSTRUCTIONS:
        if word == "FROM" and " AS " in rest:
            stages.append(rest.rpartition(" AS ")[2])
        for name in re.findall(r"--from=(\S+)", rest):
            assert name in stages
    assert stages == ["pages", "package"]
    bases = [rest.split()[0] for word, rest in INSTRUCTIONS if word == "FROM"]
    assert all(re.fullmatch(r"(node|python):\d+(\.\d+)?-(bookworm-slim|slim-bookworm)", base) for base in bases)
    assert bases[1] == bases[2], "an environment works with the interpreter that made it"


def test_the_image_installs_extras_that_there_are() -> None:
    (extras,) = {found for _, rest in INSTRUCTIONS for found in re.findall(r"\.whl\)\[([\w,]+)\]", rest)}
    assert set(extras.split(",")) == {"web", "postgres", "redis"}
    assert set(extras.split(",")) <= set(EXTRAS)


def test_the_image_runs_as_nobody_and_checks_itself() -> None:
    (user,) = find("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    number = user.partition(":")[0]
    assert any(f"--owner={number}" in rest and rest.endswith(" /data") for rest in find("RUN"))
    names = [word for word, _ in LAST]
    assert names.index("USER") > max(i for i, word in enumerate(names) if word in ("COPY", "RUN"))
    assert find("ENTRYPOINT") == ['["fervid"]']
    assert find("CMD") == ['["serve"]']


def test_the_variables_of_the_image_are_those_of_serve() -> None:
    variables = list_variables()
    ours = {name: value for name, value in environment_of_the_image().items() if name.startswith("FERVID_")}
    assert set(ours) <= set(variables)
    assert ours["FERVID_PORT"] == str(variables["FERVID_PORT"]) == find("EXPOSE")[0]
    assert ours["FERVID_HOST"] == "0.0.0.0"
    assert find("VOLUME") == [f'["{ours["FERVID_DATA_DIR"]}"]']


class Healthy(BaseHTTPRequestHandler):
    """Answers the route of the check alone."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/v1/health" else 404)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


def test_the_health_check_asks_the_server_of_the_same_variables() -> None:
    (check,) = find("HEALTHCHECK")
    program, *arguments = json.loads(check.partition("CMD ")[2])
    assert program == "python"

    def ask(port: int, **variables: str) -> int:
        env = {"FERVID_PORT": str(port), **variables}
        return subprocess.run([sys.executable, *arguments], env=env, capture_output=True, check=False).returncode

    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert ask(server.server_port) == 0
        assert ask(server.server_port, FERVID_SSL_CERTFILE="/run/secrets/cert.pem") != 0  # it speaks no HTTPS
        server.shutdown()
    assert ask(server.server_port) != 0


def test_the_health_check_asks_a_route_that_there_is() -> None:
    pytest.importorskip("fastapi", reason="the web app's extra is not here")
    from fervid.web.settings import API

    assert API == "/api/v1"
    source = (ROOT / "src" / "fervid" / "web" / "health.py").read_text(encoding="utf-8")
    assert '@router.get("/health")' in source


def test_what_is_ignored_is_not_needed() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert {".git", ".venv", "**/node_modules", "local", "tests"} <= set(ignored)
    needed = {"src", "frontend", "README.md", "LICENSE", "pyproject.toml", "hatch_build.py", ".gitignore"}
    assert not needed & {line.strip("/*") for line in ignored}


def test_compose_passes_variables_that_serve_reads() -> None:
    ours = {name for name in SERVICES["app"]["environment"] if name.startswith("FERVID_")}
    assert {"FERVID_DATABASE_URL", "FERVID_REDIS_URL", "FERVID_ORIGINS"} == ours
    assert ours <= set(list_variables())


def test_compose_is_reached_from_this_machine_alone() -> None:
    (port,) = SERVICES["app"]["ports"]
    assert re.sub(r"\$\{\w+:-(.+?)\}", r"\1", port) == f"127.0.0.1:{list_variables()['FERVID_PORT']}:8642"
    assert all("ports" not in service for name, service in SERVICES.items() if name != "app")
    assert COMPOSE["networks"]["back"]["internal"] is True
    assert all(service["networks"] == ["back"] for name, service in SERVICES.items() if name != "app")


def test_compose_holds_no_secret_and_insists_on_some() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    body = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    secrets = re.findall(r"\$\{(?:POSTGRES|REDIS)_PASSWORD(.*?)\}", body)
    assert len(secrets) >= 4
    assert all(rest.startswith(":?") for rest in secrets), "an unset password stops it"
    urls = [SERVICES["app"]["environment"][name] for name in ("FERVID_DATABASE_URL", "FERVID_REDIS_URL")]
    assert all(re.fullmatch(r"\w+://\w*:\$\{\w+:\?[^}]+\}@(\w+)(:\d+)?/\w+", url) for url in urls)
    assert {re.findall(r"@(\w+)", url)[0] for url in urls} <= set(SERVICES)


def test_compose_waits_for_what_answers() -> None:
    assert all(service["healthcheck"]["test"] for name, service in SERVICES.items() if name != "app")
    waits = SERVICES["app"]["depends_on"]
    assert {name: wait["condition"] for name, wait in waits.items()} == dict.fromkeys(
        ["database", "redis"], "service_healthy"
    )
    assert SERVICES["app"]["volumes"] == [f"films:{environment_of_the_image()['FERVID_DATA_DIR']}"]
    assert set(COMPOSE["volumes"]) == {"films", "database"}


def test_compose_takes_rights_away() -> None:
    for service in SERVICES.values():
        assert "no-new-privileges:true" in service["security_opt"]
        assert not service.get("privileged")
    for name in ("app", "redis"):
        assert SERVICES[name]["read_only"] is True
        assert SERVICES[name]["cap_drop"] == ["ALL"]


def test_the_url_of_compose_is_one_that_the_database_understands() -> None:
    pytest.importorskip("sqlalchemy", reason="the web app's extra is not here")
    from sqlalchemy import make_url

    url = make_url(re.sub(r"\$\{.+?\}", "a1b2", SERVICES["app"]["environment"]["FERVID_DATABASE_URL"]))
    database = SERVICES["database"]["environment"]
    assert (url.username, url.database) == (database["POSTGRES_USER"], database["POSTGRES_DB"])
    assert url.host == "database"
    assert url.password == "a1b2"
