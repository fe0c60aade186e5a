"""Faces that a classifier gets wrong, or cannot make up its mind about, as part of the page.

The pixels come from the data of whoever runs the evaluation and go into their page alone: FER2013's faces are not free
to be passed on, so no JSON, no CSV and no figure holds any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.faceset import FACE_SIZE, VOTE_COLUMNS, FaceSet
from fervid.emotions import Emotion
from fervid.errors import UsageError
from fervid.evaluation.embedding import embed_pixels
from fervid.evaluation.evaluation import Evaluation, digest_rows
from fervid.evaluation.summary import format_percent

GUESSES: Final = 3
"""The likeliest expressions that are told of an uncertain answer."""

SCALE: Final = 2
"""CSS pixels across one pixel of a face."""

STYLE: Final = f"""
.warning {{ border-left: 3px solid var(--alarm); padding: .1rem 0 .1rem 1rem; }}
:root {{ --alarm: #c2410c; }}
@media (prefers-color-scheme: dark) {{ :root {{ --alarm: #f0954f; }} }}
h3 small {{ font-weight: 400; color: var(--faint); }}
.faces {{
  list-style: none; margin: .75rem 0 0; padding: 0; display: grid; gap: 1.1rem .9rem;
  grid-template-columns: repeat(auto-fill, minmax({SCALE * FACE_SIZE}px, 1fr));
}}
.faces figure {{ margin: 0; }}
.faces img {{
  width: {SCALE * FACE_SIZE}px; height: {SCALE * FACE_SIZE}px; image-rendering: pixelated; border-radius: 4px;
}}
.faces figcaption {{ margin-top: .3rem; font-size: .8rem; line-height: 1.35; color: var(--faint); }}
.faces figcaption b {{ color: var(--ink); font-weight: 600; }}
.faces figcaption span {{ display: block; }}
.agreed {{ color: var(--alarm); }}
"""
"""What the page's style sheet needs besides its own rules."""


WARNING: Final = """<p class="warning"><strong>Do not publish this page.</strong> Further down it shows faces of the
data set, which are not free to be passed on. <code>--examples 0</code> makes a page without them.</p>"""
"""Stands at the head of a page with faces."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One face with what was said of it.

    Attributes:
        row: in its split, counted from 0.
        image: ``(48, 48)`` uint8 grey.
        label: FER2013's.
        guesses: the likeliest expressions with their probabilities, the likeliest first; the first is the answer.
        votes: what ten people saw and how many of them, most first; empty when that is unknown.
        majority: the expression with more of their votes than any other; None when there is none or it is unknown.
    """

    row: int
    image: NDArray[np.uint8]
    label: Emotion
    guesses: tuple[tuple[Emotion, float], ...]
    votes: tuple[tuple[str, int], ...]
    majority: Emotion | None

    @property
    def answer(self) -> Emotion:
        """The likeliest expression."""
        return self.guesses[0][0]

    @property
    def confidence(self) -> float:
        """Its probability."""
        return self.guesses[0][1]


@dataclass(frozen=True, slots=True, eq=False)
class ExampleGroup:
    """Faces of one kind.

    Attributes:
        label: of all of them; None when they are mixed.
        shown: the most telling ones, in that order.
        found: how many there are in all.
    """

    label: Emotion | None
    shown: tuple[Example, ...]
    found: int


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """What an evaluation looks like, face by face.

    Attributes:
        split: of FER2013.
        errors: for each label, the answers that differ from it and reach the threshold, the most confident first.
        uncertain: the answers below the threshold, the least confident first.
    """

    split: str
    errors: tuple[ExampleGroup, ...]
    uncertain: ExampleGroup


def pick_examples(evaluation: Evaluation, faces: FaceSet, count: int) -> Examples:
    """Choose what to show of an evaluation.

    Args:
        evaluation: of a split of ``faces``.
        faces: the same that were evaluated.
        count: at most so many of each label, and so many uncertain ones; above 0.

    Raises:
        UsageError: ``count`` is not above 0, or these are not the faces of the evaluation.
        DatasetError: the data has no rows of the split.
    """
    if count < 1:
        raise UsageError(f"{count} examples cannot be shown", advice="Give a number above 0.")
    rows = faces.split(evaluation.split)
    if digest_rows(rows) != evaluation.data:
        raise UsageError(
            f"the {evaluation.split} faces are not those that {evaluation.model} was evaluated on",
            advice="Give the same data.",
        )
    probabilities, labels = evaluation.answer.probabilities, evaluation.truth.labels
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    certain = confidence >= evaluation.threshold

    def gather(members: NDArray[np.bool_], order: NDArray[np.float64], label: Emotion | None) -> ExampleGroup:
        found = np.flatnonzero(members)
        first = found[np.argsort(order[found], kind="stable")][:count]
        return ExampleGroup(label, tuple(_make_example(evaluation, rows, int(row)) for row in first), len(found))

    wrong = certain & (answers != labels)
    return Examples(
        evaluation.split,
        tuple(gather(wrong & (labels == i), -confidence, label) for i, label in enumerate(evaluation.labels)),
        gather(~certain, confidence, None),
    )


def build_examples(examples: Examples) -> str:
    """A part of the page: a grid of faces for every label, and one of uncertain answers; see :data:`WARNING`."""
    labels = "".join(_build_errors(group) for group in examples.errors)
    doubtful = [e for group in examples.errors for e in group.shown if e.majority is e.answer]
    shown = sum(len(group.shown) for group in examples.errors)
    doubt = f" So it is with {len(doubtful):,} of these {shown:,}." if doubtful else ""
    uncertain = ""
    if examples.uncertain.shown:
        uncertain = f"""<h2>Faces it is unsure of</h2>
<p>The least confident of the {examples.uncertain.found:,} faces on which the product says “uncertain”.</p>
{_build_grid(examples.uncertain.shown, _caption_uncertain)}"""
    return f"""<h2>Faces it gets wrong</h2>
<p>The mistakes that the answer is surest of, by the label. Below each face: the answer and its confidence, then
what ten people saw. Where more of them saw <span class="agreed">✓ what the answer says</span> than anything else, the
label may be what is wrong.{doubt}</p>
{labels}
{uncertain}
<p class="faint">#: row of {escape(examples.split)}, counted from 0.</p>
"""


def _make_example(evaluation: Evaluation, rows: FaceSet, row: int) -> Example:
    probabilities, truth = evaluation.answer.probabilities[row], evaluation.truth
    likeliest = np.argsort(-probabilities, kind="stable")[:GUESSES]
    votes = [] if rows.votes is None else list(zip(VOTE_COLUMNS, rows.votes[row].tolist(), strict=True))
    majority = int(truth.majority[row])
    return Example(
        row=row,
        image=rows.images[row],
        label=evaluation.labels[truth.labels[row]],
        guesses=tuple((evaluation.labels[i], float(probabilities[i])) for i in likeliest),
        votes=tuple(sorted((vote for vote in votes if vote[1]), key=lambda vote: -vote[1])),
        majority=None if majority < 0 else evaluation.labels[majority],
    )


def _build_errors(group: ExampleGroup) -> str:
    if not group.shown:
        return f"<h3>Labelled {group.label} <small>no confident mistake</small></h3>"
    count = f"{len(group.shown):,} of {group.found:,} confident mistakes"
    return f"<h3>Labelled {group.label} <small>{count}</small></h3>{_build_grid(group.shown, _caption_error)}"


def _build_grid(examples: Sequence[Example], caption: Callable[[Example], str]) -> str:
    items = "\n".join(
        f'<li><figure><img src="{embed_pixels(e.image)}" width="{SCALE * FACE_SIZE}" height="{SCALE * FACE_SIZE}" '
        f'alt="{escape(describe_example(e))}"><figcaption>{caption(e)} <span>#{e.row}</span></figcaption></figure></li>'
        for e in examples
    )
    return f'<ul class="faces">\n{items}\n</ul>'


def describe_example(example: Example) -> str:
    """The face in one sentence, for those who do not see it."""
    text = f"A face labelled {example.label}, answered as {example.answer} ({format_percent(example.confidence, 0)})"
    return f"{text}; people saw {_list_votes(example)}." if example.votes else f"{text}."


def _caption_error(example: Example) -> str:
    return f"<b>{example.answer}</b> {format_percent(example.confidence, 0)}{_caption_votes(example)}"


def _caption_uncertain(example: Example) -> str:
    guesses = "".join(f"<span><b>{guess}</b> {format_percent(share, 0)}</span>" for guess, share in example.guesses)
    return f"{guesses}<span>label: {example.label}</span>{_caption_votes(example)}"


def _caption_votes(example: Example) -> str:
    if not example.votes:
        return ""
    votes = escape(_list_votes(example))
    if example.majority is example.answer is not example.label:
        return f'<span class="agreed">✓ {votes}</span>'
    return f"<span>{votes}</span>"


def _list_votes(example: Example) -> str:
    return ", ".join(f"{count} {name}" for name, count in example.votes)
