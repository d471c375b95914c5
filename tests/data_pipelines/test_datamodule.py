"""The data module as Lightning and the command line use it."""

import lightning as L
import pytest
import torch
from jsonargparse import ArgumentParser
from shard_files import all_keys, encoded_image, write_shards_of

from data_pipelines import ImageSet, RealPhotographs, ShardDataModule, SyntheticData
from data_pipelines.decode import decode
from data_pipelines.images import Sample
from vosr.core.types import Batch


def test_batches_are_eight_bit_and_of_the_crop(tmp_path):
    module = ShardDataModule(str(write_shards_of(tmp_path, [6])), crop_size=8, batch_size=3, num_workers=0)
    (first, second) = list(module.train_dataloader())
    assert first.hq.dtype == torch.uint8
    assert first.hq.shape == (3, 3, 8, 8)
    assert first.lq is None
    assert {*first.key, *second.key} == all_keys([6])


def test_pixels_are_those_of_the_file(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded_image(5, 8))
    module = ShardDataModule(str(tmp_path), crop_size=8, batch_size=1, num_workers=0)
    (batch,) = list(module.train_dataloader())
    expected = torch.from_numpy(decode(encoded_image(5, 8)).copy())
    turns = [torch.rot90(e, k) for e in (expected, expected.flip(1)) for k in range(4)]
    assert any(torch.equal(batch.hq[0].permute(1, 2, 0), turned) for turned in turns)


class Moving(L.LightningModule):
    """Checks what Lightning hands over after its own transfer."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = []

    def training_step(self, batch, _):
        assert type(batch) is Batch  # turned after the transfer
        assert batch.hq.is_contiguous()
        return (self.weight - batch.hq.float().mean()).square()

    def validation_step(self, batch, _):
        self.seen += batch.key

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def trainer(**more):
    return L.Trainer(
        logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu",
        enable_model_summary=False, num_sanity_val_steps=0, **more,
    )  # fmt: skip


def test_fit_and_validate_through_lightning(tmp_path):
    module = ShardDataModule(
        str(write_shards_of(tmp_path, [6])), RealPhotographs(64), crop_size=8, batch_size=3, num_workers=1
    )
    model = Moving()
    trainer(max_epochs=2).fit(model, module)
    names = RealPhotographs().names()
    assert model.seen == names + names
    (source,) = module.listing()["train"]
    assert source["samples"] == {str(tmp_path / "s000.tar"): 6}
    assert module.listing()["validation"] == names


def test_batch_moves_as_a_whole_and_stays_frozen():
    batch = Batch(
        torch.zeros(1, 3, 2, 2, dtype=torch.uint8), torch.ones(1, 3, 2, 2, dtype=torch.uint8), ["a"]
    )
    moved = batch.to("meta")
    assert (moved.hq.device.type, moved.lq.device.type, moved.key) == ("meta", "meta", ["a"])
    assert batch.hq.device.type == "cpu"
    with pytest.raises(AttributeError):
        batch.key = []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_arrive_pinned(tmp_path):
    module = ShardDataModule(str(write_shards_of(tmp_path, [6])), crop_size=8, batch_size=3, num_workers=1)
    (batch, _) = list(module.train_dataloader())
    assert batch.hq.is_pinned()
    assert batch.to("cuda", non_blocking=True).hq.device.type == "cuda"
    module.teardown("fit")


def parse(*arguments):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(L.LightningDataModule, "data")
    config = parser.parse_args(["--data=data_pipelines.ShardDataModule", *arguments])
    return parser.instantiate_classes(config).data


def test_command_line():
    assert parse().train == [(["synthetic"], 1.0)]
    assert parse("--data.train=/data/shards").train == [(["/data/shards"], 1.0)]
    assert parse("--data.train=[a, b]").train == [(["a", "b"], 1.0)]
    assert parse("--data.train={a: 1, b: 2.5}").train == [(["a"], 1.0), (["b"], 2.5)]
    assert parse("--data.augmentation.shrink_to=512").augmentation.shrink_to == 512
    assert parse("--data.synthetic.images=10").synthetic.images == 10
    chosen = parse("--data.validation=RealPhotographs", "--data.validation.crop_size=64").validation
    assert (type(chosen), chosen.crop_size) == (RealPhotographs, 64)
    assert str(parse("--data.validation=/photos").validation.folder) == "/photos"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"train": []}, "at least one folder"),
        ({"train": {"a": 0}}, "weight of 'a' must be above 0"),
        ({"crop_size": 0}, "crop_size must be at least 1, not 0"),
        ({"num_workers": -1}, "num_workers"),
    ],
)
def test_nonsense_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        ShardDataModule(**wrong)


def test_synthetic_is_drawn_once_and_streamed(tmp_path, monkeypatch):
    monkeypatch.setenv("VOSR_CACHE", str(tmp_path))
    module = ShardDataModule(
        "synthetic", crop_size=16, batch_size=4, num_workers=0, synthetic=SyntheticData(images=8, size=24)
    )
    module.prepare_data()
    keys = [key for batch in module.train_dataloader() for key in batch.key]
    assert len(set(keys)) == 8


def test_own_image_sets_can_be_used():
    class Blank(ImageSet):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return Sample(str(index), torch.zeros(4, 4, 3, dtype=torch.uint8).numpy())

        def names(self):
            return ["0", "1", "2"]

    batches = list(ShardDataModule(validation=Blank(batch_size=2)).val_dataloader())
    assert [batch.key for batch in batches] == [["0", "1"], ["2"]]


def test_listing_before_the_run_counts_folders_and_shards(tmp_path):
    write_shards_of(tmp_path / "shards", [2, 3])
    (tmp_path / "photos").mkdir()
    for i in range(70):
        (tmp_path / f"photos/{i}.png").write_bytes(encoded_image(i))
    module = ShardDataModule({str(tmp_path / "shards"): 1, str(tmp_path / "photos"): 2})
    first, second = module.listing()["train"]
    assert list(first["samples"].values()) == [2, 3]
    assert second == {
        "name": str(tmp_path / "photos"),
        "weight": 2,
        "samples": {str(tmp_path / "photos"): 70},
    }


def test_check_finds_what_is_not_there_before_anything_is_prepared(tmp_path):
    write_shards_of(tmp_path / "shards", [3])
    with pytest.raises(ValueError, match="No data at"):
        ShardDataModule({"synthetic": 1.0, str(tmp_path / "nothing"): 1.0}).check()
    with pytest.raises(ValueError, match=r"No data at .* This is the validation set"):
        ShardDataModule(str(tmp_path / "shards"), validation=str(tmp_path / "nothing")).check()
    synthetic = SyntheticData(images=4, seed=77)
    module = ShardDataModule({"synthetic": 1.0, str(tmp_path / "shards"): 1.0}, synthetic=synthetic)
    module.check()
    assert not synthetic.folder.exists()
