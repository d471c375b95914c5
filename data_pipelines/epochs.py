"""How batches are divided among devices, and how long an epoch is."""

from typing import Any

from data_pipelines.training_data import DataPlan

DEFAULT_BATCH = 32
UNKNOWN_EPOCH = 1000
"""Batches of an epoch where nobody knows the number of images."""


def batch_layout(
    batch_size: int | None, global_batch_size: int | None, ranks: int, trainer: Any
) -> tuple[int, int]:
    """Images per device and batch, and accumulated batches per step, which the trainer is given.

    Args:
        batch_size: as the user gave it.
        global_batch_size: likewise.
        ranks: number of devices.
        trainer: Lightning's; None outside of a run accumulates nothing.

    Raises:
        ValueError: the division does not come out.
    """
    accumulated: int = trainer.accumulate_grad_batches if trainer is not None else 1
    if global_batch_size is None:
        return batch_size or DEFAULT_BATCH, accumulated
    if batch_size is None:
        if global_batch_size % (ranks * accumulated):
            raise ValueError(
                f"data.global_batch_size={global_batch_size} cannot be divided among {ranks} devices and {accumulated} "
                "accumulated batches."
            )
        return global_batch_size // (ranks * accumulated), accumulated
    if global_batch_size % (ranks * batch_size):
        raise ValueError(
            f"data.global_batch_size={global_batch_size} is no multiple of {ranks} devices times "
            f"data.batch_size={batch_size}."
        )
    needed = global_batch_size // (ranks * batch_size)
    if accumulated not in (1, needed):
        raise ValueError(
            f"data.global_batch_size={global_batch_size} on {ranks} devices with data.batch_size={batch_size} "
            f"accumulates {needed} batches, and trainer.accumulate_grad_batches is {accumulated}; leave one out."
        )
    if trainer is not None:
        trainer.accumulate_grad_batches = needed
    return batch_size, needed


def epoch_length(plan: DataPlan, ranks: int, accumulated: int, wanted: int | None) -> tuple[int, list[str]]:
    """Batches per rank and epoch, and remarks for the log.

    Args:
        plan: the training data.
        ranks: number of devices.
        accumulated: batches per optimizer step: an epoch ends with a whole step.
        wanted: the user's number; None for one pass over all sources together.
    """
    step = plan.batch_size * ranks
    counts = [source.samples for source in plan.sources]
    total = None if None in counts else sum(count for count in counts if count is not None)
    if wanted is None and total is None:
        batches = UNKNOWN_EPOCH
        why = "nobody counted the images: write an index with the shards command, or give --data.batches_per_epoch"
    else:
        whole = (total or 0) // (step * accumulated) * accumulated
        batches, why = wanted or max(1, whole), "given" if wanted else "one pass"
    remarks = [
        f"An epoch is {batches} batches of {plan.batch_size} on {ranks} ranks: {batches * step} of "
        f"{total if total is not None else 'unknown'} images ({why})."
    ]
    if total is not None and batches * step > total:
        remarks.append(f"Images repeat within an epoch, {batches * step / total:.1f} times on average.")
    elif total is not None and batches * step < total:
        remarks.append(f"The other {total - batches * step} come in the next epoch: nothing is dropped.")
    return batches, remarks


def source_remarks(plan: DataPlan) -> list[str]:
    """What is special about the order of each source."""
    remarks = []
    for source in plan.sources:
        if source.samples is None:
            remarks.append(
                f"{source.name} cannot be indexed ({source.streams[0]}): its samples are drawn by webdataset, "
                f"{plan.shuffle} in the shuffle buffer of each reader, and a resumed run does not see exactly "
                "those that the undisturbed one would have seen."
            )
        elif plan.shuffle and 0 < plan.block < source.samples:
            shards = max(1, round(len(source.shards) * plan.block / source.samples))
            remarks.append(
                f"{source.name} is shuffled in blocks of {plan.block} of {source.samples} samples: a batch mixes about "
                f"{shards} of {len(source.shards)} shards."
            )
    return remarks
