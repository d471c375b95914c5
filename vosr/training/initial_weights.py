"""Weights that finetuning starts from, checked before anything is built or written."""

import logging
from pathlib import Path

from vosr.backbones import Backbone
from vosr.checkpoints import load_model
from vosr.core.weights import State, check_fit

log = logging.getLogger(__name__)

RECIPE = ("latent_grid",)
"""Arguments that a later stage of training is meant to change."""


def initial_weights(source: str | Path, backbone: Backbone, trust_remote_code: bool = False) -> State:
    """State dict of the model at ``source``, in the type that it is stored in.

    Arguments that change what the weights mean but not their shapes, such as ``prediction``, are logged where
    they differ.

    Args:
        source: model folder, run folder, released folder or shipped name.
        backbone: what is to be trained; may be on the meta device.
        trust_remote_code: see :func:`vosr.checkpoints.load_model`.

    Raises:
        FileNotFoundError: no model there.
        ValueError: it is no model, or one of other sizes.
    """
    given = load_model(source, dtype=None, trust_remote_code=trust_remote_code).backbone
    state: State = given.state_dict()
    check_fit(backbone, state, source)
    theirs = given.init_args
    for name, value in backbone.init_args.items():
        if isinstance(value, tuple):
            value = list(value)  # as JSON has it
        if name in theirs and theirs[name] != value and name not in RECIPE:
            log.warning("%s was trained with %s=%s; this run has %s.", source, name, theirs[name], value)
    return state
