"""The same faces through Python and through the browser's build: same answers."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fervid.imaging import crop_resize, load_image
from fervid.pipeline import Analyzer
from fervid.results import Analysis, Box

MIN_FACE = 20.0
MODELS: Final = ("small", pytest.param("base", marks=pytest.mark.slow))
"""Pages read with ``small``; ``base`` takes WebAssembly a minute."""

START = """
async ([script, model]) => {
  const worker = new Worker(script, { type: "module" });
  const listen = (kind) => new Promise((resolve, reject) => {
    worker.addEventListener("message", function take({ data }) {
      if (data.type === "error") reject(new Error(data.error.message));
      if (data.type !== kind) return;
      worker.removeEventListener("message", take);
      resolve(data);
    });
    worker.addEventListener("error", (event) => reject(new Error(event.message)));
  });
  const settings = { labels: 7, smooth_s: 0, min_face: 20 };
  window.readPicture = async (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    worker.postMessage({ type: "reset", settings });
    const answer = listen("frame");
    worker.postMessage({ type: "frame", id: 1, image, time_s: 0 }, [image]);
    return (await answer).frame;
  };
  const ready = listen("ready");
  worker.postMessage({ type: "start", settings, choice: { model, backend: "wasm" } });
  return (await ready).info;
}
"""


@pytest.fixture(scope="module")
def page(site: Any, launch: Any) -> Iterator[Any]:
    with launch() as browser:
        page = browser.new_page()
        page.goto(f"{site.address}/live")
        yield page


def read_json(page: Any, script: str, argument: Any) -> Any:
    """What a script answers, through JSON: numbers stay what they are."""
    return json.loads(page.evaluate(f"async (argument) => JSON.stringify(await ({script})(argument))", argument))


def start_worker(page: Any, site: Any, model: str) -> dict[str, Any]:
    scripts = sorted((site.pages / "assets").glob("worker-*.js"))
    assert len(scripts) == 1
    info: dict[str, Any] = read_json(page, START, [f"/assets/{scripts[0].name}", model])
    return info


def compare(page: Any, images: Sequence[NDArray[np.uint8]], analyzer: Analyzer, *, least_faces: int) -> None:
    """Every face of every picture: the box within half a pixel, the answer within a thousandth."""
    boxes, shares = [0.0], [0.0]
    for number, image in enumerate(images):
        packed = io.BytesIO()
        Image.fromarray(image).save(packed, "PNG")
        found = read_json(page, "window.readPicture", base64.b64encode(packed.getvalue()).decode())
        expected, other = analyzer.analyze(image), Analysis.from_dict(found)
        assert len(other.faces) == len(expected.faces), f"picture {number}"
        for face, twin in zip(expected.faces, other.faces, strict=True):
            corners = [np.array([f.box.x1, f.box.y1, f.box.x2, f.box.y2]) for f in (face, twin)]
            boxes.append(float(np.abs(corners[0] - corners[1]).max()))
            pairs = ((face.probabilities, twin.probabilities), (face.votes, twin.votes))
            shares.append(max(float(np.abs(a.array - b.array).max()) for a, b in pairs))
            first, second = sorted(face.probabilities.values(), reverse=True)[:2]
            if first - second > 2e-3:
                assert face.probabilities.top == twin.probabilities.top, f"picture {number}"
    faces = len(boxes) - 1
    print(f"{analyzer.classifier.identity}: {faces} faces, {max(boxes):.4f} px, {max(shares):.6f}")
    assert faces >= least_faces
    assert max(boxes) < 0.5
    assert max(shares) < 1e-3


def cut_pictures(astronaut: Path) -> list[NDArray[np.uint8]]:
    """The portrait as it is, small, wider than a tile, grey, dark, tilted, cut at the face's edge, beside itself."""
    whole = load_image(astronaut)
    portrait = Image.fromarray(whole)
    pictures = [
        whole,
        np.asarray(portrait.resize((200, 200))),
        np.asarray(portrait.resize((1400, 420), box=(0, 50, 512, 203.6))),
    ]
    pictures += [np.asarray(portrait.resize((640, 360), box=(0, 0, 512, 288)))]
    pictures += [np.asarray(portrait.convert("L").convert("RGB")), (whole // 3).astype(np.uint8)]
    pictures += [np.asarray(portrait.rotate(angle, Image.Resampling.BICUBIC)) for angle in (-35, -13, 25)]
    pictures += [whole[60:200, 170:290], whole[80:190, 180:260]]
    pictures += [np.hstack([whole[:300], whole[:300, ::-1], whole[:300]])]
    chips = [crop_resize(whole, Box(x, 70, x + 100, 170), 64).round().astype(np.uint8) for x in (170, 178, 186)]
    return [*pictures, *(np.repeat(chip[:, :, None], 3, axis=2) for chip in chips), np.zeros((90, 120, 3), np.uint8)]


@pytest.mark.parametrize("model", MODELS)
def test_generated_pictures(page: Any, site: Any, astronaut: Path, model: str) -> None:
    info = start_worker(page, site, model)
    analyzer = Analyzer(model, "faces", threads=1, min_face=MIN_FACE)
    assert (info["model"], info["detector"]) == (analyzer.classifier.identity, "faces")
    compare(page, cut_pictures(astronaut), analyzer, least_faces=15)


@pytest.mark.parametrize("model", MODELS)
def test_faces_and_photos(page: Any, site: Any, shared_data: Path, model: str) -> None:
    from pyarrow import parquet

    table = parquet.read_table(
        shared_data / "fer2013.parquet", columns=["image"], filters=[("Usage", "=", "PublicTest")]
    )
    step = 1 if model == "base" else 3
    images = [load_image(table["image"][i].as_py()) for i in range(0, 3500, 35 * step)]
    photos = parquet.ParquetFile(shared_data / "photos.parquet").iter_batches(30 // step, columns=["image"])
    stored: list[Any] = next(photos)["image"].to_pylist()
    images += [load_image(image) for image in stored]
    start_worker(page, site, model)
    compare(page, images, Analyzer(model, "faces", threads=1, min_face=MIN_FACE), least_faces=120 // step)
