"""The arithmetic of a benchmark, its workers, its peers and its pages. No test looks at how fast anything was."""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from fervid.detection.selection import create_detector
from fervid.emotions import EMOTIONS
from fervid.errors import ModelError, UnknownModelError, UsageError
from fervid.evaluation.speed import benchmark as measuring
from fervid.evaluation.speed import machine as machine_module
from fervid.evaluation.speed import peers, subjects, worker
from fervid.evaluation.speed.benchmark import Effort, compare, list_expression_models, read_facts, time_rounds
from fervid.evaluation.speed.coldstart import measure_environment, name_model, plan_commands, time_process
from fervid.evaluation.speed.machine import Machine, count_nouns, describe_machine
from fervid.evaluation.speed.peers import PEERS, Peer, find_peer, limit_onnxruntime
from fervid.evaluation.speed.processes import THREAD_VARIABLES, Worker, limit_threads
from fervid.evaluation.speed.records import (
    Benchmark,
    ColdStart,
    ColdStep,
    Contender,
    DetectorSpeed,
    ModelSpeed,
    NetworkRun,
    Peak,
)
from fervid.evaluation.speed.sheets import format_ms, format_page, format_size, tabulate
from fervid.evaluation.speed.subjects import SQUARE, cut_chip, find_portrait, load_subject
from fervid.evaluation.speed.timing import Burst, Timing, compare_bursts
from fervid.geometry import boxes_to_array, intersection_over_union
from fervid.imaging import load_image
from fervid.models.runtime import create_session
from fervid.models.spec import layers_from_metadata
from fervid.models.store import BUNDLED, load_model

TINY = Effort(seconds=0.001, rounds=2, least=4, batches=(1, 2), processes=1, warm_up=False)


@pytest.fixture(scope="module")
def pixels():
    return load_image(find_portrait())


@pytest.fixture
def saved_pixels(pixels, tmp_path):
    path = tmp_path / "portrait.npy"
    np.save(path, pixels)
    return path


def make_timing(ms=4.0, runs=500, cores=1.0):
    return Timing(runs, ms, ms * 1.5, cores)


def make_benchmark(**changes):
    machine = Machine("Test One", 4, 8, ("AVX2",), 16_000_000_000, "Linux, x86_64", {"fervid": "1.0"}, 0.0)
    runs = tuple(
        NetworkRun(batch, threads, make_timing(ms))
        for batch, threads, ms in ((1, 1, 4.0), (32, 1, 100.0), (1, 4, 2.0), (32, 4, 32.0))
    )
    model = ModelSpeed(
        "base",
        "base@0123456789ab",
        5_430_000,
        2_700_000,
        267_000_000,
        runs,
        make_timing(0.3),
        (112 * 10**6, 150 * 10**6),
    )
    values = {
        "measured_at": "2026-11-21T10:30+00:00",
        "machine": machine,
        "seconds": 2.0,
        "rounds": 10,
        "peaks": (Peak(1, 100.0, 1024, 60, 1.0), Peak(4, 400.0, 2048, 40, 3.9)),
        "models": (model,),
        "detectors": (
            DetectorSpeed("haar", 1, 1, make_timing(41.0)),
            DetectorSpeed("yunet", 1, reason="not here. Get it."),
        ),
        "cold_start": ColdStart(
            (ColdStep("interpreter alone", "", 14.0, 7), ColdStep("first photo", "base", 514.0, 7)), None
        ),
        "contenders": (
            Contender("base", "base@0123456789ab", "call", "", "happy", 90.0, 5.0, make_timing(), 1.0, 10**8),
            Contender("fer", "25.10", "call", "", "happy", 900.0, 50.0, make_timing(8.0, cores=2.5), 2.0, 10**9),
            Contender("deepface", "", "call", "not installed: skipped"),
        ),
    }
    return Benchmark(**(values | changes))


