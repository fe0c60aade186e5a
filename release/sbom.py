"""Says what a wheel is made of: CycloneDX 1.6 (https://cyclonedx.org) in JSON.

    python release/sbom.py dist/fervid-0.1.0-py3-none-any.whl -o sbom.json [--extra web]

Listed are the models in the wheel with their digests, the packages of the front end that are built into its pages, and
what pip installs beside it: every distribution that this environment would satisfy its requirements with. The same
wheel in the same environment gives the same bytes.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from email.message import Message
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "frontend" / "package-lock.json"
BUNDLED: Final = "fervid/models/bundled/"

Component = dict[str, Any]


class MissingDistributionError(Exception):
    """A requirement is not installed here."""


def build_sbom(wheel: Path, extras: Iterable[str] = ()) -> dict[str, Any]:
    """The whole document.

    Args:
        wheel: the file.
        extras: of fervid, whose packages are listed as well.

    Raises:
        MissingDistributionError: a requirement is not installed here.
    """
    with zipfile.ZipFile(wheel) as archive:
        about = read_metadata(archive)
        models = list(list_models(archive))
    packages = list_npm_packages(json.loads(LOCK.read_text("utf-8")))
    tree = resolve([Requirement(text) for text in about.get_all("Requires-Dist", [])], set(extras))
    purl = make_purl(about["Name"], about["Version"])
    main: Component = {
        "type": "application",
        "bom-ref": purl,
        "name": about["Name"],
        "version": about["Version"],
        "description": about["Summary"],
        "licenses": [{"expression": about["License-Expression"]}],
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}],
    }
    inside = [part["bom-ref"] for part in (*models, *packages)]
    content = {
        "metadata": {"component": main},
        "components": [*models, *packages, *(make_component(name) for name in sorted(tree) if name)],
        "dependencies": [
            {"ref": purl, "dependsOn": sorted([*inside, *(refer(name) for name in tree[""])])},
            *({"ref": part} for part in sorted(inside)),
            *({"ref": refer(name), "dependsOn": sorted(map(refer, tree[name]))} for name in sorted(tree) if name),
        ],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, digest)}",
        "version": 1,
        **content,
    }


def read_metadata(archive: zipfile.ZipFile) -> Message:
    """The wheel's ``METADATA``."""
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    return HeaderParser().parsestr(archive.read(name).decode("utf-8"))


def list_models(archive: zipfile.ZipFile) -> Iterator[Component]:
    """The networks in the wheel; their digests are of the bytes in it."""
    for path in sorted(name for name in archive.namelist() if name.startswith(BUNDLED) and name.endswith(".onnx")):
        name, digest = PurePosixPath(path).stem, hashlib.sha256(archive.read(path)).hexdigest()
        yield {
            "type": "machine-learning-model",
            "bom-ref": f"model:{name}@{digest[:12]}",
            "name": name,
            "version": digest[:12],
            "licenses": [{"license": {"id": "Apache-2.0"}}],
            "hashes": [{"alg": "SHA-256", "content": digest}],
            "properties": [{"name": "fervid:path", "value": path}],
        }


def list_npm_packages(lock: dict[str, Any]) -> list[Component]:
    """What the pages are built from, as ``package-lock.json`` pins it, without tools and types."""
    found = []
    for place, entry in sorted(lock["packages"].items()):
        name = place.rpartition("node_modules/")[2]
        if not name or entry.get("dev") or name.startswith("@types/") or name == "undici-types":
            continue
        purl = f"pkg:npm/{name.replace('@', '%40')}@{entry['version']}"
        part: Component = {"type": "library", "bom-ref": purl, "name": name, "version": entry["version"], "purl": purl}
        if "license" in entry:
            part["licenses"] = [{"expression": entry["license"]}]
        algorithm, _, digest = entry.get("integrity", "").partition("-")
        if algorithm == "sha512":
            part["hashes"] = [{"alg": "SHA-512", "content": base64.b64decode(digest).hex()}]
        found.append(part)
    return found


def resolve(requirements: Iterable[Requirement], extras: set[str]) -> dict[str, set[str]]:
    """What is installed to satisfy requirements: names, and the names that each needs; ``""`` stands for the wheel."""
    wanted = list(requirements)
    while inner := {e for r in wanted if r.name == "fervid" and applies(r, extras) for e in r.extras} - extras:
        extras = extras | inner  # an extra made of extras
    tree: dict[str, set[str]] = {"": set()}
    followed: dict[str, set[str]] = {}
    waiting = [("", [requirement for requirement in wanted if requirement.name != "fervid"], extras)]
    while waiting:
        parent, wanted, chosen = waiting.pop()
        for requirement in wanted:
            if not applies(requirement, chosen):
                continue
            name = canonicalize_name(requirement.name)
            tree[parent].add(name)
            tree.setdefault(name, set())
            if name not in followed or not requirement.extras <= followed[name]:
                followed[name] = followed.get(name, set()) | requirement.extras
                needs = [Requirement(text) for text in find_distribution(name).requires or []]
                waiting.append((name, needs, followed[name]))
    return tree


def applies(requirement: Requirement, extras: set[str]) -> bool:
    """Whether a requirement holds here, with any of the extras or without."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *sorted(extras)))


def find_distribution(name: str) -> metadata.Distribution:
    """The installed distribution of that name."""
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise MissingDistributionError(
            f"{name} is not installed here. Install the wheel, with the same extras, and run this with its Python."
        ) from None


def make_component(name: str) -> Component:
    """An installed distribution."""
    about = find_distribution(name).metadata
    part: Component = {
        "type": "library",
        "bom-ref": refer(name),
        "name": about["Name"],
        "version": about["Version"],
        "purl": refer(name),
    }
    licences = find_licences(about)
    if licences:
        part["licenses"] = licences
    return part


def find_licences(about: Any) -> list[dict[str, Any]]:
    """An SPDX expression where the package gives one, else the names that it gives."""
    if about["License-Expression"]:
        return [{"expression": about["License-Expression"]}]
    prefix = "License :: "
    names = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier", []) if line.startswith(prefix)]
    text = (about["License"] or "").strip()
    if not names and text and "\n" not in text:
        names = [text]
    return [{"license": {"name": name}} for name in sorted(set(names))]


def refer(name: str) -> str:
    """The package URL of an installed distribution."""
    return make_purl(name, find_distribution(name).version)


def make_purl(name: str, version: str) -> str:
    """A package URL (https://github.com/package-url/purl-spec)."""
    return f"pkg:pypi/{canonicalize_name(name)}@{version}"


def main() -> int:
    """Write the document; 1 and a line on stderr when something is missing."""
    parser = argparse.ArgumentParser(description="Say what a wheel of fervid is made of, in CycloneDX JSON.")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="stdout if not given")
    parser.add_argument("--extra", action="append", default=[], help="also what this extra installs")
    arguments = parser.parse_args()
    try:
        text = json.dumps(build_sbom(arguments.wheel, arguments.extra), indent=2, ensure_ascii=False) + "\n"
    except (OSError, zipfile.BadZipFile, MissingDistributionError) as error:
        print(f"sbom: {error}", file=sys.stderr)
        return 1
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        arguments.output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
