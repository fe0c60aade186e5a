"""``fervid serve``: the web app on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from fervid.cli.options import check_detector
from fervid.cli.terminal import print_note
from fervid.extras import require

MODULES: Final = ("fastapi", "uvicorn", "websockets", "python_multipart", "sqlalchemy", "alembic", "segno")
"""What the extra ``web`` installs."""

_MODELS, _LIMITS, _ROOMS, _STORAGE, _NETWORK = "Models", "Limits", "Rooms", "Storage", "Network"


def serve(
    host: Annotated[
        str,
        typer.Option(
            envvar="FERVID_HOST",
            rich_help_panel=_NETWORK,
            help="Address to listen on; 0.0.0.0 lets other machines in, see docs/serving.md.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            envvar="FERVID_PORT", min=0, max=65535, rich_help_panel=_NETWORK, help="TCP port; 0 takes a free one."
        ),
    ] = 8642,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            envvar="FERVID_ORIGINS",
            metavar="URL",
            rich_help_panel=_NETWORK,
            help="Address under which browsers reach the server, when it is not its own: behind a proxy, or by name.",
        ),
    ] = None,
    ssl_certfile: Annotated[
        Path | None,
        typer.Option(
            envvar="FERVID_SSL_CERTFILE",
            metavar="PEM",
            rich_help_panel=_NETWORK,
            help="Certificate: the server speaks HTTPS.",
        ),
    ] = None,
    ssl_keyfile: Annotated[
        Path | None,
        typer.Option(
            envvar="FERVID_SSL_KEYFILE", metavar="PEM", rich_help_panel=_NETWORK, help="Key of the certificate."
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            envvar="FERVID_MODEL",
            rich_help_panel=_MODELS,
            help="Reads photos: a model's name, or the path of an .onnx file.",
        ),
    ] = "base",
    video_model: Annotated[
        str,
        typer.Option(
            envvar="FERVID_VIDEO_MODEL",
            rich_help_panel=_MODELS,
            help="Reads films, and cameras that a browser cannot read by itself; as --model.",
        ),
    ] = "small",
    detector: Annotated[
        str,
        typer.Option(
            envvar="FERVID_DETECTOR",
            callback=check_detector,
            rich_help_panel=_MODELS,
            help="Finds faces: faces, yunet, haar, auto, or the path of a detector's .onnx file.",
        ),
    ] = "auto",
    threads: Annotated[
        int,
        typer.Option(
            envvar="FERVID_THREADS", min=1, rich_help_panel=_MODELS, help="Threads of the network for one picture."
        ),
    ] = 1,
    workers: Annotated[
        int,
        typer.Option(
            envvar="FERVID_WORKERS",
            min=0,
            rich_help_panel=_MODELS,
            help="Pictures read at the same time; 0 is one per core.",
        ),
    ] = 0,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="FERVID_DATA_DIR",
            metavar="FOLDER",
            rich_help_panel=_STORAGE,
            help="Films, their results and the database; the user's own folder for data if not given.",
        ),
    ] = None,
    database: Annotated[
        str,
        typer.Option(
            envvar="FERVID_DATABASE_URL",
            metavar="URL",
            rich_help_panel=_STORAGE,
            help="PostgreSQL (postgresql://…) or SQLite (sqlite:///…); SQLite in the data folder if not given.",
        ),
    ] = "",
    redis: Annotated[
        str | None,
        typer.Option(
            envvar="FERVID_REDIS_URL",
            metavar="URL",
            rich_help_panel=_STORAGE,
            help="Redis through which several servers share rooms; in memory if not given.",
        ),
    ] = None,
    film_hours: Annotated[
        float,
        typer.Option(
            envvar="FERVID_FILM_HOURS",
            metavar="H",
            rich_help_panel=_STORAGE,
            help="Results of films are kept so long.",
        ),
    ] = 24.0,
    max_upload_mb: Annotated[
        float,
        typer.Option(envvar="FERVID_MAX_UPLOAD_MB", metavar="MB", rich_help_panel=_LIMITS, help="Of a picture."),
    ] = 25.0,
    max_pixels: Annotated[
        int,
        typer.Option(
            envvar="FERVID_MAX_PIXELS",
            rich_help_panel=_LIMITS,
            help="Width × height of a picture, and of a film's frame, which has 36,000,000 at most.",
        ),
    ] = 100_000_000,
    max_film_mb: Annotated[
        float, typer.Option(envvar="FERVID_MAX_FILM_MB", metavar="MB", rich_help_panel=_LIMITS, help="Of a film.")
    ] = 2048.0,
    max_film_s: Annotated[
        float,
        typer.Option(envvar="FERVID_MAX_FILM_S", metavar="SEC", rich_help_panel=_LIMITS, help="Duration of a film."),
    ] = 7200.0,
    film_jobs: Annotated[
        int,
        typer.Option(envvar="FERVID_FILM_JOBS", min=1, rich_help_panel=_LIMITS, help="Films read at the same time."),
    ] = 1,
    min_group: Annotated[
        int,
        typer.Option(
            envvar="FERVID_MIN_GROUP",
            min=3,
            rich_help_panel=_ROOMS,
            help="Rooms show nothing of fewer contributors.",
        ),
    ] = 5,
    room_hours: Annotated[
        float,
        typer.Option(
            envvar="FERVID_ROOM_HOURS", metavar="H", rich_help_panel=_ROOMS, help="Rooms are deleted after so long."
        ),
    ] = 24.0,
    allow_expression_rooms: Annotated[
        bool,
        typer.Option(
            "--allow-expression-rooms",
            envvar="FERVID_ALLOW_EXPRESSION_ROOMS",
            rich_help_panel=_ROOMS,
            help="Let rooms collect expressions; unlawful in education and at work in the EU (AI Act, Art. 5(1)(f)). "
            "Needs --statement.",
        ),
    ] = False,
    statement: Annotated[
        str,
        typer.Option(
            envvar="FERVID_STATEMENT",
            metavar="TEXT",
            rich_help_panel=_ROOMS,
            help="Why that is lawful here; recorded with the time.",
        ),
    ] = "",
) -> None:
    """Open the web app at http://127.0.0.1:8642: photos, films, the camera, rooms.

    Ctrl-C ends it. Nothing leaves this machine, and other machines reach it only with --host (see docs/serving.md).
    """
    require("web", "The web app", *MODULES)
    from fervid.web.server import serve as run
    from fervid.web.settings import Settings, default_data_dir

    settings = Settings(
        host=host,
        port=port,
        model=model,
        video_model=video_model,
        detector=detector,
        threads=threads,
        workers=workers,
        data_dir=data_dir or default_data_dir(),
        database_url=database,
        redis_url=redis,
        allow_expression_rooms=allow_expression_rooms,
        statement=statement,
        min_group=min_group,
        room_hours=room_hours,
        max_upload_mb=max_upload_mb,
        max_pixels=max_pixels,
        max_film_mb=max_film_mb,
        max_film_s=max_film_s,
        film_jobs=film_jobs,
        film_hours=film_hours,
        origins=tuple(origin or ()),
        ssl_certfile=ssl_certfile,
        ssl_keyfile=ssl_keyfile,
    )
    if not settings.is_loopback:
        print_note(
            "Other machines can reach this server, and whoever can may use it. "
            + (
                "Their browsers give no camera to a page without HTTPS: give --ssl-certfile and --ssl-keyfile, "
                "or put a proxy before it (docs/serving.md)."
                if settings.scheme == "http"
                else "Its films and rooms are open to them (docs/serving.md)."
            )
        )
    run(settings, notify=lambda address: print_note(f"fervid is at {address} (Ctrl-C ends it)"))
