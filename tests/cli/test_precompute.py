"""``precompute``: training on stored latents and tokens is the training on images."""

import json

import pytest
import torch
from doubles import Dim, MeanEncoder, ShuffleAutoencoder
from models import save_trained
from safetensors.torch import load
from shard_files import encoded_image, write_tar
from training_modules import student, teacher, trainer

from data_pipelines import ShardDataModule
from data_pipelines.failures import BadDataError
from data_pipelines.sources.encoding import encoding_of
from data_pipelines.sources.tar import Bytes, tar_samples
from vosr.cli.precompute import precompute
from vosr.objectives.combined import AbsoluteError
from vosr.training import TeacherModule

SIDE, BATCH, IMAGES = 16, 2, 9


@pytest.fixture
def images(tmp_path):
    members = {f"{i:02d}.png": encoded_image(i, 24) for i in range(IMAGES)}
    return str(write_tar(tmp_path / "images" / "all.tar", members).parent)


def data(source, **options):
    return ShardDataModule(
        source, **({"crop_size": SIDE, "batch_size": BATCH, "num_workers": 0, "seed": 3} | options)
    )


def written(tmp_path, source, module=None, name="latents", accumulate=1, precision="32-true", **options):
    folder = tmp_path / name
    fit = trainer(tmp_path, accumulate_grad_batches=accumulate, precision=precision)
    precompute(module or teacher(seed=5), data(source), fit, folder, **options)
    return folder


def losses(tmp_path, module, source, steps=4, **options):
    """Loss of each step of a training."""
    seen = []
    module.log = lambda name, value, **_: seen.append(float(value)) if name == "loss" else None
    torch.manual_seed(0)
    trainer(tmp_path, max_steps=steps, **options).fit(module, data(str(source)))
    return seen


def stored_in(folder):
    """Tensors of each sample, in order."""
    found = []
    for path in sorted(folder.glob("*.tar")):
        with path.open("rb") as file:
            samples = tar_samples(Bytes(file), pytest.fail, "sample", load=True)
            found += [load(sample.members["safetensors"]) for sample in samples]
    return found


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_teacher_trains_as_on_images(tmp_path, images, accumulate):
    folder = written(tmp_path, images, accumulate=accumulate)
    again = losses(tmp_path, teacher(seed=5), folder, 2, accumulate_grad_batches=accumulate)
    direct = losses(tmp_path, teacher(seed=5), images, 2, accumulate_grad_batches=accumulate)
    assert again == direct
    assert len(set(direct)) == len(direct) == 2 * accumulate


def test_a_student_with_an_image_loss_trains_as_on_images(tmp_path, images):
    start = save_trained(teacher(seed=5), tmp_path / "teacher")

    def distillation(**options):
        return student(start, seed=5, image_loss=AbsoluteError(), **options)

    folder = written(tmp_path, images, distillation(), images=True)
    assert losses(tmp_path, distillation(), folder) == losses(tmp_path, distillation(), images)
    without = written(tmp_path, images, distillation(), "without")
    with pytest.raises(ValueError, match="--images=true"):
        losses(tmp_path, distillation(), without)


def test_half_precision_is_as_exact_as_it_can_be(tmp_path, images):
    direct = losses(tmp_path, teacher(seed=5), images)
    stored = losses(tmp_path, teacher(seed=5), written(tmp_path, images, dtype="bfloat16"))
    assert stored != direct
    assert stored == pytest.approx(direct, rel=5e-3)


def test_types_that_were_computed_come_back_under_autocast(tmp_path, images):
    """Noise is drawn in the type of the latents: bfloat16 latents must not come back as float32."""

    class Half(ShuffleAutoencoder):
        def encode(self, image, sample=False, generator=None):
            half = torch.is_autocast_enabled(image.device.type)
            return super().encode(image).to(torch.bfloat16 if half else image.dtype)

    def module():
        return teacher(autoencoder=Half(), seed=5)

    mixed = {"precision": "bf16-mixed"}
    folder = written(tmp_path, images, module(), **mixed)
    assert stored_in(folder)[0]["latent"].dtype is torch.bfloat16
    assert losses(tmp_path, module(), folder, **mixed) == losses(tmp_path, module(), images, **mixed)


