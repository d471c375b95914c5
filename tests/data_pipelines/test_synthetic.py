"""Dead leaves: a pure function of (seed, index), with the statistics of photographs, written once."""

import numpy as np
import pytest

from data_pipelines import RealPhotographs, SyntheticData
from data_pipelines.decode import decode
from data_pipelines.sources import find_source
from data_pipelines.sources.shard import scan
from data_pipelines.synthetic import DeadLeaves, Graphics, Patterns
from data_pipelines.synthetic.leaves import outlines
from data_pipelines.synthetic.textures import texture_bank


@pytest.fixture(scope="module")
def images():
    draw = DeadLeaves(256)
    return [draw(index) for index in range(64)]  # fewer give medians that hang on single images


def spectrum_slope(image):
    """Exponent of the radial power spectrum, from 4 to 115 cycles per image."""
    grey = image.mean(axis=2)
    window = np.hanning(256)
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window * window[:, None])) ** 2
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)[None])
    edges = np.geomspace(4 / 256, 0.45, 12)
    ring = np.digitize(frequency, edges)
    means = [power[ring == i].mean() for i in range(1, 12)]
    return np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), np.log(means), 1)[0]


def test_spectrum_falls_as_that_of_photographs(images):
    slopes = [spectrum_slope(image) for image in images]
    photographs = RealPhotographs()
    real = [spectrum_slope(photographs[i].hq) for i in range(len(photographs))]
    assert -3.2 < np.median(slopes) < -1.8
    assert np.median(slopes) == pytest.approx(np.median(real), abs=0.5)


def test_detail_and_range_are_rich(images):
    steps = [np.abs(np.diff(image.mean(axis=2), axis=1)) for image in images]
    assert 4 < np.median([step.mean() for step in steps]) < 16  # photographs: 5 to 12
    assert min(np.percentile(step, 99.5) for step in steps) > 20  # sharp edges in every image
    assert np.mean(images) == pytest.approx(115, abs=25)


def test_images_depend_on_seed_and_index_only(images):
    assert np.array_equal(DeadLeaves(256)(7), images[7])
    assert not np.array_equal(DeadLeaves(256, seed=1)(7), images[7])
    assert len({image.tobytes() for image in images}) == len(images)


def test_other_sizes():
    for size in (16, 40):
        image = DeadLeaves(size)(3)
        assert image.shape == (size, size, 3)
        assert image.dtype == np.uint8


def test_textures_are_normalised():
    bank = texture_bank(np.random.default_rng(0))
    assert np.abs(bank.mean(axis=(1, 2))).max() < 0.1
    assert bank.std(axis=(1, 2)).min() > 0.6


def test_outlines_surround_their_centre_at_their_radius():
    rng = np.random.default_rng(0)
    centre, radius = rng.uniform(0, 500, (300, 2)), rng.uniform(3, 60, 300)
    points = np.array(outlines(rng, centre, radius)).reshape(300, -1, 2)
    reach = np.linalg.norm(points - centre[:, None], axis=2)
    assert np.median(reach.mean(axis=1) / radius) == pytest.approx(1, abs=0.2)
    assert (reach.max(axis=1) < 8 * radius).all()


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("VOSR_CACHE", str(tmp_path / "cache"))
    return SyntheticData(images=70, size=16)


def content(data):
    shards = [scan(path, "sample") for path in data.shards()]
    samples = [shard.read(number) for shard in shards for number in range(len(shard))]
    return [(sample.key, decode(sample.members["webp"])) for sample in samples]


def test_shards_hold_the_images(small):
    folder = small.prepare(processes=1)
    assert [path.name for path in small.shards()] == ["synthetic-00000.tar", "synthetic-00001.tar"]
    assert [len(shard) for shard in find_source([str(folder)]).shards] == [64, 6]
    for index, (key, image) in enumerate(content(small)):
        assert key.endswith(f"{index:07d}")
        assert np.array_equal(image, small(index))


