import pytest

from fervid.datasets.parquet import read_faces
from fervid.datasets.preparation import ERRORS_KEPT, prepare_faces
from fervid.datasets.sources import open_source
from fervid.errors import DatasetError

pytest.importorskip("pyarrow")


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out" / "faces.parquet"


def test_a_good_source_arrives_whole(faces, lines, vote_lines, write_lines, output, same):
    source = open_source(write_lines("fer2013.csv", lines))
    steps = []
    prepared = prepare_faces(
        source, output, votes=write_lines("votes.csv", vote_lines), progress=lambda *step: steps.append(step)
    )
    same(read_faces(output), faces, votes=True)
    assert (prepared.rows, prepared.skipped.count) == (28, 0)
    assert steps == [(28, 28)]


def test_the_same_source_gives_the_same_bytes(lines, write_lines, output, tmp_path):
    source = open_source(write_lines("fer2013.csv", lines))
    prepare_faces(source, output)
    prepare_faces(source, tmp_path / "again.parquet")
    assert output.read_bytes() == (tmp_path / "again.parquet").read_bytes()


def test_a_bad_row_stops_it_and_nothing_is_left(lines, write_lines, output):
    lines[20] = lines[20].replace("PublicTest", "Test")
    with pytest.raises(DatasetError, match=r"fer2013.csv, line 21: unknown split 'Test'"):
        prepare_faces(open_source(write_lines("fer2013.csv", lines)), output)
    assert not list(output.parent.iterdir())


def test_bad_rows_can_be_skipped(faces, lines, vote_lines, write_lines, output, same):
    bad = [2, 5, 6, 7, 9, 27]
    for number in bad:
        lines[number + 1] = "9" + lines[number + 1][1:]
    source = open_source(write_lines("fer2013.csv", lines))
    prepared = prepare_faces(source, output, votes=write_lines("votes.csv", vote_lines), skip_bad=True)
    good = [i for i in range(len(faces)) if i not in bad]
    same(read_faces(output), faces[good], votes=True)
    assert (prepared.rows, prepared.skipped.count) == (22, 6)
    assert len(prepared.skipped.errors) == ERRORS_KEPT
    assert "line 4: unknown label '9'" in str(prepared.skipped.errors[0])


def test_nothing_but_bad_rows_is_an_error(lines, write_lines, output):
    bad = [lines[0], *("9" + line[1:] for line in lines[1:])]
    with pytest.raises(DatasetError, match=r"no good row to write; 28 were skipped, first: .*line 2: unknown label"):
        prepare_faces(open_source(write_lines("fer2013.csv", bad)), output, skip_bad=True)
    assert not output.exists()


def test_a_source_without_rows_is_an_error(lines, write_lines, output):
    with pytest.raises(DatasetError, match="there is no good row to write"):
        prepare_faces(open_source(write_lines("fer2013.csv", lines[:1])), output)


def test_pictures_without_an_order_take_no_votes(tmp_path, vote_lines, write_lines, output):
    from PIL import Image

    (tmp_path / "train/angry").mkdir(parents=True)
    Image.new("L", (48, 48)).save(tmp_path / "train/angry/1.png")
    votes = write_lines("votes/fer2013new.csv", vote_lines)
    with pytest.raises(DatasetError, match=r"not in the order of fer2013.csv"):
        prepare_faces(open_source(tmp_path / "train", split="Training"), output, votes=votes)


def test_a_file_can_replace_its_own_source(rows, tmp_path, faces, same):
    from fervid.datasets.parquet import write_faces

    path = tmp_path / "faces.parquet"
    write_faces(path, rows)
    prepare_faces(open_source(path), path)
    same(read_faces(path), faces, votes=True)


def test_fer2013_arrives_whole(shared_data, tmp_path):
    """A thousand real rows, through CSV as Kaggle has it."""
    from itertools import islice

    from fervid.datasets.faceset import SPLITS, FaceSet

    real = list(islice(open_source(shared_data / "fer2013.parquet").iterate(), 1000))
    lines = [f'{r.emotion},"{" ".join(map(str, r.image.ravel()))}",{SPLITS[r.split]}\n' for r in real]
    (tmp_path / "fer2013.csv").write_text("emotion,pixels,Usage\n" + "".join(lines))
    prepare_faces(open_source(tmp_path / "fer2013.csv"), tmp_path / "faces.parquet")
    read, wanted = read_faces(tmp_path / "faces.parquet"), FaceSet.from_rows(real)
    assert (read.images == wanted.images).all()
    assert (read.emotions == wanted.emotions).all()