class TestTiming:
    def test_quantiles_are_over_the_runs_of_all_bursts(self):
        timing = Timing.of_bursts([Burst((0.001, 0.002), 0.003), Burst((0.003, 0.004, 0.005), 0.027)])
        assert timing.runs == 5
        assert timing.p50_ms == pytest.approx(3.0)
        assert timing.p95_ms == pytest.approx(4.8)
        assert timing.cores_busy == pytest.approx(2.0)

    def test_ratio_survives_a_machine_that_slows_down_for_both(self):
        ours = [Burst((0.002,) * 3, 0.0), Burst((0.020,) * 3, 0.0), Burst((0.002,) * 3, 0.0)]
        theirs = [Burst((0.001,) * 3, 0.0), Burst((0.010,) * 3, 0.0), Burst((0.001,) * 3, 0.0)]
        assert compare_bursts(ours, theirs) == pytest.approx(2.0)

    def test_rounds_take_the_workers_in_turn(self):
        calls = []

        class Clock:
            def __init__(self, name):
                self.name = name

            def time(self, batch, seconds, least):
                calls.append((self.name, batch, seconds, least))
                return Burst((0.001,), 0.001)

        bursts = time_rounds({"a": Clock("a"), "b": Clock("b")}, 8, Effort(seconds=2.0, rounds=4, least=10))
        assert [name for name, *_ in calls] == ["a", "b"] * 4
        assert set(calls) == {("a", 8, 0.5, 3), ("b", 8, 0.5, 3)}
        assert [len(row) for row in bursts.values()] == [4, 4]

    @pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
    def test_effort_refuses_no_time(self, seconds):
        with pytest.raises(UsageError):
            Effort(seconds=seconds)


class TestMachine:
    def test_this_one_is_described(self):
        machine = describe_machine()
        assert 1 <= machine.cores <= machine.hardware_threads == len(os.sched_getaffinity(0))
        assert machine.memory_bytes > 10**8
        assert machine.versions["NumPy"] == np.__version__
        assert machine.processor in machine.describe()
        assert json.loads(json.dumps(machine.to_dict())) == machine.to_dict()

    def test_processor_and_instruction_sets_come_from_cpuinfo(self, monkeypatch, tmp_path):
        path = tmp_path / "cpuinfo"
        path.write_text("model name\t: Fast 9000\nflags\t\t: fpu avx2 avx512f amx_bf16\n\nmodel name\t: other\n")
        monkeypatch.setattr(machine_module, "_CPUINFO", path)
        machine = describe_machine()
        assert machine.processor == "Fast 9000"
        assert machine.instruction_sets == ("AVX2", "AVX-512", "AMX BF16")

    def test_a_machine_without_proc_still_has_a_name(self, monkeypatch, tmp_path):
        monkeypatch.setattr(machine_module, "_CPUINFO", tmp_path / "absent")
        monkeypatch.setattr(machine_module, "_TOPOLOGY", str(tmp_path / "{}"))
        machine = describe_machine()
        assert machine.processor
        assert machine.instruction_sets == ()
        assert machine.cores == machine.hardware_threads

    def test_two_threads_of_a_core_count_once(self, monkeypatch, tmp_path):
        for i, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
            (tmp_path / str(i)).write_text(siblings)
        monkeypatch.setattr(machine_module, "_TOPOLOGY", str(tmp_path / "{}"))
        monkeypatch.setattr(machine_module, "_list_processors", lambda: [0, 1, 2, 3])
        machine = describe_machine()
        assert (machine.cores, machine.hardware_threads) == (2, 4)
        assert "2 cores (4 hardware threads)" in machine.describe()

    def test_a_busy_machine_is_said_to_be_busy(self):
        idle = replace(make_benchmark().machine, load=1.0)
        assert idle.warning == ""
        assert "load average 1.1 on 4 cores" in replace(idle, load=1.1).warning

    def test_networks_that_had_half_a_core_are_warned_of(self):
        speeds = make_benchmark()
        assert speeds.warnings == ()
        run = replace(speeds.models[0].runs[0], timing=make_timing(cores=0.5))
        starved = replace(speeds, models=(replace(speeds.models[0], runs=(run,)),))
        assert "had 50 % of the core" in starved.warnings[0]

    def test_nouns_are_counted(self):
        assert [count_nouns(n, "core") for n in (0, 1, 2)] == ["0 cores", "1 core", "2 cores"]


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


class TestColdStart:
    def test_commands_name_the_model_and_the_detector(self):
        commands = plan_commands(["base", "other/tiny.onnx"], Path("photo.jpg"), "haar")
        assert [model for _, model, _ in commands] == ["", "", *["base"] * 3, *["other/tiny.onnx"] * 3]
        assert commands[0][2] == [sys.executable, "-c", "pass"]
        command = commands[-1][2]
        assert command[1:4] == ["-m", "fervid", "image"]
        assert {"photo.jpg", "other/tiny.onnx", "haar"} < set(command)

    def test_a_process_that_fails_says_what_it_said(self):
        with pytest.raises(ModelError, match=r"try: a fresh process failed \(no\)"):
            time_process("try", [sys.executable, "-c", "import sys; sys.exit('no')"])

    def test_models_have_short_names(self):
        assert [name_model(text) for text in ("base", "a/b/tiny.onnx")] == ["base", "tiny"]

    def test_the_environment_is_measured_where_there_is_one(self, monkeypatch, tmp_path):
        (tmp_path / "file").write_bytes(b"x" * 5000)
        (tmp_path / "link").symlink_to(tmp_path / "file")
        monkeypatch.setattr(sys, "prefix", str(tmp_path))
        monkeypatch.setattr(sys, "base_prefix", "elsewhere")
        assert measure_environment() == (tmp_path / "file").stat().st_blocks * 512
        monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
        assert measure_environment() is None


