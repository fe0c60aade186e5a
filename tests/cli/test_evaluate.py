"""``fervid evaluate`` from the parsed line to the written report, with a real network of one layer."""

import io
import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

from fervid.cli import app
from fervid.emotions import EMOTIONS, emotions_for
from fervid.evaluation.evaluation import evaluate_model
from fervid.models.spec import INPUT, LOGIT_OUTPUTS, ModelSpec

pa = pytest.importorskip("pyarrow")
onnx = pytest.importorskip("onnx")

FACES = {"Training": 40, "PrivateTest": 80}


def paint_face(emotion, rng):
    """Noise with a brighter band: its height tells the emotion."""
    face = rng.normal(110, 30, (48, 48))
    face[emotion * 6 : emotion * 6 + 6] += 25
    return np.clip(face, 0, 255).astype(np.uint8)


def encode(face):
    stream = io.BytesIO()
    Image.fromarray(face).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """A Parquet of generated faces with votes; the first ten PrivateTest faces also stand in Training."""
    import pyarrow.parquet

    rng = np.random.default_rng(5)
    emotions = rng.integers(0, 7, sum(FACES.values()))
    images = [paint_face(e, rng) for e in emotions]
    images[40:50] = images[:10]
    emotions[40:50] = emotions[:10]
    names = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    columns = {f"votes_{name}": (emotions == i) * 8 for i, name in enumerate(names)}
    columns |= {f"votes_{name}": np.full(len(emotions), 1) for name in ("contempt", "unknown")}
    columns["votes_NF"] = np.zeros(len(emotions), dtype=int)
    table = {
        "image": [encode(image) for image in images],
        "emotion": emotions,
        "Usage": [split for split, count in FACES.items() for _ in range(count)],
        **columns,
    }
    path = tmp_path_factory.mktemp("data") / "faces.parquet"
    pyarrow.parquet.write_table(pa.table(table), path)
    return path


