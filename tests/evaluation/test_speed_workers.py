"""What a benchmark runs: workers, what they load, peers. No test looks at how fast anything was."""

import io
import json
import os
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from fervid.detection.selection import create_detector
from fervid.emotions import EMOTIONS
from fervid.errors import ModelError, UnknownModelError, UsageError
from fervid.evaluation.speed import benchmark as measuring
from fervid.evaluation.speed import peers, subjects, worker
from fervid.evaluation.speed.benchmark import Effort, compare, list_expression_models, read_facts
from fervid.evaluation.speed.peers import PEERS, Peer, find_peer, limit_onnxruntime
from fervid.evaluation.speed.processes import THREAD_VARIABLES, Worker, limit_threads
from fervid.evaluation.speed.records import Peak
from fervid.evaluation.speed.subjects import SQUARE, cut_chip, load_subject
from fervid.evaluation.speed.timing import Burst
from fervid.geometry import boxes_to_array, intersection_over_union
from fervid.imaging import load_image
from fervid.models.runtime import create_session
from fervid.models.spec import layers_from_metadata
from fervid.models.store import BUNDLED, load_model
from fervid.portrait import find_portrait

TINY = Effort(seconds=0.001, rounds=2, least=4, batches=(1, 2), processes=1, warm_up=False)


@pytest.fixture(scope="module")
def pixels():
    return load_image(find_portrait())


@pytest.fixture
def saved_pixels(pixels, tmp_path):
    path = tmp_path / "portrait.npy"
    np.save(path, pixels)
    return path


class TestThreads:
    @pytest.mark.parametrize("threads", [1, 3])
    def test_a_fresh_process_is_told(self, threads):
        script = """
import os, cv2, numpy
matrix = numpy.ones((500, 500), "f")
matrix @ matrix
print(cv2.getNumThreads(), len(os.listdir("/proc/self/task")))
"""
        environment = limit_threads(os.environ | dict.fromkeys(THREAD_VARIABLES, "7"), threads)
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        opencv, tasks = map(int, done.stdout.split())
        assert opencv == threads
        assert tasks == 1 or threads > 1

    @pytest.mark.parametrize("kind", ["network", "answer"])
    def test_the_network_is_told(self, kind, pixels, monkeypatch):
        told = []

        def create(file, *, threads):
            told.append(threads)
            return create_session(file, threads=threads)

        monkeypatch.setattr("fervid.classification.classifier.create_session", create)
        load_subject(kind, "base", 3, pixels)
        assert told == [3]

    def test_the_detector_is_told(self, pixels, monkeypatch):
        told = []

        def create(name, *, threads):
            told.append((name, threads))
            return create_detector("haar")

        monkeypatch.setattr("fervid.detection.selection.create_detector", create)
        assert load_subject("detector", "yunet", 3, pixels)(1)() == 1
        assert told == [("yunet", 3)]

    def test_sessions_of_others_are_told_unless_they_chose(self, monkeypatch):
        import onnxruntime

        monkeypatch.setattr(onnxruntime.InferenceSession, "__init__", onnxruntime.InferenceSession.__init__)
        limit_onnxruntime(3)
        path = str(BUNDLED / "base.onnx")
        chosen, silent = onnxruntime.SessionOptions(), onnxruntime.SessionOptions()
        chosen.intra_op_num_threads = 2
        cpu = ["CPUExecutionProvider"]
        for session, threads in (
            (onnxruntime.InferenceSession(path, providers=cpu), 3),
            (onnxruntime.InferenceSession(path_or_bytes=path, sess_options=silent, providers=cpu), 3),
            (onnxruntime.InferenceSession(path, chosen, providers=cpu), 2),
        ):
            assert session.get_session_options().intra_op_num_threads == threads