def test_later_passes_are_shuffled_and_variants_differ(tmp_path, images):
    folder = written(tmp_path, images, variants=2)
    samples = stored_in(folder)
    keys = [bytes(sample["key"].numpy()).decode() for sample in samples]
    twice = [key for key in set(keys) if keys.count(key) == 2]
    assert len(keys) == 2 * (IMAGES // BATCH) * BATCH
    first, second = (samples[i] for i, key in enumerate(keys) if key == twice[0])
    assert not torch.equal(first["lq_latent"], second["lq_latent"])
    module = data(str(folder))
    loader = module.train_dataloader()
    passes = [[key for batch in loader for key in batch.key] for _ in range(2)]
    assert passes[0] == keys
    assert passes[1] != keys
    assert sorted(passes[1]) == sorted(keys)


def test_an_interrupted_run_goes_on(tmp_path, images, monkeypatch):
    whole = written(tmp_path, images, max_megabytes=1e-3)
    calls = []
    encoded = TeacherModule.encoded

    def interrupted(self, batch, step):
        calls.append(step)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encoded(self, batch, step)

    with monkeypatch.context() as patched:
        patched.setattr(TeacherModule, "encoded", interrupted)
        with pytest.raises(KeyboardInterrupt):
            written(tmp_path, images, name="again", max_megabytes=1e-3)
        folder = written(tmp_path, images, name="again", max_megabytes=1e-3)
    assert calls == [0, 1, 2, 2, 3]
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        p.name: p.read_bytes() for p in whole.iterdir()
    }
    assert written(tmp_path, images, name="again", max_megabytes=1e-3) == folder  # nothing is left to do
    with pytest.raises(ValueError, match="other data, models or options"):
        written(tmp_path, images, teacher(seed=6), "again", max_megabytes=1e-3)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("autoencoder", {"autoencoder": ShuffleAutoencoder(4)}),
        ("degradation", {"degradation": Dim(0.5)}),
        ("encoder", {"encoder": MeanEncoder()}),
    ],
)
def test_latents_of_other_parts_are_refused(tmp_path, images, part, other):
    folder = written(tmp_path, images)
    if part == "encoder":  # the same class and arguments, other weights
        other["encoder"].extra = torch.nn.Parameter(torch.zeros(1))
    with pytest.raises(ValueError, match=f"another {part} than"):
        losses(tmp_path, teacher(**other), folder)


def test_weights_of_the_decoder_do_not_count(tmp_path, images):
    module = teacher(seed=5)
    module.conditioner.autoencoder.decoder = torch.nn.Linear(1, 1)
    folder = written(tmp_path, images)
    assert len(losses(tmp_path, module, folder, 1)) == 1


def test_real_pairs_need_no_degradation(tmp_path):
    members = {
        f"{i}.{kind}.png": encoded_image(i + 50 * (kind == "lq"), 24)
        for i in range(4)
        for kind in ("hq", "lq")
    }
    pairs = str(write_tar(tmp_path / "pairs" / "all.tar", members).parent)
    folder = tmp_path / "latents"
    precompute(teacher(seed=5), data(pairs, lq="lq"), trainer(tmp_path), folder)
    seen = []
    module = teacher(seed=5)
    module.log = lambda name, value, **_: seen.append(float(value)) if name == "loss" else None
    trainer(tmp_path, max_steps=2).fit(module, data(pairs, lq="lq"))
    assert losses(tmp_path, teacher(seed=5, degradation=Dim(0.9)), folder, 2) == seen


def test_what_cannot_be_read_is_said(tmp_path, images):
    folder = written(tmp_path, images)
    with pytest.raises(ValueError, match="crops of 16 pixels, and data"):
        data(str(folder), crop_size=8).train_dataloader()
    with pytest.raises(ValueError, match="trained on alone"):
        data({str(folder): 1, images: 1}).train_dataloader()
    with pytest.raises(ValueError, match="latents already"):
        precompute(teacher(), data(str(folder)), trainer(tmp_path), tmp_path / "twice")
    record = json.loads((folder / "encoding.json").read_text())
    (folder / "encoding.json").write_text(json.dumps(record | {"computed": {"latent": "load"}}))
    with pytest.raises(ValueError, match="no types of tensors"):
        encoding_of(str(folder))


def test_damaged_samples_are_left_out(tmp_path, images):
    folder = written(tmp_path, images)
    (folder / "index.json").unlink()  # which has checksums
    (archive,) = folder.glob("*.tar")
    archive.write_bytes(archive.read_bytes().replace(b'"latent"', b'"lament"'))
    module = data(str(folder))
    with pytest.raises(BadDataError):
        next(iter(module.train_dataloader()))
    assert module.tally.bad_share == 1


def test_batches_move_as_a_whole(tmp_path, images):
    batch = next(iter(data(str(written(tmp_path, images))).train_dataloader()))
    moved = batch.to("meta")
    tensors = (moved.hq, moved.latent, moved.condition.latent, moved.condition.tokens)
    assert all(tensor.is_meta for tensor in tensors)
    assert moved.key == batch.key
    assert batch.hq.shape == (BATCH, 3, SIDE, SIDE)
    assert batch.hq.untyped_storage().nbytes() == 1  # no image is there