def build_model(folder, labels, name="bands", noise=0.0):
    """One linear layer that measures the brightness of each band; noise makes it worse."""
    from onnx import TensorProto, helper, numpy_helper

    rows = [EMOTIONS.index(e) for e in emotions_for(labels)]
    bands = np.zeros((48, 48, 8), dtype=np.float32)
    for emotion in range(7):
        bands[emotion * 6 : emotion * 6 + 6, :, emotion] = 0.02
    flat = bands.reshape(48 * 48, 8)
    flat += np.random.default_rng(1).normal(0, noise, flat.shape).astype(np.float32)
    weights = {"emotion_weights": flat[:, rows], "vote_weights": flat}
    nodes = [
        helper.make_node("Flatten", [INPUT], ["pixels"]),
        helper.make_node("MatMul", ["pixels", "emotion_weights"], [LOGIT_OUTPUTS[0]]),
        helper.make_node("MatMul", ["pixels", "vote_weights"], [LOGIT_OUTPUTS[1]]),
    ]
    graph = helper.make_graph(
        nodes,
        "bands",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", 1, 48, 48])],
        [
            helper.make_tensor_value_info(LOGIT_OUTPUTS[0], TensorProto.FLOAT, ["N", labels]),
            helper.make_tensor_value_info(LOGIT_OUTPUTS[1], TensorProto.FLOAT, ["N", 8]),
        ],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    spec = ModelSpec(
        name="bands", version="1", labels=emotions_for(labels), size=48, crop=1.0, mean=128.0, std=64.0,
        temperature=1.0, votes_temperature=1.0, threshold=0.5, training_data="generated", licence="Apache-2.0",
        recipe="none",
    )  # fmt: skip
    helper.set_model_props(model, spec.to_metadata())
    path = folder / f"{name}{labels}.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return build_model(tmp_path_factory.mktemp("model"), 7)


@pytest.fixture
def run(capsys, monkeypatch):
    """Run the command line in this process: (exit status, stdout, stderr)."""

    def run_line(*words):
        monkeypatch.setattr(sys, "argv", ["fervid", "evaluate", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            app.main()
        captured = capsys.readouterr()
        return caught.value.code or 0, captured.out, captured.err

    return run_line


def test_tables_go_to_stdout(run, model, faces):
    status, out, err = run(model, "--data", faces)
    assert status == 0
    assert err == ""
    assert "bands7@" in out
    assert "PrivateTest: 80 faces, 7 labels" in out
    for word in (
        "label head",
        "votes head",
        "answer",
        "de-duplicated",
        "macro-F1",
        "FER+ majority",
        "ECE",
        "NLL",
        "uncertain",
    ):
        assert word in out
    for emotion in EMOTIONS:
        assert emotion in out
    assert "weighted average" in out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 80


def test_json_is_the_report_and_the_same_twice(run, model, faces, tmp_path):
    status, out, err = run(
        model, "--data", faces, "--json", "-", "--threads", 1, "--examples", 0, "-o", tmp_path / "report"
    )
    assert status == 0
    assert err == f"report: {tmp_path / 'report' / 'index.html'}\n"
    assert (tmp_path / "report" / "report.json").read_text(encoding="utf-8") == out
    again = run(model, "--data", faces, "--json", "-", "--threads", 1)
    assert again == (0, out, "")
    data = json.loads(out)
    assert data["schema"] == "fervid-evaluation/2"
    assert data["n"] == 80
    accuracy = data["label_head"]["accuracy"]
    assert accuracy["official"]["value"] > 0.5  # the bands can be told apart
    assert accuracy["deduplicated"]["n"] == 70
    assert accuracy["strict"]["n"] <= 70
    assert accuracy["fer_plus_majority"]["n"] == 80
    assert data["notes"] == []


@pytest.mark.usefixtures("blank_figures")
def test_corruptions(run, model, faces, tmp_path):
    status, out, err = run(model, "--data", faces, "--corruptions", "--examples", 0, "-o", tmp_path)
    assert status == 0
    assert err == f"report: {tmp_path / 'index.html'}\n"
    assert "mean of 8 corruptions in three strengths" in out
    for word in ("… corrupted", "… points lost", "answer, FER+ majority", "misframing", "strength 3"):
        assert word in out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 80
    data = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["corruptions"]
    assert data["label_head"]["official"]["clean"]["n"] == 80
    assert data["label_head"]["official"]["drop"]["value"] > 0  # bands that are hidden or moved are misread
    assert f"{data['answer']['official']['mean']['value'] * 100:.1f} %" in out
    assert {"corruptions.csv", "corruptions.png"} <= {path.name for path in tmp_path.iterdir()}


def test_json_has_corruptions_when_asked_for(run, model, faces):
    plain = json.loads(run(model, "--data", faces, "--labels", 6, "--json", "-")[1])
    status, out, err = run(model, "--data", faces, "--labels", 6, "--json", "-", "--corruptions")
    assert (status, err) == (0, "")
    data = json.loads(out)
    assert data.pop("corruptions")["labels"] == data["labels"]
    assert data == plain


def test_six_labels(run, model, faces):
    status, out, _ = run(model, "--data", faces, "--labels", 6, "--json", "-")
    assert status == 0
    data = json.loads(out)
    assert data["labels"] == ["angry", "fear", "happy", "sad", "surprise", "neutral"]
    assert np.array(data["answer"]["confusion_matrix"]).shape == (6, 6)


def test_notes_follow_the_tables(run, model, faces):
    status, out, _ = run(model, "--data", faces, "--split", "Training")
    assert status == 0
    assert "Training: 40 faces" in out
    assert "unknown" in out
    assert "has seen these faces" in out


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--split", "Test"], 2, "unknown split 'Test'"),
        (["--labels", "5"], 2, "no system of 5 labels"),
        (["--threads", "0"], 2, "--threads"),
        (["--split", "PublicTest"], 1, "no PublicTest rows"),
    ],
)
def test_wrong_requests(run, model, faces, words, status, message):
    got, out, err = run(model, "--data", faces, *words)
    assert (got, out) == (status, "")
    assert message in err
    assert "Traceback" not in err


def test_a_model_of_six_labels_is_not_asked_for_seven(run, faces, tmp_path):
    model = build_model(tmp_path, 6)
    status, out, err = run(model, "--data", faces)
    assert (status, out) == (2, "")
    assert "knows 6 labels" in err
    assert "--labels 6" in err
    assert run(model, "--data", faces, "--labels", 6)[0] == 0


def test_missing_files(run, model, faces, tmp_path):
    status, _, err = run(model, "--data", tmp_path / "none.parquet")
    assert status == 1
    assert "none.parquet" in err
    status, _, err = run(tmp_path / "none.onnx", "--data", faces)
    assert status == 1
    assert "none.onnx" in err


def test_a_report_that_cannot_be_written(run, model, faces, tmp_path):
    (tmp_path / "file").write_text("in the way")
    status, out, err = run(model, "--data", faces, "-o", tmp_path / "file")
    assert (status, out) == (1, "")  # it is said before anything is measured
    assert "cannot write" in err


def test_outputs_that_would_be_lost_are_refused_before_anything_is_read(run, model, tmp_path):
    before = model.read_bytes()
    for words, message in (
        ([model, "--json", model], "overwritten while it is read"),
        (["--detector", model, "--json", model], "overwritten while it is read"),
        (["--json", tmp_path / "r", "-o", f"{tmp_path}/./r"], "both --json and -o go to"),
        (["--json", tmp_path, "-o", tmp_path], "it is a folder"),
        (["-o", ""], "a path is empty"),
        (["-o", "-"], "a folder is not written to stdout"),
        (["--json", ""], "--json is empty"),
    ):
        status, out, err = run(*words, "--data", tmp_path / "absent.parquet")
        assert (status, out) == (2, "")
        assert message in err
    assert model.read_bytes() == before
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("blank_figures")
def test_a_json_that_cannot_be_written_loses_nothing_else(run, model, faces, tmp_path):
    (tmp_path / "file").write_text("in the way")
    status, out, err = run(model, "--data", faces, "--json", tmp_path / "file" / "figures.json")
    assert (status, out) == (1, "")  # it is said before anything is measured
    status, out, err = run(model, "--data", faces, "--json", tmp_path / ("n" * 300), "-o", tmp_path / "report")
    assert status == 1
    assert "PrivateTest: 80 faces" in out
    assert f"report: {tmp_path / 'report' / 'index.html'}" in err
    assert "do not publish" in err
    assert "File name too long" in err


def test_paths_may_hold_bytes_that_are_no_utf8(run, model, worse, faces, tmp_path):
    here = tmp_path / os.fsdecode(b"caf\xe9")
    here.mkdir()
    for source, name in ((model, b"m\xe9.onnx"), (worse, b"w\xe9.onnx"), (faces, b"f\xe9.parquet")):
        (here / os.fsdecode(name)).write_bytes(source.read_bytes())
    models = [here / os.fsdecode(name) for name in (b"m\xe9.onnx", b"w\xe9.onnx")]
    status, out, err = run(
        *models, "--data", here / os.fsdecode(b"f\xe9.parquet"), "--json", here / os.fsdecode(b"j\xe9.json")
    )
    assert (status, err) == (0, "")
    assert r"m\xe9@" in out
    data = json.loads((here / os.fsdecode(b"j\xe9.json")).read_text(encoding="utf-8"))
    assert [found["model"].rpartition("@")[0] for found in data["models"]] == [r"m\xe9", r"w\xe9"]


@pytest.fixture(scope="module")
def worse(tmp_path_factory):
    """Another model of the same name."""
    return build_model(tmp_path_factory.mktemp("worse"), 7, noise=0.2)


def test_models_side_by_side(run, model, worse, faces):
    status, out, err = run(model, worse, "--data", faces)
    assert (status, err) == (0, "")
    title, identities = out.splitlines()[:2]
    assert title == "2 models on PrivateTest: 80 faces, 7 labels"
    first, second = identities.split(", ")
    names = [identity[: len("bands7@") + 4] for identity in (first, second)]
    assert names[0] != names[1]
    header = next(line for line in out.splitlines() if line.startswith("figure"))
    assert header.split() == ["figure", *names, "faces"]
    for word in ("label head", "answer", "FER+ majority", "F1, answer", "file", "worth", "McNemar", "* "):
        assert word in out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 90


def test_model_files_are_read_before_anything_is_measured(run, model, worse, faces, tmp_path, monkeypatch):
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(worse.read_bytes())

    def measure(*arguments, **options):
        copy.unlink(missing_ok=True)  # as a training that goes on may do
        return evaluate_model(*arguments, **options)

    monkeypatch.setattr("fervid.evaluation.evaluation.evaluate_model", measure)
    status, out, err = run(model, copy, "--data", faces)
    assert (status, err) == (0, "")
    assert "2 models on PrivateTest" in out


@pytest.mark.usefixtures("blank_figures")
def test_comparison_as_json_and_as_a_folder(run, model, worse, faces, tmp_path):
    folder = tmp_path / "report"
    status, out, err = run(model, worse, "--data", faces, "--json", "-", "--threads", 1, "--examples", 2, "-o", folder)
    assert status == 0
    assert err.splitlines()[0] == f"report: {folder / 'index.html'}"
    assert "do not publish" in err.splitlines()[1]
    assert (folder / "report.json").read_text(encoding="utf-8") == out
    data = json.loads(out)
    assert data["schema"] == "fervid-comparison/1"
    better, poorer = data["models"]
    assert better["file"]["bytes"] == model.stat().st_size
    assert better["file"]["parameters"] is None  # the file has no layer table
    difference = data["differences"][0]
    assert difference["reference"] == better["model"]
    accuracies = [entry["label_head"]["accuracy"]["official"]["value"] for entry in (poorer, better)]
    assert difference["difference"]["value"] == pytest.approx(accuracies[0] - accuracies[1], abs=2e-6)
    assert difference["difference"]["value"] < 0
    alone = json.loads(run(model, "--data", faces, "--json", "-", "--threads", 1)[1])
    del better["file"]
    assert better == alone


@pytest.mark.usefixtures("blank_figures")
def test_faces_are_on_the_page_unless_refused(run, model, faces, tmp_path):
    status, out, err = run(model, "--data", faces, "-o", tmp_path / "with")
    assert status == 0
    assert "do not publish" in err
    page = (tmp_path / "with" / "index.html").read_text(encoding="utf-8")
    assert "Do not publish this page" in page
    assert "data:image/png;base64," in page
    status, again, err = run(model, "--data", faces, "--examples", 0, "-o", tmp_path / "without")
    assert (status, again) == (0, out)
    assert err.count("\n") == 1
    page = (tmp_path / "without" / "index.html").read_text(encoding="utf-8")
    assert "publish" not in page
    assert "data:image/png" not in page
    assert run(model, "--data", faces, "--examples", -1)[0] == 2


def test_models_that_cannot_be_compared(run, model, faces, tmp_path):
    status, out, err = run(model, model, "--data", faces)
    assert (status, out) == (2, "")
    assert "given twice" in err
    six = build_model(tmp_path, 6, name="six")
    status, out, err = run(model, six, "--data", faces)
    assert (status, out) == (2, "")
    assert "six6@" in err
    assert "--labels 6" in err
    status, out, err = run(model, six, "--data", faces, "--labels", 6)
    assert (status, err) == (0, "")
    assert "6 labels, disgust counted as anger" in out
    assert "disgust" not in out.split("figure")[1]
