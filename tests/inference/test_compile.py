import numpy as np
import pytest
import torch
from images import textured
from models import tiny_model

from vosr import Restorer
from vosr.inference.compile import compile_forward


def test_compiled_and_eager_agree():
    image = textured(45, 37)
    expected = Restorer(tiny_model())(image, seed=1)
    model = tiny_model()
    compile_forward(model.backbone, backend="aot_eager")
    assert np.abs(Restorer(model)(image, seed=1).astype(int) - expected).max() <= 1


def test_a_compiler_that_fails_is_left_out_with_a_message(caplog):
    def broken(graph, inputs):
        raise RuntimeError("no compiler on this machine")

    model = tiny_model()
    expected = Restorer(tiny_model())(textured(20, 20), seed=1)
    compile_forward(model.backbone, backend=broken)
    assert np.array_equal(Restorer(model)(textured(20, 20), seed=1), expected)
    assert caplog.text.count("running without it") == 1
    assert np.array_equal(Restorer(model)(textured(20, 20), seed=1), expected)


def test_an_error_of_the_model_itself_still_shows():
    layer = torch.nn.Linear(3, 2)
    compile_forward(layer, backend="eager")
    with pytest.raises(RuntimeError, match="shape"):
        layer(torch.zeros(1, 5))


def test_compiled_images_come_in_few_shapes():
    shapes = set()
    restorer = Restorer(tiny_model(), compile=False)
    restorer.engine.compiled = True
    restorer.model.backbone.register_forward_pre_hook(lambda module, args: shapes.add(args[0].shape[-2:]))
    for side in (33, 40, 51, 64):
        restorer(textured(side, side), scale=1, tile=0)
    assert shapes == {(32, 32)}
