"""Samples: what they hold, that they repeat, and folders of every layout."""

import numpy as np
import pytest
from PIL import Image

from vosr.evaluation.builtin import Builtin
from vosr.evaluation.degrading import bicubic_reduced, degradation, moderate
from vosr.evaluation.protocols import CONFIGS, open_benchmark, open_benchmarks, read_protocol

RNG = np.random.default_rng(0)


def image(height, width):
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def test_builtin_samples_repeat_and_fit():
    one, other = Builtin(), Builtin()
    assert len(one.names()) == len(set(one.names())) == 57
    for name in one.names()[::19]:
        sample, again = one.load(name), other.load(name)
        assert np.array_equal(sample.lq, again.lq)
        assert np.array_equal(sample.hq, again.hq)
        assert sample.size == (sample.hq.shape[1], sample.hq.shape[0]) == (4 * sample.lq.shape[1],) * 2
        assert name.startswith(sample.group + "/" + sample.source)


def test_one_degradation_of_builtin():
    moderate_alone = open_benchmark("builtin/moderate")
    assert moderate_alone.names() == [name for name in Builtin().names() if name.startswith("moderate/")]
    assert moderate_alone.protocol["degradations"] == ["moderate"]
    with pytest.raises(
        ValueError, match="builtin has no degradation 'mild'; it has clean, moderate, real_esrgan"
    ):
        open_benchmark("builtin/mild")


def test_moderate_is_blur_noise_and_jpeg():
    flat = np.full((256, 256, 3), 128, np.uint8)
    lq = moderate(flat, "a", 4)
    assert np.array_equal(lq, moderate(flat, "a", 4))
    assert not np.array_equal(lq, moderate(flat, "b", 4))
    luma = lq @ np.array([0.299, 0.587, 0.114])
    assert 2.5 < luma.std() < 8 * np.sqrt(0.299**2 + 0.587**2 + 0.114**2)  # JPEG takes part of the noise
    step = np.zeros((64, 64, 3), np.uint8)
    step[:, 32:] = 255
    edge = moderate(step, "a", 4)[:, :, 1].mean(0)
    assert (np.diff(edge[4:12]) > 20).sum() >= 2  # a step is spread over several pixels


def test_real_esrgan_is_stored_small():
    hq = image(64, 96)
    lq = degradation("real_esrgan", 4)(hq, "a")
    assert lq.shape == (16, 24, 3)
    assert np.array_equal(lq, degradation("real_esrgan", 4)(hq, "a"))


def test_real_esrgan_at_its_own_size_is_the_same_degradation():
    hq = image(64, 64)
    small, large = (
        degradation("real_esrgan", 4)(hq, "a"),
        degradation("real_esrgan", 4, {"enlarge": "bicubic"})(hq, "a"),
    )
    assert large.shape == hq.shape
    assert np.abs(bicubic_reduced(large, 4).astype(int) - small).mean() < 25


@pytest.mark.parametrize("path", sorted((CONFIGS / "benchmark").glob("*.yaml")), ids=lambda path: path.stem)
def test_protocol_files_are_read_and_say_where_images_are_missing(path, tmp_path):
    protocol = read_protocol(path)
    assert protocol.name == path.stem
    assert protocol.crop == 512
    with pytest.raises(ValueError, match=f"no images at .*--data {path.stem}=FOLDER"):
        open_benchmark(f"{path.stem}={tmp_path}")


def test_realsr_release_and_precropped_pairs(tmp_path):
    hq = image(600, 1030)
    folder = tmp_path / "Canon/Test/4"
    save(folder / "Canon_001_HR.png", hq)
    save(folder / "Canon_001_LR4.png", bicubic_reduced(hq[:, :1028], 4))
    save(tmp_path / "Canon/Train/4/Canon_900_HR.png", hq)
    benchmark = open_benchmark(f"realsr={tmp_path}")
    assert benchmark.names() == ["Canon/Test/4/Canon_001"]
    sample = benchmark.load("Canon/Test/4/Canon_001")
    assert sample.size == (512, 512)
    assert np.array_equal(sample.hq, hq[44:556, 256:768])
    assert sample.lq.shape == (128, 128, 3)
    inside = bicubic_reduced(sample.hq, 4)[4:-4, 4:-4].astype(int)
    assert np.abs(sample.lq[4:-4, 4:-4] - inside).max() <= 1  # both show the same part
    flat = tmp_path / "flat"
    save(flat / "test_HR/a.png", image(512, 512))
    save(flat / "test_LR/a.png", image(128, 128))
    assert open_benchmark(f"realsr={flat}").load("a").hq.shape == (512, 512, 3)


def test_pairs_that_do_not_fit_are_told(tmp_path):
    save(tmp_path / "HR/a.png", image(64, 64))
    save(tmp_path / "LR/a.png", image(20, 16))
    with pytest.raises(ValueError, match="a: HQ 64x64 is not 4 times LQ 16x20"):
        open_benchmark(str(tmp_path)).load("a")
    save(tmp_path / "LR/b.png", image(16, 16))
    assert open_benchmark(str(tmp_path)).protocol["without partner"] == 1


def test_a_folder_without_ground_truth(tmp_path):
    save(tmp_path / "sub/x.png", image(10, 12))
    save(tmp_path / "y.jpg", image(8, 8))
    benchmark = open_benchmark(str(tmp_path))
    assert benchmark.names() == ["sub/x", "y"]
    assert not benchmark.has_reference
    sample = benchmark.load("sub/x")
    assert sample.hq is None
    assert sample.size == (48, 40)


def test_synthetic_folder_is_fixed_by_names(tmp_path):
    save(tmp_path / "HR/a.png", image(70, 90))
    (tmp_path / "mine.yaml").write_text(f"root: {tmp_path}\nhq: HR\ndegradation: moderate\ncrop: 64\n")
    one, other = (open_benchmark(str(tmp_path / "mine.yaml")).load("a") for _ in range(2))
    assert one.hq.shape == (64, 64, 3)
    assert np.array_equal(one.lq, other.lq)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hq: HR\nscal: 4", "unknown key 'scal'. Did you mean 'scale'"),
        ("hq: HR\nscale: four", "scale must be int, not 'four'"),
        ("scale: 4", "names no images"),
        ("hq: HR", "has hq alone"),
        ("[1, 2]", "holds no keys"),
        ("hq: [", "is no YAML"),
        ("hq: HR\ndegradation: real_esrgn", "Did you mean 'real_esrgan'"),
    ],
)
def test_wrong_protocol_files(tmp_path, text, reason):
    save(tmp_path / "HR/a.png", image(64, 64))
    (tmp_path / "mine.yaml").write_text(text if text.startswith("[") else f"root: {tmp_path}\n{text}")
    with pytest.raises(ValueError, match=reason.replace("[", r"\[")):
        open_benchmark(str(tmp_path / "mine.yaml"))


def test_unknown_names():
    with pytest.raises(ValueError, match=r"No benchmark 'buitlin'\. Did you mean 'builtin'"):
        open_benchmark("buitlin")
    with pytest.raises(ValueError, match="Two benchmarks are called builtin"):
        open_benchmarks(["builtin", "builtin"])
