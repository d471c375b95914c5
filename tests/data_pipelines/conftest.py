"""Fixtures of the data tests."""

import pytest

from data_pipelines.stream import Plan, TrainLoader


@pytest.fixture
def loader_of():
    """Builds loaders in this process and ends their workers afterwards."""
    made = []

    def build(plan: Plan, batches: int = 10, num_workers: int = 0, **kwargs) -> TrainLoader:
        made.append(TrainLoader(plan, batches, num_workers, **kwargs))
        return made[-1]

    yield build
    for loader in made:
        loader.close()
