"""A plan as tables."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vosr.core.console import labelled
from vosr.planning import Plan, Planner, TrainingJob
from vosr.planning.devices import GIB, TERA
from vosr.planning.parts import parameter_count
from vosr.planning.plan import RESERVE
from vosr.training.recomputation import Checkpointing


def report(console: Console, planner: Planner, plan: Plan, device: str, advice: list[str]) -> None:
    """Print everything about a plan.

    Args:
        console: where to.
        planner: that made it.
        plan: to be reported.
        device: its name.
        advice: sentences on what to change.
    """
    job = plan.job
    console.print(
        Text.assemble((f"{_layout(job)} on {device}", "bold"), f", {job.precision}, {_batch(job)}\n")
    )
    console.print(_parameters(planner))
    console.print(_flops(plan))
    console.print(_memory(plan, device))
    console.print(_time(plan, planner.utilisation))
    for sentence in advice:
        console.print(labelled("To change", 11, sentence))


def _layout(job: TrainingJob) -> str:
    names = {"single": "One process", "ddp": "DDP", "fsdp": "FSDP2"}
    where = f" over {job.nodes} x {job.devices} ranks" if job.ranks > 1 else ""
    where += f" in {job.copies} copies" if job.copies > 1 else ""
    return names[job.strategy] + where + _recomputed(job.checkpointing)


def _recomputed(policy: Checkpointing) -> str:
    if not policy:
        return ""
    if policy == "attention":
        return ", activation checkpointing but for attention"
    share = "" if policy == 1 else f" of {100 * float(policy):g} % of the blocks"
    return f", activation checkpointing{share}"


def _batch(job: TrainingJob) -> str:
    passes = f" x {job.accumulate} passes" if job.accumulate > 1 else ""
    return f"{job.batch_size} images of {job.crop_size} px per rank{passes}, {job.global_batch} per step"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left", min_width=24 if not i else 12)
    return table


def _parameters(planner: Planner) -> Table:
    parts = planner.parts
    table = _table("Parameters", "part", "number", "")
    table.add_row("backbone", f"{parameter_count(parts.backbone):,}", "trained, and averaged")
    frozen = parts.frozen | ({"teacher": parts.teacher} if parts.teacher is not None else {})
    for name, module in frozen.items():
        table.add_row(name, f"{parameter_count(module):,}", "frozen")
    return table


def _flops(plan: Plan) -> Table:
    table = _table("\nOperations per step and rank", "part", "TFLOP")
    for part, flops in plan.flops.items():
        if flops:
            table.add_row(part, f"{flops / TERA:,.3f}")
    table.add_row("all", f"{sum(plan.flops.values()) / TERA:,.3f}", style="bold")
    return table


def _memory(plan: Plan, device: str) -> Table:
    table = _table("\nMemory of the fullest rank", "kind", "GiB")
    for kind, size in plan.memory.items():
        if size:
            table.add_row(kind, f"{size / GIB:,.3f}")
    verdict = "fits" if plan.fits else "does not fit"
    have = f"{plan.device.memory / GIB:,.0f} GiB of {device} less {RESERVE:.0%} for driver and fragmentation"
    table.add_row("all", f"{plan.total_memory / GIB:,.3f}", style="bold")
    table.caption, table.caption_justify = f"{verdict}: {have}", "left"
    return table


def _time(plan: Plan, utilisation: float) -> Table:
    table = _table("\nTime", "of one step", "")
    for collective in plan.collectives:
        sent = f"{collective.payload / GIB:,.3f} GiB, {collective.sent / GIB:,.3f} GiB sent per rank"
        table.add_row(collective.name, sent)
    if plan.collectives:
        hops = sorted({"network" if collective.far else "link" for collective in plan.collectives})
        table.add_row("communication", f"{plan.wire:.3g} s at the full speed of {' and '.join(hops)}")
    if plan.compute is None or plan.step is None or plan.days is None:
        table.add_row("computation", "unknown: no public figure of this device's speed")
        return table
    table.add_row("computation", f"{plan.compute:.3g} s at {utilisation:.0%} of the peak")
    table.add_row("step, the longer of both", f"{plan.step:.3g} s")
    table.add_row("images per second", f"{plan.job.global_batch / plan.step:,.1f}")
    table.add_row(
        "run", f"{plan.days:,.3g} days for {plan.job.max_steps:,} steps, without validation", style="bold"
    )
    return table
