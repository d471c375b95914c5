"""The tables of docs/scaling.md: plans of the three sizes on 64 H100, under DDP, FSDP2 and HSDP.

Run as ``python benchmarks/plan_tables.py [teacher] [distill]``. What ``python main.py plan`` prints for each config and
overlay, with what layouts share computed once.
"""

import sys
from dataclasses import replace
from pathlib import Path

from vosr.cli.names import expand_arguments
from vosr.cli.plan import PlanCLI
from vosr.cli.plan_job import job_of
from vosr.planning import Plan, Planner, TrainingJob, find_device
from vosr.planning.devices import GIB, TERA

CONFIGS = Path(__file__).parents[1] / "configs"
SIZES = ("0.5b", "1.4b", "10b")


def planner_of(config: str) -> tuple[Planner, TrainingJob]:
    """A planner, and the job that ``cluster/fsdp_multinode`` describes."""
    overlay = CONFIGS / "cluster/fsdp_multinode.yaml"
    cli = PlanCLI(expand_arguments(["fit", "--config", str(CONFIGS / config), "--config", str(overlay)]))
    return Planner(cli.model, 0.4), job_of(cli.config.fit, cli.model.card.training_size)


def layouts(job: TrainingJob) -> dict[str, TrainingJob]:
    return {
        "DDP": replace(job, strategy="ddp", checkpointing=False),
        "FSDP2": job,
        "HSDP": replace(job, copies=job.nodes),
        "FSDP2, gather=bfloat16": replace(job, half_gather=True),
        "HSDP, gather=bfloat16": replace(job, copies=job.nodes, half_gather=True),
    }


def row(plan: Plan) -> str:
    cells = [f"TFLOP {sum(plan.flops.values()) / TERA:.1f}"]
    cells += [f"{part} {flops / TERA:.1f}" for part, flops in plan.flops.items() if flops]
    cells += [f"{kind} {size / GIB:.3f}" for kind, size in plan.memory.items() if size]
    cells += [f"MEMORY {plan.total_memory / GIB:.1f}{'' if plan.fits else ' does not fit'}"]
    cells += [f"sent {sum(each.sent for each in plan.collectives) / GIB:.1f}"]
    cells += [f"far {sum(each.sent for each in plan.collectives if each.far) / GIB:.1f}"]
    cells += [f"computation {plan.compute:.3g}", f"communication {plan.wire:.3g}", f"days {plan.days:.3g}"]
    return " | ".join(cells)


def main() -> None:
    h100 = find_device("h100")
    for kind in sys.argv[1:] or ("teacher", "distill"):
        for size in SIZES:
            planner, job = planner_of(f"vosr_{size}/{kind}.yaml")
            for name, layout in layouts(job).items():
                print(f"{kind} {size} {name} | {row(planner.plan(layout, h100))}", flush=True)
            if (kind, size) == ("teacher", "0.5b"):
                for policy in (False, 0.5, "attention", True):
                    large = replace(job, batch_size=64, checkpointing=policy)
                    print(f"{kind} {size} batch 64, {policy} | {row(planner.plan(large, h100))}", flush=True)


if __name__ == "__main__":
    main()
