"""``/models``: the networks of the package, which browsers load to read a camera by themselves."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from fervid.errors import UnknownModelError
from fervid.models.store import BUNDLED, ModelFile, list_bundled, load_model
from fervid.web.settings import API, Settings

_YEAR: Final = "public, max-age=31536000, immutable"
_BINARY: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "The client has it."},
}
_TEXT: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}}


class ModelRow(BaseModel):
    """One network."""

    name: str
    sha256: str = Field(description="Of the file, hex.")
    bytes: int
    task: Literal["expression", "detection"] = Field(description="It reads faces, or finds them.")
    default: bool = Field(description="Whether this server uses it.")
    identity: str = Field(description="name@sha256[:12], as results carry it.")
    file_url: str
    card_url: str | None = Field(description="What it was trained on and how well it does, in Markdown.")


class ModelList(BaseModel):
    """The networks of the package."""

    models: list[ModelRow]


class ModelDetails(ModelRow):
    """One network and its contract."""

    spec: dict[str, Any] = Field(description="fervid.spec of the file's metadata.")


ModelName = Annotated[str, Path(description="Of the list.", examples=["base"], max_length=64)]


def create_router(settings: Settings) -> APIRouter:
    """The routes ``/models…``."""
    router = APIRouter(tags=["models"])
    used = {settings.model, settings.video_model, "faces" if settings.detector == "auto" else settings.detector}

    @router.get("/models")
    async def list_models() -> ModelList:
        """The networks of the package."""
        files = await asyncio.to_thread(lambda: [_load(published.name) for published in list_bundled()])
        return ModelList(models=[ModelRow(**_describe(file, used)) for file in files])

    @router.get("/models/{name}")
    async def get_model(name: ModelName) -> ModelDetails:
        """One network: what goes in, what comes out."""
        file = await asyncio.to_thread(_load, name)
        return ModelDetails(**_describe(file, used), spec=await asyncio.to_thread(_read_spec, name))

    @router.head("/models/{name}/file", include_in_schema=False)
    @router.get("/models/{name}/file", response_class=Response, responses=_BINARY)
    async def get_model_file(
        request: Request,
        name: ModelName,
        sha256: Annotated[
            str | None, Query(description="With the digest of the list the answer may be kept for ever.", max_length=64)
        ] = None,
    ) -> Response:
        """The network itself, ONNX."""
        file = await asyncio.to_thread(_load, name)
        headers = {"ETag": f'"{file.sha256}"', "Cache-Control": _YEAR if sha256 == file.sha256 else "no-cache"}
        known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
        if headers["ETag"] in known:
            return Response(status_code=304, headers=headers)
        return Response(file.data, media_type="application/octet-stream", headers=headers)

    @router.get("/models/{name}/card", response_class=Response, responses=_TEXT)
    async def get_model_card(name: ModelName) -> Response:
        """What the network was trained on and how well it does."""
        file = await asyncio.to_thread(_load, name)
        path = BUNDLED / f"{file.name}.md"
        if not path.is_file():
            raise UnknownModelError(f"{name} has no card", advice="See card_url in the list of models.")
        text = await asyncio.to_thread(path.read_text, encoding="utf-8")
        return Response(text, media_type="text/markdown; charset=utf-8")

    return router


@cache
def _load(name: str) -> ModelFile:
    """The bundled file of that name, checked once; a client can name no path."""
    if not any(published.name == name for published in list_bundled()):
        known = ", ".join(published.name for published in list_bundled())
        raise UnknownModelError(f"there is no model {name!r}", advice=f"Known: {known}.")
    return load_model(name)


@cache
def _read_spec(name: str) -> dict[str, Any]:
    from fervid.models.runtime import create_session, read_metadata
    from fervid.models.spec import SPEC_KEY

    spec: dict[str, Any] = json.loads(read_metadata(create_session(_load(name), threads=1))[SPEC_KEY])
    return spec


def _describe(file: ModelFile, used: set[str]) -> dict[str, Any]:
    kinds = {published.name: published.kind for published in list_bundled()}
    url = f"{API}/models/{file.name}"
    return {
        "name": file.name,
        "sha256": file.sha256,
        "bytes": len(file.data),
        "task": "expression" if kinds[file.name] == "expression" else "detection",
        "default": file.name in used,
        "identity": file.identity,
        "file_url": f"{url}/file?sha256={file.sha256}",
        "card_url": f"{url}/card" if (BUNDLED / f"{file.name}.md").is_file() else None,
    }