class TestRecords:
    def test_rates_follow_from_the_median(self):
        speeds = make_benchmark()
        one, batch, _, parallel = speeds.models[0].runs
        assert one.faces_per_s == pytest.approx(250)
        assert batch.faces_per_s == pytest.approx(320)
        assert one.gflops(267_000_000) == pytest.approx(66.75)
        assert speeds.share_of_peak(one, 267_000_000) == pytest.approx(0.6675)
        assert speeds.share_of_peak(parallel, 267_000_000) == pytest.approx(267.0 / 400)
        assert speeds.models[0].one_face is one

    def test_json_says_the_same_when_read_back(self):
        table = make_benchmark().to_dict()
        assert json.loads(json.dumps(table, allow_nan=False)) == table
        assert table["schema"] == "fervid-benchmark/1"
        model = table["models"][0]
        assert model["multiply_adds"] == 133_500_000
        assert model["network"][0]["share_of_peak"] == 0.6675
        assert model["network"][1] == {
            "batch": 32,
            "threads": 1,
            "faces_per_s": 320.0,
            "runs": 500,
            "p50_ms": 100.0,
            "p95_ms": 150.0,
            "cores_busy": 1.0,
            "gflops": 85.44,
            "share_of_peak": 0.8544,
        }
        assert table["detectors"][1] == {"name": "yunet", "reason": "not here. Get it."}
        assert table["side_by_side"][1]["ratio"] == 2.0

    def test_a_file_without_a_layer_table_has_no_operations(self):
        speeds = make_benchmark()
        bare = replace(speeds, models=(replace(speeds.models[0], flops=None, parameters=None),))
        assert bare.to_dict()["models"][0]["multiply_adds"] is None
        assert "share_of_peak" not in bare.to_dict()["models"][0]["network"][0]
        assert tabulate(bare)[1].rows[0][-2:] == ("", "")


class TestSheets:
    def test_every_row_has_a_word_per_heading(self):
        sheets = tabulate(make_benchmark())
        assert len({sheet.title for sheet in sheets}) == len(sheets) == 6
        for sheet in sheets:
            assert sheet.rows
            assert all(len(row) == len(sheet.headings) for row in sheet.rows)

    def test_what_was_left_out_is_said(self):
        steps, contenders = tabulate(make_benchmark())[2:4]
        assert len(steps.rows) == 2
        assert steps.note.endswith("yunet was left out: not here. Get it.")
        assert len(contenders.rows) == 2
        assert "deepface: not installed: skipped." in contenders.note
        assert "fer 25.10 kept 2.5 cores busy" in contenders.note
        assert "base happy, fer happy" in contenders.note

    def test_a_page_has_a_date_the_machine_and_every_figure(self):
        speeds = make_benchmark()
        page = format_page(speeds, "fervid benchmark --peers")
        assert page.startswith("# 2026-11-21\n\n`fervid benchmark --peers` at 10:30, load average 0.00 before it.\n")
        assert "Test One, 4 cores (8 hardware threads), AVX2, 16 GB" in page
        for sheet in tabulate(speeds):
            assert f"\n## {sheet.title}\n" in page
            for row in sheet.rows:
                assert f"| {' | '.join(row)} |" in page
        assert page.endswith("\n")

    def test_a_page_of_a_busy_machine_warns(self):
        speeds = make_benchmark()
        busy = replace(speeds, machine=replace(speeds.machine, load=3.0))
        assert "**This machine is not idle" in format_page(busy, "x")
        assert "**" not in format_page(speeds, "x")

    def test_numbers_keep_three_digits(self):
        assert [format_ms(v) for v in (0.0123, 0.5, 3.844, 41.52, 123.4, 1204.2)] == [
            "0.012", "0.500", "3.84", "41.5", "123", "1,204",
        ]  # fmt: skip
        assert [format_size(v) for v in (0, 5_430_000, 118_400_000)] == ["", "5.43 MB", "118 MB"]


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