def test_an_interrupted_preparation_is_completed_and_a_complete_one_left_alone(small):
    small.prepare(processes=1)
    first, second = small.shards()
    before, stamp = second.read_bytes(), first.stat().st_mtime_ns
    second.unlink()
    (small.folder / "synthetic-00001.4711.part").write_bytes(b"half a shard")
    small.prepare(processes=1)
    assert second.read_bytes() == before
    assert first.stat().st_mtime_ns == stamp


def test_a_shard_that_is_being_read_is_not_replaced(small):
    """Two runs at once, of which one encodes other bytes as another version of a library does."""

    class Slower(SyntheticData):
        def _encoded(self, number):
            yield from ((key, encoded + b"more") for key, encoded in super()._encoded(number))
            small.prepare(processes=1)
            sources.append(find_source([str(small.folder)]))

    sources = []
    assert Slower(images=70, size=16).folder == small.folder
    Slower(images=70, size=16).prepare(processes=1)
    (source,) = sources  # the second shard was there by then
    for index in range(70):
        assert np.array_equal(decode(source.read(index).members["webp"]), small(index))
    assert not [path.name for path in small.folder.iterdir() if path.name.endswith((".tmp", ".part"))]


def test_two_processes_give_the_same_as_one(small, tmp_path, monkeypatch):
    small.prepare(processes=1)
    expected = [path.read_bytes() for path in small.shards()]
    monkeypatch.setenv("VOSR_CACHE", str(tmp_path / "other"))
    small.prepare(processes=2)
    assert [path.read_bytes() for path in small.shards()] == expected


def test_settings_decide_the_folder(small):
    assert SyntheticData(images=70, size=16).folder == small.folder
    assert SyntheticData(images=70, size=16, seed=1).folder != small.folder


@pytest.mark.parametrize("wrong", [{"images": 0}, {"size": 4}])
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match="synthetic data needs"):
        SyntheticData(**wrong)


@pytest.mark.parametrize("wrong", [{"graphics": -0.1}, {"graphics": 0.6, "patterns": 0.6}])
def test_shares_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match="at most 1 together"):
        SyntheticData(**wrong)


def test_kinds_come_in_their_shares():
    data = SyntheticData(images=400, size=16, graphics=0.3, patterns=0.5)
    makers = {"graphics": Graphics(16), "patterns": Patterns(16)}
    drawn = [data(index) for index in range(400)]
    share = {
        name: np.mean([np.array_equal(image, draw(i)) for i, image in enumerate(drawn)])
        for name, draw in makers.items()
    }
    assert share["graphics"] == pytest.approx(0.3, abs=0.06)
    assert share["patterns"] == pytest.approx(0.5, abs=0.06)
    leaves = SyntheticData(size=16, graphics=0, patterns=0)
    assert np.array_equal(leaves(5), DeadLeaves(16)(5))


def test_patterns_hold_flats_of_any_level_and_the_finest_checkerboards():
    images = [Patterns(32)(index) for index in range(400)]
    flat = [image[0, 0] for image in images if (image == image[0, 0]).all()]
    assert 0.2 < len(flat) / 400 < 0.4
    assert min(colour.mean() for colour in flat) < 10
    assert max(colour.mean() for colour in flat) > 245
    assert any((colour == colour[0]).all() and 30 < colour[0] < 220 for colour in flat)  # greys
    y, x = np.mgrid[:32, :32]
    finest = ((x + y) % 2).astype(bool)
    boards = [i for i in images if i.std() > 1 and all((i[m] == i[m][0]).all() for m in (finest, ~finest))]
    assert len(boards) > 3
    smooth = [np.abs(np.diff(i.astype(int), axis=0)).max() for i in images]
    assert sum(0 < step < 20 for step in smooth) > 20  # gradients


def test_graphics_are_strokes_on_a_flat_ground():
    images = [Graphics(128)(index) for index in range(60)]
    ground = []
    for image in images:
        _, counts = np.unique(image.reshape(-1, 3), axis=0, return_counts=True)
        ground.append(counts.max() / counts.sum())
    assert np.median(ground) > 0.5
    steps = [np.abs(np.diff(image.astype(int), axis=1)).max() for image in images]
    assert np.mean(np.array(steps) > 150) > 0.8  # as sharp as can be
    assert any((image[0, 0] == 255).all() for image in images)