class TestSubjects:
    def test_the_square_is_where_the_face_is(self, pixels):
        detector = create_detector("haar")
        (found,) = detector.detect(pixels, min_face=20)
        boxes = boxes_to_array([detector.framing.apply(found.box), SQUARE])
        assert intersection_over_union(boxes, boxes)[0, 1] > 0.9
        assert cut_chip(pixels).shape == (234, 234, 3)
        assert cut_chip(pixels).flags.c_contiguous

    def test_a_network_runs_the_batch_it_is_given(self, pixels):
        emotion_logits, vote_logits = load_subject("network", "base", 1, pixels)(5)()
        assert emotion_logits.shape == (5, 7)
        assert vote_logits.shape == (5, 8)

    def test_preprocessing_gives_what_the_network_reads(self, pixels):
        assert load_subject("preprocessing", "base", 1, pixels)(3)().shape[:2] == (3, 1)

    def test_an_answer_is_an_expression(self, pixels):
        assert load_subject("answer", "base", 1, pixels)(2)() in EMOTIONS

    def test_a_product_is_the_product(self, pixels):
        run = load_subject("product", "float32", 1, pixels)(8)
        rng = np.random.default_rng(8)
        left, right = rng.random((2, 8, 8), dtype=np.float32)
        np.testing.assert_allclose(run(), left @ right, rtol=1e-6)


class TestWorker:
    def serve(self, request, *lines):
        answers = io.StringIO()
        worker.serve(request, io.StringIO("".join(json.dumps(line) + "\n" for line in lines)), answers)
        return [json.loads(line) for line in answers.getvalue().splitlines()]

    def test_it_says_what_loading_gave_and_answers_every_line(self, saved_pixels):
        request = {"kind": "answer", "name": "base", "threads": 1, "portrait": str(saved_pixels), "batch": 1}
        ready, first, second = self.serve(
            request, {"batch": 1, "seconds": 0, "least": 3}, {"batch": 2, "seconds": 0, "least": 1}
        )
        assert ready["answer"] in EMOTIONS
        assert ready["load_s"] > 0 < ready["first_s"]
        assert len(first["seconds"]) == 3
        assert len(second["seconds"]) == 1
        assert ready["peak_bytes"] <= first["peak_bytes"] <= second["peak_bytes"]

    def test_a_new_batch_size_warms_up_first(self, saved_pixels, monkeypatch):
        prepared, ran = [], []

        def load(*_):
            def prepare(batch):
                prepared.append(batch)
                return lambda: ran.append(batch)

            return prepare

        monkeypatch.setattr(subjects, "load_subject", load)
        monkeypatch.setattr(worker, "WARM_UP_S", 0.0)
        request = {"kind": "network", "name": "x", "threads": 1, "portrait": str(saved_pixels), "batch": 1}
        wishes = [{"batch": batch, "seconds": 0, "least": 1} for batch in (1, 1, 8, 8)]
        self.serve(request, *wishes)
        assert prepared == [1, 8]
        assert ran == [1] * (1 + 2 + 1 + 1) + [8] * (2 + 1 + 1)

    def test_it_runs_as_long_and_as_often_as_it_is_asked(self, monkeypatch):
        now = [0.0]
        monkeypatch.setattr(worker.time, "perf_counter", lambda: now[0])

        def run():
            now[0] += 0.25

        assert worker.time_runs(run, 1.0, 2)[0] == [0.25] * 4
        assert worker.time_runs(run, 0.1, 3)[0] == [0.25] * 3

    def test_a_real_process_times_a_network(self, saved_pixels):
        with Worker("network", "base", 1, saved_pixels) as process:
            burst = process.time(2, 0.0, 3)
            assert len(burst.seconds) == 3
            assert burst.median_s > 0
            assert process.peak_bytes >= process.first_peak_bytes > 10**6
        with pytest.raises(ValueError, match="closed file"):
            process.time(2, 0.0, 3)

    def test_memory_is_its_own_and_not_its_parents(self, saved_pixels):
        ballast = np.ones(40_000_000)  # 320 MB here must not appear there
        with Worker("product", "float32", 1, saved_pixels, batch=8) as process:
            assert process.peak_bytes < ballast.nbytes

    def test_what_cannot_be_loaded_says_why(self, saved_pixels):
        with pytest.raises(ModelError, match="there is no model 'absent'"):
            Worker("network", "absent", 1, saved_pixels)

    def test_a_process_that_dies_says_so(self, saved_pixels, monkeypatch):
        monkeypatch.setattr("fervid.evaluation.speed.processes._START", "import sys; sys.exit('gone')")
        with pytest.raises(ModelError, match="ended with status 1: gone"):
            Worker("network", "base", 1, saved_pixels)

    def test_a_process_that_hangs_is_ended(self, saved_pixels, monkeypatch):
        monkeypatch.setattr("fervid.evaluation.speed.processes._START", "import time; time.sleep(60)")
        monkeypatch.setattr("fervid.evaluation.speed.processes.LOAD_TIMEOUT_S", 0.2)
        with pytest.raises(ModelError, match="took longer than 0 s"):
            Worker("network", "base", 1, saved_pixels)


