"""One process, DDP, FSDP2 and accumulation are the same training."""

import pytest
import torch
from layouts import train

from vosr.checkpoints.training_state import full_tensor, read_shards
from vosr.training.parallel import Parallelism

LAYOUTS = {
    "single": {},
    "ddp": {"name": "ddp", "ranks": 2, "batch_size": 2},
    "fsdp": {"name": "fsdp", "ranks": 2, "batch_size": 2},
    "accumulation": {"batch_size": 2, "accumulate_grad_batches": 2},
    "fsdp_accumulation": {"name": "fsdp", "ranks": 2, "batch_size": 1, "accumulate_grad_batches": 2},
}
OPTIMISED = Parallelism(activation_checkpointing=True, compile=True, reshard_after_forward=False)
TASKS = ("scratch", "teacher", "rcgm", "shortcut")


@pytest.fixture(scope="module")
def trained(trained_teacher, tmp_path_factory):
    """Results of every task by layout, each layout trained once."""
    folder = tmp_path_factory.mktemp("results")
    tasks = {
        "scratch": ("teacher", ()),
        "teacher": ("teacher", (trained_teacher,)),
        "rcgm": ("student", (trained_teacher, "rcgm")),
        "shortcut": ("student", (trained_teacher, "shortcut")),
        "adversarial": ("adversarial", (trained_teacher,)),
    }
    results = {}

    def of(layout):
        if layout not in results:
            more = (
                {"optimised": ("student", (trained_teacher, "rcgm", OPTIMISED))} if layout == "fsdp" else {}
            )
            results[layout] = train(folder / f"{layout}.pt", tasks | more, **LAYOUTS[layout])
        return results[layout]

    return of


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout != "single"])
def test_layouts_agree(trained, layout, task):
    check(trained("single")[task], trained(layout)[task], layout)


@pytest.mark.parametrize("layout", ["ddp", "fsdp"])
def test_a_discriminator_trains_alike_on_ranks(trained, layout):
    """Not with accumulation: every forward pass moves the estimate of the spectral norm."""
    check(trained("single")["adversarial"], trained(layout)["adversarial"], layout)


@pytest.mark.parametrize("layout", ["ddp", "fsdp"])
def test_autoencoders_and_light_decoders_train_alike(layout, tmp_path):
    tasks = {kind: ("reconstruction", (kind,)) for kind in ("autoencoder", "light")}
    one, many = (train(tmp_path / f"{name}.pt", tasks, **LAYOUTS[name]) for name in ("single", layout))
    for kind in tasks:
        check(one[kind], many[kind], layout)


def test_checkpointed_and_compiled_shards_agree(trained):
    check(trained("single")["rcgm"], trained("fsdp")["optimised"], "fsdp")


@pytest.mark.slow
def test_copies_of_shards_agree(trained, trained_teacher, tmp_path):
    """HSDP: two copies, each of which is sharded over two ranks."""
    tasks = {"teacher": ("teacher", (trained_teacher,)), "rcgm": ("student", (trained_teacher, "rcgm"))}
    four = {"name": "hsdp", "ranks": 4, "batch_size": 1}
    results = train(tmp_path / "out.pt", tasks, save=tmp_path / "hsdp.ckpt", **four)
    for task in tasks:
        check(trained("single")[task], results[task], "hsdp")
    stored = read_shards(tmp_path / "hsdp.ckpt", full_tensor)["state_dict"]  # of the last task
    for name, value in results["rcgm"]["weights"].items():
        torch.testing.assert_close(stored[name], value, msg=name)


def test_weights_that_travel_in_bfloat16_train_alike(trained_teacher, tmp_path):
    def losses(layout, parallel):
        task = {"x": ("teacher", (trained_teacher, parallel))}
        options = LAYOUTS[layout] | {"precision": "bf16-mixed", "max_steps": 4}
        return train(tmp_path / "out.pt", task, **options)["x"]["losses"]

    whole, halved = losses("single", Parallelism()), losses("fsdp", Parallelism(gather="bfloat16"))
    assert halved != whole
    assert halved == pytest.approx(whole, rel=0.02)


def test_a_sharded_teacher_in_bfloat16_gives_the_same_target(trained_teacher, tmp_path):
    """The first loss is compared: in bf16-mixed gradients of two halves of a batch are rounded otherwise."""

    def loss(layout, held):
        task = {"x": ("student", (trained_teacher, "rcgm"), {"teacher_dtype": held})}
        options = LAYOUTS[layout] | {"precision": "bf16-mixed", "max_steps": 1}
        return train(tmp_path / "out.pt", task, **options)["x"]["losses"][0]

    sharded = loss("fsdp", "bfloat16")
    assert sharded == pytest.approx(loss("single", "bfloat16"), rel=1e-6)
    assert sharded != pytest.approx(loss("single", "float32"), rel=1e-5)


def check(expected, actual, layout):
    assert actual["step"] == expected["step"] == 2
    losses = torch.tensor([actual["losses"], expected["losses"]])
    torch.testing.assert_close(losses[0], losses[1], atol=1e-5, rtol=1e-5)
    assert actual["weights"].keys() == expected["weights"].keys()
    for name, value in expected["weights"].items():
        torch.testing.assert_close(actual["weights"][name], value, atol=1e-5, rtol=1e-5, msg=name)
    total = sum(v.numel() for k, v in expected["weights"].items() if k.startswith("backbone."))
    share = 0.5 if layout.startswith(("fsdp", "hsdp")) else 1.0
    assert actual["held"] == pytest.approx(share * total, rel=0.02)
