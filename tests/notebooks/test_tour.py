"""The notebook runs from top to bottom, and is stored without what a run leaves in it."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

nbformat = pytest.importorskip("nbformat", reason="notebooks are read with nbformat: pip install 'fervid[dev]'")

PATH = Path(__file__).parents[2] / "notebooks" / "fervid_tour.ipynb"
QUICK = "DRAWN_FACES, EPOCHS, THREADS = 200, 2, 1"


@pytest.fixture
def notebook() -> Any:
    """The notebook as it is stored."""
    return nbformat.read(PATH, as_version=4)


@pytest.fixture
def run_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that runs the notebook in an empty folder, with other settings than its own."""
    nbclient = pytest.importorskip("nbclient", reason="notebooks are run by nbclient: pip install 'fervid[dev]'")
    pytest.importorskip("ipykernel", reason="notebooks run in ipykernel: pip install 'fervid[dev]'")
    for package in ("torch", "onnx", "pyarrow"):
        pytest.importorskip(package, reason="the notebook trains: pip install 'fervid[train]'")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))

    def run(notebook: Any, settings: str) -> Any:
        place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
        notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(settings))
        folder = {"metadata": {"path": str(tmp_path)}}
        return nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=folder).execute()

    return run


def list_texts(notebook: Any) -> list[str]:
    """What the cells printed."""
    return [o.text for c in notebook.cells for o in c.get("outputs", []) if o.output_type == "stream"]


def test_it_is_a_notebook_and_stored_without_outputs(notebook: Any) -> None:
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("attachments"), "pictures in texts are outputs, too"
        if cell.cell_type == "code":
            assert cell.outputs == [], "clear all outputs before you commit: they may show faces of a data set"
            assert cell.execution_count is None
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert PATH.stat().st_size < 60_000


def test_no_picture_hides_in_its_text() -> None:
    text = PATH.read_text(encoding="utf-8")
    for magic in (b"\x89PNG\r\n", b"\xff\xd8\xff\xe0", b"RIFF"):
        assert base64.b64encode(magic)[:6].decode() not in text
    assert "data:image" not in text


def test_it_uses_nothing_private(notebook: Any) -> None:
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert "fervid.training" in code
    names = re.findall(r"(?:\.|import )(_\w+)", code)
    assert set(names) == {"__version__"}


def test_its_links_within_the_project_lead_somewhere(notebook: Any) -> None:
    words = {word.strip("`,.;:()") for cell in notebook.cells for word in cell.source.split()}
    recipes = {word for word in words if word.startswith("runs/")}
    assert recipes
    assert not [name for name in recipes if not (PATH.parents[1] / name).exists()]


def run_data_cell(notebook: Any, **settings: Any) -> dict[str, Any]:
    """What chapter 4's cell that reads the faces leaves, with these settings."""
    names = {"Path": Path, "DRAWN_FACES": 8, **settings}
    code = next(cell.source for cell in notebook.cells if "prepare_faces(" in cell.source)
    exec(compile(code, "chapter 4", "exec"), names)
    return names


def test_its_faces_go_where_nothing_of_yours_is(
    notebook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow", reason="faces are kept in Parquet: pip install 'fervid[data]'")
    monkeypatch.chdir(tmp_path)
    Path("faces.parquet").write_text("yours")
    Path("fer2013new.csv").write_text("votes, in the order of fer2013.csv")
    for name, side in (("train/happy/1.png", 48), ("train/happy/2.png", 40)):
        path = Path("pictures", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (side, side)).save(path)
    names = run_data_cell(notebook, DATA="pictures", VOTES="fer2013new.csv")
    assert (len(names["faces"]), names["faces"].votes) == (1, None)
    said = capsys.readouterr().out
    assert "1 faces were left out, the first because: pictures/train/happy/2.png: the image is 40×40" in said
    assert Path("faces.parquet").read_text() == "yours"


def test_its_exercise_with_six_labels_needs_no_other_change(notebook: Any) -> None:
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    calls = re.findall(r"(?:evaluate_model\(Classifier|Analyzer\(model=).*", code)
    assert len(calls) == 3
    assert all("labels=recipe.labels" in call for call in calls)


# The kernel's sockets are its own affair, and so are the warnings about them.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_runs_without_data(notebook: Any, run_notebook: Any, tmp_path: Path) -> None:
    done = run_notebook(notebook, QUICK)
    text = "\n".join(list_texts(done))
    assert "drawing 200 faces instead" in text
    assert "epoch  2/2" in text
    assert "weights learned" in text
    pictures = [o for c in done.cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(pictures) >= 12
    assert (tmp_path / "training-runs" / "tour-drawn" / "tour.onnx").is_file()
    assert "Traceback" not in text
    tables = [o.data["text/html"] for c in done.cells for o in c.get("outputs", []) if "text/html" in o.get("data", {})]
    assert any("FER+ majority" in table for table in tables)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_it_runs_on_fer2013(notebook: Any, run_notebook: Any, shared_data: Path) -> None:
    done = run_notebook(notebook, f"DATA, EPOCHS = {str(shared_data / 'fer2013.parquet')!r}, 2")
    text = "\n".join(list_texts(done))
    assert "35,887 faces, 28,709 of them to learn from" in text
    assert "280 of the 3,589 PublicTest faces also stand in Training" in text