def fake_package(monkeypatch, name, **attributes):
    """A module in sys.modules, its parents too."""
    parts = name.split(".")
    for i in range(1, len(parts)):
        monkeypatch.setitem(sys.modules, ".".join(parts[:i]), ModuleType(parts[i - 1]))
    module = ModuleType(name)
    vars(module).update(attributes)
    monkeypatch.setitem(sys.modules, name, module)


class TestPeers:
    @pytest.fixture
    def chip(self):
        chip = np.zeros((60, 50, 3), np.uint8)
        chip[..., 0] = 200  # red
        return chip

    @pytest.fixture
    def limits(self, monkeypatch):
        told = []
        monkeypatch.setattr(peers, "limit_onnxruntime", told.append)
        return told

    def test_fer_gets_bgr_and_the_whole_chip(self, chip, monkeypatch):
        class FER:
            def detect_emotions(self, img, face_rectangles=None):
                assert img.flags.c_contiguous
                assert tuple(img[0, 0]) == (0, 0, 200)
                assert face_rectangles == [(0, 0, 50, 60)]
                return [{"box": face_rectangles[0], "emotions": {"angry": 0.1, "happy": 0.8, "neutral": 0.1}}]

        fake_package(monkeypatch, "fer.fer", FER=FER)
        assert peers.load_fer(chip, 1)() == "happy"

    @pytest.mark.parametrize("listed", [True, False])
    def test_deepface_gets_bgr_and_no_detector(self, chip, listed, monkeypatch, limits):
        def analyze(img_path, actions, enforce_detection, detector_backend, silent):
            assert tuple(img_path[0, 0]) == (0, 0, 200)
            assert (actions, enforce_detection, detector_backend, silent) == (["emotion"], False, "skip", True)
            answer = {"emotion": {"sad": 90.0}, "dominant_emotion": "sad"}
            return [answer] if listed else answer

        fake_package(monkeypatch, "deepface.DeepFace", analyze=analyze)
        assert peers.load_deepface(chip, 2)() == "sad"
        assert limits == [2]

    def test_emotiefflib_gets_rgb_and_the_onnx_engine(self, chip, monkeypatch, limits):
        def predict(face_img, logits=True):
            assert tuple(face_img[0, 0]) == (200, 0, 0)
            assert logits is False
            return ["Happiness"], np.full((1, 8), 0.125)

        def create(engine="torch", model_name="", device="cpu"):
            assert engine == "onnx"
            return SimpleNamespace(predict_emotions=predict)

        fake_package(monkeypatch, "emotiefflib.facial_analysis", EmotiEffLibRecognizer=create)
        assert peers.load_emotiefflib(chip, 2)() == "Happiness"
        assert limits == [2]

    def test_an_absent_package_is_not_imported_to_find_out(self):
        assert not Peer("x", "fervid_has_no_such_peer", "x", "", lambda *_: lambda: "").installed
        assert Peer("x", "json", "x", "", lambda *_: lambda: "").installed

    def test_names(self):
        assert [find_peer(peer.name) for peer in PEERS] == list(PEERS)
        with pytest.raises(UsageError, match="unknown peer"):
            find_peer("nobody")

    def test_one_that_is_absent_and_one_that_breaks_stop_nothing(self, saved_pixels, tmp_path, monkeypatch):
        folder = tmp_path / "packages"
        (folder / "fer").mkdir(parents=True)
        (folder / "fer" / "__init__.py").write_text("")
        (folder / "fer" / "fer.py").write_text(
            "class FER:\n"
            "    def detect_emotions(self, img, face_rectangles=None):\n"
            "        print('what a peer prints goes nowhere')\n"
            "        return [{'emotions': {'happy': 1.0}}]\n"
        )
        (folder / "deepface").mkdir()
        (folder / "deepface" / "__init__.py").write_text("")
        (folder / "deepface" / "DeepFace.py").write_text("raise RuntimeError('no weights\\nat all')")
        (folder / "emotiefflib").mkdir()
        (folder / "emotiefflib" / "__init__.py").write_text("")
        (folder / "emotiefflib" / "facial_analysis.py").write_text(
            "class EmotiEffLibRecognizer:\n"
            "    calls = 0\n"
            "    def __init__(self, engine):\n"
            "        pass\n"
            "    def predict_emotions(self, image, logits):\n"
            "        self.calls += 1\n"
            "        if self.calls > 1:\n"
            "            raise SystemExit('tired')\n"
            "        return ['Fear'], None\n"
        )
        monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
        absent = Peer("nobody", "fervid_has_no_such_peer", "fervid-has-no-such-peer", "", lambda *_: lambda: "")
        base, fer, deepface, tired, nobody = compare(read_facts(["base"]), [*PEERS, absent], TINY, saved_pixels)
        assert (base.name, base.ratio, base.reason) == ("base", 1.0, "")
        assert fer.answer == "happy"
        assert fer.timing.runs >= 4
        assert fer.ratio > 0
        assert deepface.timing is None
        assert deepface.reason == "failed: RuntimeError: no weights"
        assert tired.reason == "failed: SystemExit: tired"
        assert nobody.reason == "not installed: skipped"
        assert nobody.to_dict() == {"name": "nobody", "version": "", "call": "", "reason": nobody.reason}


