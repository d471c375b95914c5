"""Advice is followed until the run fits, and says flags that exist."""

from dataclasses import replace

import pytest

from vosr.planning import DEVICES, Plan, TrainingJob, advise
from vosr.planning.devices import GIB


class Stub:
    """A planner whose memory is the batch size in GiB, a tenth of it with checkpointing, plus 60 shared by shards."""

    def plan(self, job, device):
        weights = 60 / (job.ranks if job.strategy == "fsdp" else 1)
        activations = job.batch_size * (0.1 if job.checkpointing else 1)
        return Plan(job, device, {}, {"all": int((weights + activations) * GIB)}, [], 1.0, 0.1)


def advice(job, device="h100"):
    planner = Stub()
    return advise(planner, planner.plan(job, DEVICES[device]))


def test_nothing_to_change():
    assert advice(TrainingJob(batch_size=4)) == []


def test_checkpointing_is_enough():
    first, others = advice(TrainingJob("ddp", 1, 8, batch_size=100))
    assert first == "--model.parallel.activation_checkpointing=true: 70.0 GiB, fits"
    assert others == "as it is, it fits b200, mi300x"


def test_then_shards_then_smaller_batches():
    said = advice(TrainingJob("ddp", 1, 8, batch_size=640), "a100-40")
    assert [line.rsplit(": ", 1)[1] for line in said] == [
        "124.0 GiB, not enough", "71.5 GiB, not enough", "39.5 GiB, not enough", "23.5 GiB, fits",
    ]  # fmt: skip
    assert said[-1].startswith(
        "--model.parallel.activation_checkpointing=true --config configs/cluster/fsdp.yaml "
        "--data.batch_size=160 --trainer.accumulate_grad_batches=4: "
    )


def test_several_hosts_have_an_overlay_of_their_own():
    said = advice(TrainingJob("ddp", 8, 8, batch_size=640), "a100-40")
    assert "--config configs/cluster/fsdp_multinode.yaml: " in said[1]


def test_then_more_devices():
    said = advice(TrainingJob("single", batch_size=1, checkpointing=True), "rtx4090")
    assert said[-2] == "--config configs/cluster/fsdp.yaml --nodes 1 --devices 4: 15.1 GiB, fits"


@pytest.mark.parametrize(
    ("job", "cure"),
    [
        (TrainingJob("fsdp", 2, 2), "gather=bfloat16"),
        (TrainingJob("ddp", 2, 2), "accumulate_grad_batches"),
        (TrainingJob("fsdp", 2, 2, half_gather=True), "batch_size"),
    ],
)
def test_slow_communication_is_told(job, cure):
    plan = replace(Stub().plan(job, DEVICES["h100"]), wire=2.5)
    (said,) = advise(Stub(), plan)
    assert said.startswith("communication takes 2.50 times as long as computation")
    assert cure in said
    assert ("gather" in said) == (cure == "gather=bfloat16")
