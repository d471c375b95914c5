"""A checkpoint of shards, or of one file, continues on any layout and gives back its model."""

import pytest
import torch
from layouts import train

from vosr.checkpoints.training_state import averaged_weights, full_tensor, is_complete, newest, read_shards

FSDP = {"name": "fsdp", "ranks": 2, "batch_size": 2}
SINGLE = {}


@pytest.fixture(scope="module")
def halves(trained_teacher, tmp_path_factory):
    """Checkpoints after one step, by layout, and the undisturbed second step."""
    folder = tmp_path_factory.mktemp("halves")
    task = {"x": ("student", (trained_teacher, "rcgm"))}
    for name, layout in (("fsdp", FSDP), ("single", SINGLE)):
        train(folder / "out.pt", task, save=folder / f"{name}.ckpt", max_steps=1, count=4, **layout)
    return folder, task, train(folder / "out.pt", task, max_steps=2, count=4)["x"]


@pytest.mark.parametrize(
    ("saved", "layout"), [("fsdp", SINGLE), ("fsdp", FSDP), ("fsdp", {"name": "ddp", "ranks": 2, "batch_size": 2}),
                          ("single", FSDP), ("fsdp", {"name": "fsdp", "ranks": 3, "batch_size": 4})],
    ids=["fsdp-single", "fsdp-fsdp", "fsdp-ddp", "single-fsdp", "fsdp-fsdp3"],
)  # fmt: skip
def test_any_layout_continues(halves, saved, layout, tmp_path):
    folder, task, undisturbed = halves
    before = sorted(folder.rglob("*"))
    three = layout.get("ranks") == 3
    steps = 1 if three else 2  # three ranks make other batches: what was loaded is compared
    result = train(
        tmp_path / "out.pt",
        task,
        checkpoint=folder / f"{saved}.ckpt",
        max_steps=steps,
        count=12 if three else 4,
        **layout,
    )["x"]
    assert sorted(folder.rglob("*")) == before
    assert result["step"] == steps
    if three:
        expected = read_shards(folder / "fsdp.ckpt", full_tensor)["state_dict"]
    else:
        expected = undisturbed["weights"]
        assert result["losses"] == pytest.approx(undisturbed["losses"][1:], abs=1e-5)
    for name, value in expected.items():
        torch.testing.assert_close(result["weights"][name], value, atol=1e-5, rtol=1e-5, msg=name)


def test_both_forms_hold_the_same(halves):
    folder, _, _ = halves
    sharded = read_shards(folder / "fsdp.ckpt", full_tensor)
    single = torch.load(folder / "single.ckpt", weights_only=True)
    assert (folder / "fsdp.ckpt").is_dir()
    assert sharded.keys() == single.keys()
    states = sharded["optimizer_states"][0], single["optimizer_states"][0]
    assert states[0]["param_groups"] == states[1]["param_groups"]
    assert states[0]["state"].keys() == states[1]["state"].keys()
    for number, state in states[1]["state"].items():
        for key, value in state.items():
            torch.testing.assert_close(states[0]["state"][number][key], value, atol=1e-5, rtol=1e-5)
    for path in ("fsdp.ckpt", "single.ckpt"):
        average = averaged_weights(folder / path)
        for name, value in average.items():
            torch.testing.assert_close(single["state_dict"][f"average.{name}"], value, atol=1e-5, rtol=1e-5)


def test_the_newest_complete_one_is_found(halves, tmp_path):
    import os
    import shutil

    folder, _, _ = halves
    older, newer, torn = tmp_path / "a.ckpt", tmp_path / "b.ckpt", tmp_path / "c.ckpt"
    shutil.copy(folder / "single.ckpt", older)
    shutil.copytree(folder / "fsdp.ckpt", newer)
    torn.write_bytes((folder / "single.ckpt").read_bytes()[:-100])
    for age, path in enumerate((torn, newer, older)):
        os.utime(path, (1e9 - age, 1e9 - age))
    assert [is_complete(path) for path in (older, newer, torn)] == [True, True, False]
    assert newest([older, newer, torn]) == newer
    (newer / ".metadata").unlink()
    assert newest([older, newer, torn]) == older
    assert newest([torn]) is None