class TestFacts:
    def test_they_are_those_of_the_file(self):
        (fact,) = read_facts(["base"])
        from fervid.models.runtime import read_metadata

        layers = layers_from_metadata(read_metadata(create_session(load_model("base"), threads=1)))
        assert fact.flops == sum(layer.flops for layer in layers)
        assert fact.parameters == sum(layer.parameters for layer in layers)
        assert fact.file_bytes == (BUNDLED / "base.onnx").stat().st_size

    def test_two_of_one_name_go_by_their_digest(self, tmp_path):
        copy = tmp_path / "base.onnx"
        copy.write_bytes((BUNDLED / "base.onnx").read_bytes())
        first, second = read_facts(["base", str(copy), "base"])
        assert first.name == second.name == load_model("base").identity

    def test_every_bundled_network_is_one(self):
        assert "base" in list_expression_models()
        assert len(read_facts(list_expression_models())) == len(list_expression_models())

    def test_unknown_models_are_refused_before_anything_runs(self):
        with pytest.raises(UnknownModelError):
            read_facts(["absent"])


def test_large_products_are_left_out_where_they_take_long(saved_pixels, monkeypatch):
    sides = []

    class Slow:
        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def time(self, side, _seconds, _least):
            sides.append(side)
            seconds = 0.004 * (side / 256) ** 3 * (0.5 if side == 512 else 1)
            return Burst((seconds,) * 3, seconds * 3)

    monkeypatch.setattr(measuring, "Worker", Slow)
    peak = measuring.measure_peak(2, Effort(seconds=1.0), saved_pixels)
    assert sides == [256, 512]
    assert peak == Peak(2, pytest.approx(2 * 512**3 / 0.016 / 1e9), 512, 6, pytest.approx(1.0))
