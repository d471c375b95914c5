"""What the user says of folders is heeded or refused, never ignored."""

import pytest

from vosr.cli.training import _check_folder


@pytest.mark.parametrize("given", ["elsewhere", "/data/results", "runs/run/latest"])
@pytest.mark.parametrize("option", ["trainer.default_root_dir", "checkpoint.dirpath"])
def test_folders_that_run_folders_replace_are_refused(option, given):
    with pytest.raises(ValueError, match=rf"^{option} has no effect: .* Give --runs {given} instead\.$"):
        _check_folder(option, given)


@pytest.mark.parametrize("given", [None, "runs/run/001", "/data/runs/run/012/checkpoints"])
def test_what_earlier_runs_recorded_still_opens(given):
    _check_folder("checkpoint.dirpath", given)
