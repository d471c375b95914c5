"""Models of timm by name: their records and weights, for whatever uses one (encoders, feature losses)."""

from typing import Any

from torch import nn

from vosr.core.weights import State, Weights, read_tensors


def timm_config(model: str) -> dict[str, Any]:
    """The record that timm keeps of a model: sizes, normalisation and where its weights are."""
    import timm  # here, for a quick start of everything else

    name, _, tag = model.partition(".")
    known = timm.list_models()
    if name not in known or (tag and model not in timm.list_pretrained(f"{name}.*")):
        near = timm.list_models(f"*{name.split('_')[0]}*")[:5] or known[:5]
        tags = [each.partition(".")[2] for each in timm.list_pretrained(f"{name}.*")] if name in known else []
        hint = f"Tags of {name}: {', '.join(tags)}." if tags else f"It lists, for example, {', '.join(near)}."
        raise ValueError(f"timm.list_models() does not list {model!r}. {hint}")
    found = timm.get_pretrained_cfg(model)
    return dict(found.to_dict()) if found is not None else dict(timm.models.PretrainedCfg().to_dict())


def read_timm_weights(model: str, config: dict[str, Any], place: str | None) -> State:
    """Weights in timm's names, without the classifier."""
    repo = config.get("hf_hub_id") or f"timm/{model}"
    repo = repo if repo.count("/") == 1 else f"timm/{model}"
    tag = repo.rpartition("/")[2]
    path = Weights(
        title=f"timm's {model}",
        repo=repo,
        file="model.safetensors",
        shared=(f"{tag}/model.safetensors", f"{tag}/pytorch_model.bin"),
        own=("model.safetensors", "pytorch_model.bin"),
    ).locate(place)
    state = read_tensors(path)
    state = state.get("state_dict", state)
    heads = config.get("classifier") or ()
    heads = tuple(f"{head}." for head in ([heads] if isinstance(heads, str) else heads))
    return {name: value for name, value in state.items() if not name.startswith(heads or ("\0",))}


def create_timm(model: str, options: dict[str, Any], state: State | None) -> nn.Module:
    """The model without its classifier; ``state`` has to fit exactly, after timm's own conversions."""
    import timm

    # Zero classes in the record too: else timm takes missing and unexpected names without an error.
    overlay = {"num_classes": 0, "state_dict": state} if state is not None else None
    try:
        return timm.create_model(
            model, pretrained=state is not None, num_classes=0, pretrained_cfg_overlay=overlay, **options
        )
    except (RuntimeError, TypeError, AssertionError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"timm cannot build {model} with these weights or this size: {reason}") from error
