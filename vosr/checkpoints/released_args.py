"""``args.json`` of the released checkpoints: every key is understood, known to concern training alone, or refused."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from vosr.core.files.regular import read_regular
from vosr.core.files.shown import reason
from vosr.guidance import RestorationGuidance

FILE = "args.json"
AE_TYPES = ("sd2", "qwen")
ENC_TYPES = {"dinov2b": (768, 12), "dinov2l": (1024, 24), "dinov2g": (1536, 40)}
"""Width and depth of the vision encoders."""

_FIXED = {
    "use_qknorm": True,
    "use_swiglu": True,
    "use_rope": True,
    "use_rmsnorm": True,
    "wo_shift": False,
    "use_pos": False,
    "interp_type": "lin",
}
"""Keys with one value that this backbone stands for."""

_UNUSED = {
    *("auxiliary_time_cond", "num_fused_layers", "pretrained_ckpt", "resume_ckpt", "teacher_ckpt", "suffix"),
    *("exp_name", "seed", "learning_rate", "mixed_precision", "use_ema", "ema_decay", "use_8bit_adam"),
    *(
        "tracker_project_name",
        "report_to",
        "time_dist",
        "a",
        "b",
        "u_weight",
        "shuffle_buffer",
        "max_grad_norm",
    ),
    *("gradient_accumulation_steps", "dataloader_num_workers", "checkpointing_steps", "infercence_steps"),
    *("max_train_steps", "config", "local_rank", "gradient_checkpointing", "allow_tf32", "use_checkpoint"),
}
_UNUSED_PATTERN = re.compile(
    r"(train|test|val|adam|lr|optimizer|dataset|data|log|logging|checkpoint|wandb|loss|lambda|gan|disc)_.*"
    r"|.*_(path|dir|config|weight|workers|steps_per_.*)"
)
"""Where files lay, how training went: nothing of the model. Weights tell whether it takes an end time."""


@dataclass(frozen=True)
class ReleasedArgs:
    """What args.json says of the model, by the names of docs/method.md#released-checkpoints.

    ``layer``, ``partial_range`` and ``fidelity_logit`` are layer_dinov2b_list, weak_cond_strength_aelq_list and the
    mean of cond_strength_aelq_list.
    """

    ae_type: Literal["sd2", "qwen"]
    resolution: int
    patch_size: int
    dim: int
    depth: int
    num_heads: int
    enc_type: str
    enc_dim: int
    layer: int
    mlp_ratio: float = 4.0
    dinov2_size: int = 448
    encdim_ratio: int = 3
    cfg_scale: float = 0.5
    cfg_ratio: float = 0.1
    partial_strength: float = 0.1
    partial_range: tuple[float, float] = (0.05, 0.25)
    fidelity_logit: float = 5.0
    t_start: float = 0.0
    t_end: float = 1.0
    distill_type: str | None = None
    infer_steps: int | None = None

    def guidance(self) -> RestorationGuidance:
        """The paper's guidance with the recorded settings."""
        return RestorationGuidance(
            self.cfg_scale,
            self.partial_strength,
            self.partial_range,
            self.cfg_ratio,
            self.fidelity_logit,
            (self.t_start, self.t_end),
        )

    def record(self) -> dict[str, Any]:
        """The content of args.json."""
        return {
            **{key: getattr(self, key) for key in _PLAIN if getattr(self, key) is not None},
            "layer_dinov2b_list": [self.layer],
            "weak_cond_strength_aelq": self.partial_strength,
            "weak_cond_strength_aelq_list": list(self.partial_range),
            "cond_strength_aelq_list": [self.fidelity_logit, 1],
            **_FIXED,
        }


_PLAIN = (
    *("ae_type", "resolution", "patch_size", "dim", "depth", "num_heads", "mlp_ratio", "enc_type", "enc_dim"),
    *(
        "dinov2_size",
        "encdim_ratio",
        "cfg_scale",
        "cfg_ratio",
        "t_start",
        "t_end",
        "distill_type",
        "infer_steps",
    ),
)
_LISTS = (
    "layer_dinov2b_list",
    "weak_cond_strength_aelq",
    "weak_cond_strength_aelq_list",
    "cond_strength_aelq_list",
)
_REQUIRED = (
    "ae_type",
    "resolution",
    "patch_size",
    "dim",
    "depth",
    "num_heads",
    "enc_type",
    "layer_dinov2b_list",
)


def read_args(path: Path) -> ReleasedArgs:
    """Parse args.json.

    Raises:
        ValueError: a key that is missing, unknown, or has a value that this version does not have; named.
    """
    try:
        given: dict[str, Any] = json.loads(read_regular(path, 2**22))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {reason(error)}.") from error
    if problem := _problem(given):
        raise ValueError(f"{path}: {problem}")
    values = {key: given[key] for key in _PLAIN if given.get(key) is not None}
    values.setdefault("enc_dim", ENC_TYPES[given["enc_type"]][0])
    strength, _ = given.get("cond_strength_aelq_list") or (5.0, 1)
    low, high = given.get("weak_cond_strength_aelq_list") or (0.05, 0.25)
    partial = given.get("weak_cond_strength_aelq")
    return ReleasedArgs(
        layer=given["layer_dinov2b_list"][0],
        partial_strength=0.1 if partial is None else cast(float, partial),
        partial_range=(low, high),
        fidelity_logit=float(strength),
        **values,
    )


def _problem(given: Any) -> str | None:
    """The first thing about the file that cannot be had here, as a sentence."""
    if not isinstance(given, dict):
        return "expected one object with the model's keys."
    if missing := [key for key in _REQUIRED if given.get(key) is None]:
        return f"{', '.join(missing)} missing."
    known = {*_PLAIN, *_LISTS, *_FIXED, *_UNUSED}
    if unknown := [key for key in given if key not in known and not _UNUSED_PATTERN.fullmatch(key)]:
        return (
            f"unknown keys {', '.join(unknown)}; if they concern training alone, take them out of the file."
        )
    for key, choices in {
        **{key: (only,) for key, only in _FIXED.items()},
        "ae_type": AE_TYPES,
        "enc_type": tuple(ENC_TYPES),
    }.items():
        if given.get(key, choices[0]) not in choices:
            return f"{key} must be {' or '.join(map(str, choices))}, not {given[key]}."
    layers = given["layer_dinov2b_list"]
    if not isinstance(layers, list) or len(layers) != 1:
        return f"layer_dinov2b_list must name one layer, not {layers}; fused layers are not supported."
    if (given.get("cond_strength_aelq_list") or (5, 1))[1] != 1:
        return "the second number of cond_strength_aelq_list must be 1."
    return None
