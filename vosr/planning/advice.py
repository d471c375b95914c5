"""What to change when a run does not fit, as flags."""

from collections.abc import Iterator
from dataclasses import replace

from vosr.planning.devices import DEVICES, GIB
from vosr.planning.job import TrainingJob
from vosr.planning.plan import Plan, Planner, usable

MAX_RANKS = 1024
CHECKPOINTING = "--model.parallel.activation_checkpointing=true"


def advise(planner: Planner, plan: Plan) -> list[str]:
    """What to change, as sentences: until the plan fits, and where ranks wait for each other.

    Changes are added one after the other until the run fits; then devices are named on which it fits unchanged.
    """
    return _faster(plan) if plan.fits else _smaller(planner, plan)


def _faster(plan: Plan) -> list[str]:
    if plan.compute is None or plan.wire <= plan.compute:
        return []
    cures = ["a larger --data.batch_size"]
    if plan.job.strategy == "fsdp" and not plan.job.half_gather:
        cures.append("--model.parallel.gather=bfloat16")
    if plan.job.strategy == "ddp":
        cures.append("--trainer.accumulate_grad_batches")
    return [
        f"communication takes {plan.wire / plan.compute:.2f} times as long as computation: {', or '.join(cures)}"
    ]


def _smaller(planner: Planner, plan: Plan) -> list[str]:
    lines = []
    for flags, job in _changes(plan.job):
        changed = planner.plan(job, plan.device)
        verdict = "fits" if changed.fits else "not enough"
        lines.append(f"{flags}: {changed.total_memory / GIB:.1f} GiB, {verdict}")
        if changed.fits:
            break
    roomy = [name for name, other in DEVICES.items() if name != "cpu" and plan.total_memory <= usable(other)]
    if roomy:
        lines.append(f"as it is, it fits {', '.join(roomy)}")
    return lines


def _changes(job: TrainingJob) -> Iterator[tuple[str, TrainingJob]]:
    """Jobs that need less and less, each with the flags that were added to the given one."""
    flags: list[str] = []
    if job.checkpointing not in (True, 1):  # a part of it, or none
        job = replace(job, checkpointing=True)
        flags.append(CHECKPOINTING)
        yield " ".join(flags), job
    if job.strategy == "ddp":
        job = replace(job, strategy="fsdp")
        flags.append(_sharding(job))
        yield " ".join(flags), job
    batch, passes = job.batch_size, job.accumulate
    while batch > 1:
        batch, passes = batch // 2, passes * 2
        job = replace(job, batch_size=batch, accumulate=passes)
        yield " ".join([*flags, f"--data.batch_size={batch} --trainer.accumulate_grad_batches={passes}"]), job
    flags += [f"--data.batch_size={batch} --trainer.accumulate_grad_batches={passes}"] if passes > 1 else []
    if job.strategy == "single":
        job = replace(job, strategy="fsdp")
        flags.append(_sharding(job))
    while job.ranks * 2 <= MAX_RANKS:
        job = replace(job, nodes=job.nodes * 2) if job.devices >= 8 else replace(job, devices=job.devices * 2)
        yield " ".join([*flags, f"--nodes {job.nodes} --devices {job.devices}"]), job


def _sharding(job: TrainingJob) -> str:
    return f"--config configs/cluster/{'fsdp_multinode' if job.nodes > 1 else 'fsdp'}.yaml"
