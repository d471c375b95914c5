import pytest


@pytest.fixture(scope="session")
def trained_teacher(tmp_path_factory):
    from layouts import teacher
    from models import save_trained

    return save_trained(teacher(), tmp_path_factory.mktemp("teacher"))
