"""Fixtures of the data tests."""

import os

import pytest

from data_pipelines.loader import TrainLoader
from data_pipelines.training_data import DataPlan


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Indexes of archives are not kept in the user's own cache."""
    if "VOSR_CACHE" not in os.environ:
        monkeypatch.setenv("VOSR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def loader_of():
    """Builds loaders in this process and ends their workers afterwards."""
    made = []

    def build(plan: DataPlan, batches: int = 10, num_workers: int = 0, **kwargs) -> TrainLoader:
        made.append(TrainLoader(plan, batches, num_workers, **kwargs))
        return made[-1]

    yield build
    for loader in made:
        loader.close()
