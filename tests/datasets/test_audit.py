import io
import json

import numpy as np
import pytest
from PIL import Image

from fervid.datasets.audit import Duplicates, Leak, Overlap, audit_faces
from fervid.datasets.auditfigure import draw_audit
from fervid.datasets.faceset import SPLITS, VOTE_COLUMNS, FaceSet, find_truth
from fervid.emotions import EMOTIONS, Emotion

A, B, C, D = range(4)  # the faces of the constructed set
BLANK = 4
ROWS = [  # (face, label, split)
    (A, "angry", "Training"), (A, "angry", "Training"), (A, "fear", "Training"),
    (B, "happy", "Training"), (C, "sad", "Training"), (BLANK, "disgust", "Training"),
    (A, "angry", "PublicTest"), (D, "happy", "PublicTest"), (BLANK, "angry", "PublicTest"),
    (B, "sad", "PrivateTest"), (D, "happy", "PrivateTest"), (D, "happy", "PrivateTest"),
]  # fmt: skip


@pytest.fixture(scope="module")
def constructed():
    """Twelve faces of which every finding is known."""
    pool = np.random.default_rng(1).integers(0, 256, (5, 48, 48), dtype=np.uint8)
    pool[BLANK] = 9
    names = list(VOTE_COLUMNS)
    votes = np.zeros((len(ROWS), len(names)), dtype=np.int64)
    for row, (_, label, _) in enumerate(ROWS):
        votes[row, names.index(label)] = 10
    votes[0] = np.bincount([names.index("fear")] * 6 + [names.index("angry")] * 4, minlength=len(names))  # disputed
    votes[3] = np.bincount([names.index("happy")] * 5 + [names.index("sad")] * 5, minlength=len(names))  # a tie
    return FaceSet(
        images=pool[[face for face, _, _ in ROWS]],
        emotions=np.array([EMOTIONS.index(Emotion(label)) for _, label, _ in ROWS]),
        splits=np.array([SPLITS.index(split) for _, _, split in ROWS]),
        votes=votes,
    )


def test_finds_what_was_put_in(constructed):
    steps = []
    audit = audit_faces(constructed, progress=lambda *step: steps.append(step))
    assert audit.counts.tolist() == [[2, 1, 1, 1, 1, 0, 0], [2, 0, 0, 1, 0, 0, 0], [0, 0, 0, 2, 1, 0, 0]]
    assert audit.imbalance == 4
    assert audit.duplicates == Duplicates(groups=4, faces=11, conflicts=3)
    assert audit.duplicates.surplus == 7
    assert audit.duplicates_within == {
        "Training": Duplicates(1, 3, 1), "PublicTest": Duplicates(0, 0, 0), "PrivateTest": Duplicates(1, 2, 0),
    }  # fmt: skip
    assert audit.overlaps == (
        Overlap("PublicTest", "Training", 2, 2),
        Overlap("PrivateTest", "Training", 1, 1),
        Overlap("PrivateTest", "PublicTest", 2, 0),
    )
    assert audit.leaks == (Leak("PublicTest", 3, 2, 2), Leak("PrivateTest", 3, 1, 1))
    assert audit.blanks == {"Training": 1, "PublicTest": 1, "PrivateTest": 0}
    assert [(a.split, a.faces, a.decided, a.agreeing) for a in audit.agreements] == [
        ("Training", 6, 5, 4), ("PublicTest", 3, 3, 3), ("PrivateTest", 3, 3, 3),
    ]  # fmt: skip
    assert audit.agreements[0].share == 0.8
    assert audit.vote_matrix is not None
    assert audit.vote_matrix.sum() == 11
    assert audit.vote_matrix[EMOTIONS.index(Emotion.ANGRY), EMOTIONS.index(Emotion.FEAR)] == 1
    assert steps == [(1, 2), (2, 2)]


