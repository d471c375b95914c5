"""What is compared: names, settings, folders of results."""

import numpy as np
import pytest
from PIL import Image

from vosr.evaluation.benchmark import Benchmark, BenchmarkImage
from vosr.evaluation.methods import Interpolation
from vosr.evaluation.models import Model, Runtime
from vosr.evaluation.open import open_method, open_methods
from vosr.evaluation.result_folder import ResultFolder

RUNTIME = Runtime("cpu")


class Two(Benchmark):
    name = "two"
    protocol = {}  # noqa: RUF012

    def names(self):
        return ["clean/a", "clean/a_b"]

    def load(self, key):
        return BenchmarkImage(key, "clean", key, np.zeros((2, 3, 3), np.uint8), (12, 8))


def save(path, value, size=(12, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value,) * 3).save(path)


def test_interpolations_are_pillows():
    lq = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    result = Interpolation("bicubic").restore(Two(), BenchmarkImage("a", "", "a", lq, (20, 24)))
    assert np.array_equal(result, np.asarray(Image.fromarray(lq).resize((20, 24), Image.Resampling.BICUBIC)))
    nearest = Interpolation("nearest").restore(Two(), BenchmarkImage("a", "", "a", lq, (20, 24)))
    assert np.array_equal(nearest, lq.repeat(4, 0).repeat(4, 1))


@pytest.mark.parametrize(
    "names", [("two/clean/a", "two/clean/a_b"), ("clean/a", "clean/a_b"), ("a", "a_b"), ("a out", "a_b-x4")]
)
def test_results_are_found_by_their_names(tmp_path, names):
    for name, value in zip(names, (1, 2)):
        save(tmp_path / f"{name}.png", value)
    folder = open_method(str(tmp_path), RUNTIME)
    assert isinstance(folder, ResultFolder)
    folder.check(Two(), Two().names())
    assert [folder.restore(Two(), Two().load(key))[0, 0, 0] for key in Two().names()] == [1, 2]


def test_missing_and_wrong_results_are_told(tmp_path):
    save(tmp_path / "a.png", 1)
    folder = ResultFolder("x", tmp_path)
    with pytest.raises(ValueError, match="lacks 1 of 2 results of two, such as clean/a_b"):
        folder.check(Two(), Two().names())
    save(tmp_path / "a.png", 1, (12, 9))
    with pytest.raises(ValueError, match="is 12x9, but two wants 12x8"):
        folder.restore(Two(), Two().load("clean/a"))


def test_a_changed_result_is_another_fingerprint(tmp_path):
    save(tmp_path / "a.png", 1)
    before = ResultFolder("x", tmp_path).fingerprint()
    assert ResultFolder("x", tmp_path).fingerprint() == before
    save(tmp_path / "b.png", 1)
    assert ResultFolder("x", tmp_path).fingerprint() != before


def test_models_carry_their_settings():
    plain, other = (
        open_method(f"vosr_small_teacher{text}", RUNTIME) for text in ("", ",steps=2,guidance_scale=-0.5")
    )
    assert isinstance(other, Model)
    assert (plain.label, other.label) == (
        "vosr_small_teacher",
        "vosr_small_teacher,steps=2,guidance_scale=-0.5",
    )
    assert plain.fingerprint() != other.fingerprint()
    assert open_method("vosr_small_teacher,steps=2,label=two", RUNTIME).label == "two"
    assert open_method("vosr_small_teacher,label=x", RUNTIME).fingerprint() == plain.fingerprint()
    described = other.open()
    assert described["steps"] == 2
    assert described["settings"] == {"steps": 2, "guidance_scale": -0.5}
    assert described["parameters"] > 2_500_000
    other.close()


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["vosr_small_student,stps=2"], "Unknown setting 'stps' of a model; known: label, steps"),
        (["vosr_small_student,steps=two"], "steps must be a number, not 'two'"),
        (["bicubic", "bicubic"], "Two models are called bicubic"),
    ],
)
def test_wrong_models_are_told(texts, reason):
    with pytest.raises(ValueError, match=reason):
        open_methods(texts, RUNTIME)


def test_an_unknown_model_is_told_at_once():
    with pytest.raises(FileNotFoundError, match=r"No model 'vosr_smal'\. Did you mean"):
        open_method("vosr_smal", RUNTIME)
