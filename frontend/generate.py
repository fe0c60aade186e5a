"""Write what the pages take over from Python: ``python frontend/generate.py`` (``--check``: say whether it is current).

Labels, colours and the product's own emoji are spelled in ``fervid`` alone; ``src/generated/`` holds what follows from
them. ``tests/test_frontend.py`` fails when it is out of date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from fervid.drawing.emoji import draw_emoji
from fervid.drawing.palette import (
    INK,
    PAPER,
    SPEAKS_AGAINST,
    SPEAKS_FOR,
    UNCERTAIN,
    emotion_colour,
    text_colour,
    to_hex,
)
from fervid.drawing.timelinefigure import STACKING
from fervid.emotions import CONTEMPT, EMOTIONS, EMOTIONS_WITHOUT_DISGUST, VOTE_LABELS, Emotion
from fervid.results import SCHEMA
from fervid.sinks.table import COLUMNS

FOLDER: Final = Path(__file__).parent
HEADER: Final = "Made by frontend/generate.py from the Python package; do not edit."


def main() -> int:
    """Write the files, or with ``--check`` compare them; 1 when one is not current."""
    files = build_files()
    if "--check" in sys.argv[1:]:
        stale = [path for path, text in files.items() if not path.is_file() or path.read_text("utf-8") != text]
        for path in stale:
            print(f"{path.relative_to(FOLDER)} is not current; run: python frontend/generate.py", file=sys.stderr)
        return 1 if stale else 0
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


def build_files() -> dict[Path, str]:
    """Every generated file and its text."""
    generated = FOLDER / "src" / "generated"
    files = {generated / "vocabulary.ts": write_vocabulary(), generated / "palette.css": write_palette()}
    for label in VOTE_LABELS:
        # Firefox draws no SVG onto a canvas that does not say its size. Elsewhere one fills the place that it is given.
        sized = draw_emoji({label: 1.0}).replace("<svg ", '<svg width="200" height="200" ', 1)
        files[generated / "emoji" / f"{label}.svg"] = sized
    # Mostly happy with some surprise: the face in the tab and beside the name.
    files[FOLDER / "public" / "favicon.svg"] = draw_emoji({Emotion.HAPPY: 0.8, Emotion.SURPRISE: 0.2})
    return files


def write_vocabulary() -> str:
    """Labels and colours as TypeScript."""
    colours = {str(label): to_hex(emotion_colour(label)) for label in VOTE_LABELS}
    texts = {str(label): to_hex(text_colour(emotion_colour(label))) for label in VOTE_LABELS}
    imports = "\n".join(f'import {label} from "./emoji/{label}.svg";' for label in VOTE_LABELS)
    drawings = ", ".join(VOTE_LABELS)
    return f"""// {HEADER}
{imports}

export const SCHEMA = "{SCHEMA}";

/** FER2013's seven expressions, in its order. */
export const EMOTIONS = {dump(EMOTIONS)} as const;
export type Emotion = (typeof EMOTIONS)[number];

/** The six of systems that fold disgust into anger. */
export const EMOTIONS_WITHOUT_DISGUST = {dump(EMOTIONS_WITHOUT_DISGUST)} as const;

/** The eight that a FER+ tagger can vote for. */
export const VOTE_LABELS = {dump(VOTE_LABELS)} as const;
export type VoteLabel = (typeof VOTE_LABELS)[number];
export const CONTEMPT = "{CONTEMPT}";

/** The columns of every CSV. */
export const COLUMNS = {dump(COLUMNS)} as const;

/** Bottom to top in stacked charts. */
export const STACKING: readonly Emotion[] = {dump(STACKING)};

/** Fill of every expression, sRGB. */
export const COLOURS: Readonly<Record<VoteLabel, string>> = {dump(colours)};

/** Ink or paper, whichever reads better on the colour. */
export const TEXT_COLOURS: Readonly<Record<VoteLabel, string>> = {dump(texts)};

export const INK = "{to_hex(INK)}";
export const PAPER = "{to_hex(PAPER)}";
export const UNCERTAIN_COLOUR = "{to_hex(UNCERTAIN)}";

/** Ends of the evidence's scale. */
export const SPEAKS_FOR = "{to_hex(SPEAKS_FOR)}";
export const SPEAKS_AGAINST = "{to_hex(SPEAKS_AGAINST)}";

/** Addresses of the product's own drawings, as SVG. */
export const EMOJI: Readonly<Record<VoteLabel, string>> = {{ {drawings} }};
"""


def write_palette() -> str:
    """The colours as CSS: ``--happy`` everywhere, and ``.tone-happy``, which sets ``--tone`` and ``--tone-text``."""
    variables = "".join(f"  --{label}: {to_hex(emotion_colour(label))};\n" for label in VOTE_LABELS)
    classes = "".join(
        f".tone-{label} {{ --tone: var(--{label}); --tone-text: {to_hex(text_colour(emotion_colour(label)))}; }}\n"
        for label in VOTE_LABELS
    )
    return f"/* {HEADER} */\n:root {{\n{variables}}}\n{classes}"


def dump(value: object) -> str:
    """JSON, which is TypeScript."""
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