def test_six_labels_count_disgust_as_anger(constructed):
    audit = audit_faces(constructed, labels=6)
    assert audit.counts.shape == (3, 6)
    assert audit.counts[0].tolist() == [3, 1, 1, 1, 0, 0]
    assert audit.duplicates.conflicts == 2  # the blank faces now agree
    assert audit.vote_matrix is not None
    assert audit.vote_matrix.shape == (6, 6)


def test_six_labels_count_votes_for_disgust_as_anger_before_a_majority_is_sought(constructed):
    names = list(VOTE_COLUMNS)
    votes = constructed.votes.copy()
    votes[0] = np.bincount(
        [names.index("angry")] * 3 + [names.index("disgust")] * 3 + [names.index("fear")] * 4, minlength=len(names)
    )
    faces = FaceSet(constructed.images, constructed.emotions, constructed.splits, votes)
    training = {labels: audit_faces(faces, labels=labels).agreements[0] for labels in (7, 6)}
    assert (training[7].decided, training[7].agreeing) == (5, 4)  # fear
    assert (training[6].decided, training[6].agreeing) == (5, 5)  # anger, as its label is


def test_json_holds_every_finding(constructed):
    content = json.loads(json.dumps(audit_faces(constructed).to_dict()))
    assert content["faces"] == 12
    assert content["balance"]["Training"]["angry"] == 2
    assert content["duplicates"]["within"]["Training"]["label_conflicts"] == 1
    assert content["duplicates"]["across"][0] == {
        "split": "PublicTest", "other": "Training", "faces": 2, "label_conflicts": 2,
    }  # fmt: skip
    assert content["leaks"][1]["strict"] == 2
    assert content["votes"]["agreement"][0]["n"] == 5


def test_a_set_of_one_split_without_votes(constructed):
    part = constructed.split("PrivateTest")
    audit = audit_faces(FaceSet(part.images, part.emotions, part.splits))
    assert (audit.splits, audit.overlaps, audit.leaks, audit.agreements) == (("PrivateTest",), (), (), ())
    assert audit.to_dict()["votes"] is None


@pytest.mark.parametrize(
    ("part", "labels"), [("all", 7), ("all", 6), ("no votes", 7), ("one split", 7), ("one face", 7)]
)
def test_the_figure_is_a_picture(constructed, part, labels):
    bare = FaceSet(constructed.images, constructed.emotions, constructed.splits)
    faces = {
        "all": constructed,
        "no votes": bare,
        "one split": bare.split("Training"),
        "one face": constructed[np.array([3])],  # whose votes tie
    }[part]
    data = draw_audit(audit_faces(faces, labels=labels), "faces")
    with Image.open(io.BytesIO(data)) as picture:
        pixels = np.asarray(picture.convert("L"))
    assert pixels.shape == (1352, 1820)
    assert 0.02 < (pixels < 128).mean() < 0.5


def test_the_same_audit_is_the_same_figure(constructed):
    assert draw_audit(audit_faces(constructed), "faces") == draw_audit(audit_faces(constructed), "faces")


@pytest.mark.slow
def test_fer2013_has_the_faults_that_are_known_of_it(shared_data):
    from fervid.datasets.parquet import read_faces

    faces = read_faces(shared_data / "fer2013.parquet")
    audit = audit_faces(faces)
    assert audit.counts.sum(axis=1).tolist() == [28709, 3589, 3589]
    assert audit.leaks == (Leak("PublicTest", 3589, 280, 423), Leak("PrivateTest", 3589, 288, 443))
    assert sum(audit.blanks.values()) == 13
    assert audit.duplicates.conflicts == 48
    assert [(a.decided, a.agreeing) for a in audit.agreements] == [(26778, 17611), (3372, 2204), (3350, 2196)]
    labels, majority = find_truth(faces.split("PrivateTest"), 6)
    assert ((majority >= 0).sum(), (majority == labels).sum()) == (3366, 2231)
