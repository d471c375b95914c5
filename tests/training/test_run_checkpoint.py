from types import SimpleNamespace

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint

from vosr.training.callbacks import RunCheckpoint


@pytest.mark.parametrize(("ranks", "saved"), [(1, True), (2, False)])
@pytest.mark.parametrize("exception", [KeyboardInterrupt(), ValueError("bad data")])
def test_only_a_single_rank_saves_at_an_exception(monkeypatch, tmp_path, caplog, ranks, saved, exception):
    """A rank that fails alone would wait for the others for ever."""
    calls = []
    monkeypatch.setattr(ModelCheckpoint, "on_exception", lambda *arguments: calls.append(arguments[-1]))
    trainer = SimpleNamespace(world_size=ranks, is_global_zero=True, training=True, global_step=7)
    RunCheckpoint(tmp_path).on_exception(trainer, None, exception)
    assert calls == ([exception] if saved else [])
    assert ("--ckpt_path last" in caplog.text) == isinstance(exception, KeyboardInterrupt)
