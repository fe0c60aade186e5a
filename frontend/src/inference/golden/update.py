"""Make the browser's golden file again: ``python frontend/src/inference/golden/update.py``.

What the package computes in Python, for vitest to compare the browser's code with. Pictures come from formulas that
both sides know; the one face is a chip of a public-domain portrait (NASA) in ``tests/golden``.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fervid.classification.calibration import blend_heads, softmax
from fervid.detection.alignment import choose_angle
from fervid.detection.decoding import decode
from fervid.detection.passes import plan_passes
from fervid.detection.resizing import resize, resize_region
from fervid.emotions import EMOTIONS, Emotion
from fervid.geometry import suppress_overlaps
from fervid.imaging import crop_resize, load_image
from fervid.models.store import list_bundled, load_model
from fervid.pipeline import Analyzer
from fervid.results import Box, Distribution, Face
from fervid.streaming.stream import UNSURE
from fervid.tracking.assignment import assign
from fervid.tracking.cuts import CutDetector, make_thumbnail, measure_likeness
from fervid.tracking.smoothing import Smoother
from fervid.tracking.tracker import Tracker

FOLDER = Path(__file__).parent
FILE = FOLDER / "golden.json"
CHIP = FOLDER.parents[3] / "tests" / "golden" / "astronaut.png"
STRIDES = (8, 16, 32)


def make_picture(width: int, height: int, channels: int = 3) -> NDArray[np.uint8]:
    """Slopes, edges and noise without chance; ``(H, W, channels)``, ``(H, W)`` for one channel."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    slopes = x * 3 + y * 2 + c * 40
    noise = (x * 73 + y * 151 + c * 31 + x * y * 7) % 64
    edges = ((x // 11 + y // 7) % 2) * 60
    picture: NDArray[np.uint8] = ((slopes + noise + edges) % 256).astype(np.uint8)
    return picture[:, :, 0] if channels == 1 else picture


def make_values(count: int, seed: int) -> NDArray[np.float32]:
    """Numbers of 0–1 that float32 holds exactly."""
    state, values = seed, []
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        values.append((state >> 15) / 65536)
    return np.array(values, dtype=np.float32)


def make_scene() -> NDArray[np.uint8]:
    """``(240, 320, 3)``: the chip four times as large on a slope."""
    chip = load_image(CHIP)[:, :, 0].repeat(4, axis=0).repeat(4, axis=1)
    scene = np.broadcast_to((np.arange(320) // 4 + 60).astype(np.uint8), (240, 320)).copy()
    scene[24:216, 64:256] = chip
    return np.repeat(scene[:, :, None], 3, axis=2)


def digest(image: NDArray[np.uint8]) -> str:
    """SHA-256 of the pixels, row by row."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def cut_crops() -> list[dict[str, Any]]:
    """Faces cut out, grey levels."""
    cases = [
        (64, 48, 3, (10.0, 8.0, 26.0, 24.0), 16, 0.0),
        (64, 48, 3, (10.25, 8.5, 50.75, 47.0), 16, 0.0),
        (64, 48, 1, (20.3, 11.7, 27.9, 19.3), 16, 0.0),
        (64, 48, 3, (-12.5, -9.0, 30.0, 33.5), 16, 0.0),
        (64, 48, 3, (40.0, 30.0, 90.0, 80.0), 16, 0.0),
        (64, 48, 1, (70.0, 60.0, 80.0, 70.0), 8, 0.0),
        (200, 150, 3, (3.1, 2.2, 147.4, 146.5), 44, 0.0),
        (200, 150, 3, (23.1, 12.2, 127.4, 116.5), 16, 14.5),
        (200, 150, 3, (-20.0, 30.0, 60.0, 110.0), 16, -33.25),
        (64, 48, 1, (20.3, 11.7, 27.9, 19.3), 16, 80.0),
    ]
    crops = []
    for width, height, channels, box, size, angle in cases:
        grey = crop_resize(make_picture(width, height, channels), Box(*box), size, angle)
        case = {"picture": [width, height, channels], "box": box, "size": size, "angle": angle}
        crops.append({**case, "grey": [round(float(value), 3) for value in grey.ravel()]})
    return crops


def cut_regions() -> list[dict[str, Any]]:
    """Parts resized, digests."""
    cases = [
        (100, 80, 3, (0, 0, 100, 80), 50, 40),
        (100, 80, 3, (0, 0, 100, 80), 37, 61),
        (100, 80, 1, (0, 0, 100, 80), 250, 130),
        (100, 80, 3, (20, 10, 60, 50), 40, 40),
        (100, 80, 3, (20.5, 10.25, 61.75, 50.5), 30, 33),
        (640, 480, 3, (0, 0, 640, 480), 320, 240),
        (643, 481, 3, (0, 0, 643, 481), 60, 45),
        (643, 481, 3, (100.5, 33.25, 642, 480.75), 44, 71),
        (1280, 720, 3, (0, 0, 1280, 720), 427, 240),
    ]
    regions = []
    for width, height, channels, region, columns, rows in cases:
        image = make_picture(width, height, channels)
        result = resize_region(image, tuple(map(float, region)), columns, rows)  # type: ignore[arg-type]
        case = {"picture": [width, height, channels], "region": region, "size": [columns, rows]}
        regions.append({**case, "sha256": digest(result)})
    return regions


def tilt() -> list[dict[str, Any]]:
    """Angles by which squares are turned."""
    rng = np.random.default_rng(7)
    upright = np.array([(31, 38), (68, 39), (50, 60), (36, 76), (66, 75)], dtype=np.float64)
    cases = []
    for angle in (-40, -15, -12, -3, 0, 8, 11, 14, 25, 90):
        turn = np.exp(1j * np.radians(angle)) * (upright @ np.array([1, 1j]))
        points = np.round(np.stack([turn.real, turn.imag], axis=1) * 1.7 + rng.normal(0, 1, (5, 2)), 2)
        cases.append({"points": points.tolist(), "angle": round(choose_angle(points), 5)})
    return cases


def plan() -> list[dict[str, Any]]:
    """Passes of pictures."""
    cases = [
        (320, 240, 20),
        (640, 480, 20),
        (48, 48, 20),
        (224, 224, 20),
        (320, 300, 20),
        (1280, 720, 60),
        (1920, 1080, 24),
        (4000, 3000, 20),
        (90, 2600, 9),
    ]
    plans = []
    for width, height, min_face in cases:
        passes = plan_passes(width, height, min_face=min_face, smallest=20, largest=320, tile=(1280, 1280))
        table = [[p.width, p.height, [[t.x1, t.y1, t.x2, t.y2] for t in p.tiles]] for p in passes]
        plans.append({"picture": [width, height], "min_face": min_face, "passes": table})
    return plans


def make_outputs(width: int, height: int) -> dict[str, NDArray[np.float32]]:
    """A network's answers, by formula; the seed is the stride and the kind's place."""
    outputs = {}
    for stride in STRIDES:
        cells = (width // stride) * (height // stride)
        for place, (kind, size) in enumerate((("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))):
            values = make_values(cells * size, 10 * stride + place)
            if kind == "bbox":
                values = values * 2 - 0.5
            outputs[f"{kind}_{stride}"] = values.reshape(1, cells, size)
    return outputs


def find_boxes() -> dict[str, Any]:
    """Decoded cells, and what suppression keeps of them."""
    width, height, score, overlap, containment = 96, 64, 0.7, 0.4, 0.6
    boxes, scores, points = decode(make_outputs(width, height), width, height, STRIDES, score_threshold=score)
    table = np.concatenate([boxes, scores[:, None], points.reshape(-1, 10)], axis=1)
    return {
        "size": [width, height],
        "score": score,
        "found": table.round(4).tolist(),
        "overlap": overlap,
        "kept": [list(row) for row in boxes[suppress_overlaps(boxes, scores, overlap)].round(4).tolist()],
        "containment": containment,
        "kept_whole": boxes[suppress_overlaps(boxes, scores, overlap, containment=containment)].round(4).tolist(),
    }


def pair() -> list[dict[str, Any]]:
    """Assignments."""
    rng = np.random.default_rng(5)
    cases = []
    for rows, columns in ((1, 1), (2, 3), (4, 2), (5, 5), (7, 6)):
        costs = rng.uniform(0, 30, (rows, columns)).round(3)
        costs[rng.random((rows, columns)) < 0.3] = 1e9
        real = np.where(costs > 1e6, np.inf, costs)
        cases.append({"costs": costs.tolist(), "ceiling": 30, "pairs": assign(real, 30)})
    return cases


def follow() -> list[dict[str, Any]]:
    """Walks of several people with misses, unsure sightings, false alarms and people who leave."""
    cases = []
    for seed, people, step_s in ((1, 1, 0.1), (2, 3, 0.08), (3, 5, 0.05), (4, 4, 0.25)):
        rng = np.random.default_rng(seed)
        size, sure = (640, 480), 0.78
        places = rng.uniform((60, 60), (580, 420), (people, 2))
        speeds = rng.normal(0, 60, (people, 2))
        sides = rng.uniform(40, 110, people)
        tracker = Tracker(size, sure_score=sure)
        frames = []
        for k in range(60):
            time_s = round(k * step_s, 4)
            detections = []
            for i in range(people):
                if rng.random() < 0.15:
                    continue
                x, y = places[i] + rng.normal(0, 2, 2)
                width, height = sides[i] * np.exp(rng.normal(0, 0.04, 2))
                box = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
                detections.append([*np.round(box, 2).tolist(), round(float(rng.uniform(0.5, 1)), 3)])
            if rng.random() < 0.1:
                x, y = rng.uniform((0, 0), size)
                detections.append([*np.round([x - 20, y - 20, x + 20, y + 20], 2).tolist(), 0.8])
            tracks = tracker.update([Box(*d[:4]) for d in detections], [d[4] for d in detections], time_s)
            frames.append((time_s, detections, tracks, [None if t is None else t.id for t in tracks]))
            places, speeds = places + speeds * step_s, speeds + rng.normal(0, 15, (people, 2))
        cases.append(
            {
                "size": size,
                "sure_score": sure,
                "frames": [{"time_s": t, "detections": d, "ids": ids} for t, d, _, ids in frames],
                "boxes": [[round(v, 3) for v in (t.box.x1, t.box.y1, t.box.x2, t.box.y2)] for t in tracker.visible],
            }
        )
    return cases


def make_film() -> list[NDArray[np.uint8]]:
    """Frames of one scene, moved and flashed over, and of others; two have black borders, the last another size."""
    scene, other = make_scene(), make_picture(320, 240)
    moved, bright, dark = scene.copy(), np.minimum(scene, 175) + 80, np.zeros_like(scene)
    moved[:, :-16] = scene[:, 16:]
    framed, framed_other = scene.copy(), other.copy()
    for image in (framed, framed_other):
        image[:40] = image[-40:] = 0
    return [scene, moved, bright, other, scene, framed, framed_other, dark, scene, scene[:, :300]]


def find_cuts() -> dict[str, Any]:
    """Thumbnails, and of every frame of a film whether it begins a scene and how like the one before it is."""
    sizes = [(64, 48), (333, 222), (5, 3)]
    thumbnails = [make_thumbnail(make_picture(*size)).ravel().tolist() for size in sizes]
    film, detector = make_film(), CutDetector()
    seen = [make_thumbnail(image) for image in film]
    return {
        "pictures": [{"size": size, "thumbnail": table} for size, table in zip(sizes, thumbnails, strict=True)],
        "cuts": [detector.detect(image) for image in film],
        "likeness": [round(measure_likeness(a, b), 5) for a, b in itertools.pairwise(seen)],
    }


def smooth() -> list[dict[str, Any]]:
    """Smoothed answers of people who change."""
    cases = []
    for seed, step_s in ((1, 0.04), (2, 0.1), (3, 0.3)):
        rng = np.random.default_rng(seed)
        smoother = Smoother(0.39, 0.5)
        truth, samples = 0, []
        time_s = 0.0
        for _ in range(80):
            if rng.random() < 0.05:
                truth = int(rng.integers(7))
            values = rng.dirichlet(np.where(np.arange(7) == truth, 6.0, 1.0))
            values = np.append(values[:6].round(6), 0)
            values[6] = round(1 - values.sum(), 6)
            face = Face(
                Box(0, 0, 9, 9),
                1,
                None,
                0.0,
                Distribution(EMOTIONS, values),
                Distribution(("a", "b"), (1, 0)),
                track_id=1,
            )
            (answer,) = smoother.smooth([face], time_s)
            label = None if answer.emotion is None else EMOTIONS.index(Emotion(answer.emotion))
            mean = [round(v, 6) for v in answer.basis.values_tuple]
            samples.append({"time_s": round(time_s, 4), "values": values.tolist(), "mean": mean, "label": label})
            time_s = round(time_s + step_s * rng.uniform(0.5, 1.5), 4)
        cases.append({"threshold": 0.39, "smooth_s": 0.5, "samples": samples})
    return cases


def blend() -> dict[str, Any]:
    """Two heads to one answer."""
    labels, votes = make_values(7, 1)[None] * 8, make_values(8, 2)[None] * 8
    head = softmax(votes, 0.9763)
    answer = blend_heads(softmax(labels, 0.8928), head, 0.56)
    return {
        "temperature": 0.8928,
        "votes_temperature": 0.9763,
        "blend": 0.56,
        "votes": head[0].tolist(),
        "answer": answer[0].tolist(),
    }


def read_scene() -> dict[str, Any]:
    """What the package reads in the scene, with every bundled network; the same passes as the browser's."""
    models = {}
    for published in list_bundled():
        if published.kind != "expression":
            continue
        analyzer = Analyzer(published.name, "faces", threads=1)
        (face,) = analyzer.analyze(make_scene()).faces
        identity = load_model(published.name).identity
        models[published.name] = {"identity": identity, "face": face.to_dict()}
    spec = Analyzer(detector="faces").detector.score_threshold
    return {"unsure": UNSURE * spec, "models": models}


def compute() -> dict[str, Any]:
    """Everything, as it stands in the file."""
    whole = resize(make_picture(333, 222), 100, 70)
    return {
        "picture_sha256": digest(make_picture(33, 22)),
        "scene_sha256": digest(make_scene()),
        "resized_sha256": digest(whole),
        "crops": cut_crops(),
        "regions": cut_regions(),
        "tilts": tilt(),
        "plans": plan(),
        "decoding": find_boxes(),
        "assignments": pair(),
        "tracks": follow(),
        "cuts": find_cuts(),
        "smoothing": smooth(),
        "blend": blend(),
        "scene": read_scene(),
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(compute(), separators=(",", ":")) + "\n")
