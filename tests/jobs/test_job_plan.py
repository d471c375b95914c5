"""Which files become which: any tree of folders, any names, any shards."""

import os
import shutil
import string
from pathlib import Path

import pytest
from engines import save_noise
from hypothesis import given
from hypothesis import strategies as st

from vosr.core.shard import JobShard
from vosr.jobs.job import Done, Skipped
from vosr.jobs.names import output_names
from vosr.jobs.plan import JobPlan


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def planned(*sources, output, **options):
    """Outputs relative to the output folder by source name, and the events."""
    plan, events = JobPlan(tuple(sources), output, **options), []
    plan.check()
    jobs = list(plan.jobs(events.append))
    assert plan.count() == len(jobs) + sum(event.count for event in events if isinstance(event, Skipped))
    return {
        str(job.source.relative_to(output.parent)): str(job.target.relative_to(output)) for job in jobs
    }, events


def test_layout_is_mirrored_and_what_is_no_image_is_passed_over(tmp_path):
    touch(
        tmp_path / "in", "b.JPG", "a/x.tif", "a/b/y.png", "notes.txt", ".hidden.png", ".git/z.png", "._a.jpg"
    )
    jobs, events = planned(tmp_path / "in", output=tmp_path / "out")
    assert jobs == {"in/b.JPG": "b.png", "in/a/x.tif": "a/x.png", "in/a/b/y.png": "a/b/y.png"}
    assert list(jobs) == ["in/b.JPG", "in/a/x.tif", "in/a/b/y.png"]
    assert events == []


def test_images_that_are_not_read_are_told_once_over_all_shards(tmp_path):
    touch(tmp_path / "in", "a.png", "b.HEIC", "raw/c.nef", "raw/d.psd", "notes.txt")
    told = []
    for part in range(3):
        plan = JobPlan((tmp_path / "in",), tmp_path / "out", shard=JobShard(part, 3))
        list(plan.jobs(told.append))
    assert sorted(event.source.name for event in told) == ["b.HEIC", "c.nef", "d.psd"]
    with pytest.raises(
        ValueError, match=r"No images in .*raw; .* It holds 1 \.nef, 1 \.psd \(such as c\.nef\)"
    ):
        JobPlan((tmp_path / "in/raw",), tmp_path / "out").check()


def test_colliding_names_are_kept_apart_whichever_comes_first(tmp_path):
    touch(tmp_path / "in", "a.png", "a.jpg", "A.bmp", "a_png.webp", "b.png")
    jobs, _ = planned(tmp_path / "in", output=tmp_path / "out")
    assert jobs == {
        "in/A.bmp": "A_bmp.png",
        "in/a.jpg": "a_jpg.png",
        "in/a.png": "a_png_2.png",
        "in/a_png.webp": "a_png.png",
        "in/b.png": "b.png",
    }
    jobs, _ = planned(tmp_path / "in", output=tmp_path / "out", form="same")
    assert jobs == {f"in/{name}": name for name in ("A.bmp", "a.jpg", "a.png", "a_png.webp", "b.png")}


@given(
    st.lists(
        st.tuples(st.text("aAbB_2", min_size=1, max_size=4), st.sampled_from(["png", "jpg", "JPG"])),
        unique=True,
    )
)
def test_any_names_give_distinct_outputs(names):
    made = output_names([Path(f"{stem}.{suffix}") for stem, suffix in names], "png")
    assert len({name.casefold() for name in made}) == len(names)


def test_lists_and_several_folders(tmp_path):
    touch(tmp_path, "x/p/1.png", "y/p/1.png", "z/1.png", "u/1.png")
    jobs, _ = planned(
        tmp_path / "x/p",
        tmp_path / "y/p",
        tmp_path / "z/1.png",
        tmp_path / "u/1.png",
        output=tmp_path / "out",
    )
    assert jobs == {
        "z/1.png": "1_png.png",
        "u/1.png": "1_png_2.png",
        "x/p/1.png": "p/1.png",
        "y/p/1.png": "p_2/1.png",
    }


def test_what_exists_is_skipped_and_counted(tmp_path):
    touch(tmp_path / "in", "a.png", "b.png", "s/c.png")
    touch(tmp_path / "out", "a.png", "s/c.png")
    jobs, events = planned(tmp_path / "in", output=tmp_path / "out")
    assert jobs == {"in/b.png": "b.png"}
    assert sum(event.count for event in events) == 2
    assert len(planned(tmp_path / "in", output=tmp_path / "out", skip_existing=False)[0]) == 3
    jobs, _ = planned(tmp_path / "in", output=tmp_path / "out", compare=True)
    assert len(jobs) == 3  # their comparisons are missing
    single, _ = planned(tmp_path / "in/a.png", output=tmp_path / "out")
    assert single == {"in/a.png": "a.png"}


def test_an_output_within_the_input_is_not_an_input(tmp_path):
    touch(tmp_path / "in", "a.png")
    touch(tmp_path / "in/out", "a.png", "old.png")
    plan = JobPlan((tmp_path / "in",), tmp_path / "in/out", skip_existing=False)
    assert [job.source.name for job in plan.jobs(print)] == ["a.png"]


def test_links_to_folders_are_followed_once(tmp_path):
    touch(tmp_path / "in", "a.png")
    touch(tmp_path / "elsewhere", "b.png")
    (tmp_path / "in/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    jobs, _ = planned(tmp_path / "in", output=tmp_path / "out")
    assert jobs == {"in/a.png": "a.png", "in/more/b.png": "more/b.png"}


@pytest.mark.parametrize("count", [1, 2, 7])
def test_shards_share_everything_and_overlap_in_nothing(tmp_path, count):
    names = [f"{first}/{second}.png" for first in string.ascii_lowercase[:5] for second in range(80)]
    touch(tmp_path / "in", *names)
    whole = planned(tmp_path / "in", output=tmp_path / "out")[0]
    parts = [
        planned(tmp_path / "in", output=tmp_path / "out", shard=JobShard(i, count))[0] for i in range(count)
    ]
    assert sorted(name for part in parts for name in part) == sorted(whole)
    assert min(map(len, parts)) > 0.5 * len(names) / count
    halves = [
        planned(tmp_path / "in", output=tmp_path / "out", shard=JobShard(0, count).part(i, 2))[0]
        for i in range(2)
    ]
    assert sorted([*halves[0], *halves[1]]) == sorted(parts[0])


def test_a_shard_does_not_depend_on_what_else_there_is(tmp_path):
    touch(tmp_path / "in", *(f"{i}.png" for i in range(0, 40, 2)))
    before = planned(tmp_path / "in", output=tmp_path / "out", shard=JobShard(1, 3))[0]
    touch(tmp_path / "in", *(f"{i}.png" for i in range(40)))
    assert (
        before.items() <= planned(tmp_path / "in", output=tmp_path / "out", shard=JobShard(1, 3))[0].items()
    )


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "-1/2", ""])
def test_wrong_shards(text):
    with pytest.raises(ValueError, match="i/n"):
        JobShard.parse(text)


def test_shard_text():
    assert JobShard.parse("3/8") == JobShard(2, 8)


def test_refusals(tmp_path):
    save_noise(tmp_path / "in/a.png")
    save_noise(tmp_path / "in/b.png")
    (tmp_path / "empty").mkdir()
    one, folder = tmp_path / "in/a.png", tmp_path / "in"
    for sources, output, message in [
        ([tmp_path / "no"], "out", "No file or folder"),
        ([tmp_path / "empty"], "out", "No images in"),
        ([folder], "out.png", "is one file, but there can be several"),
        ([folder], "in", "holds the images themselves"),
        ([one, folder / "b.png"], "in", "holds the images themselves"),
        ([one], "in", "would overwrite itself"),
        ([one], "in/a.png", "would overwrite itself"),
        ([folder], "in/a.png/out", "is a file; give a folder"),
        ([one], "in/b.png/x.png", "is a file; give a folder"),
    ]:
        with pytest.raises(ValueError, match=message):
            JobPlan(tuple(sources), tmp_path / output).check()
    with pytest.raises(ValueError, match="format must be"):
        JobPlan((one,), tmp_path / "out", form="gif").check()


def test_a_folder_that_cannot_be_listed_is_told(tmp_path, monkeypatch):
    touch(tmp_path / "in", "a.png", "closed/b.png", "open/c.png")
    scandir = os.scandir

    def refusing(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    events = []
    jobs = list(JobPlan((tmp_path / "in",), tmp_path / "out").jobs(events.append))
    assert [job.source.name for job in jobs] == ["a.png", "c.png"]
    assert [isinstance(event, Done) and event.error for event in events] == [
        f"Cannot list {tmp_path / 'in/closed'}: Permission denied."
    ]


def test_leftovers_of_killed_runs_are_removed_and_fresh_ones_are_not(tmp_path):
    touch(tmp_path / "in", "a.png", "b.png")
    touch(tmp_path / "out", ".a.png.x1.tmp", ".b.png.x2.tmp", ".other", "b.png")
    os.utime(tmp_path / "out/.a.png.x1.tmp", (0, 0))
    jobs, _ = planned(tmp_path / "in", output=tmp_path / "out")
    assert jobs == {"in/a.png": "a.png"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".b.png.x2.tmp", ".other", "b.png"]


@pytest.mark.parametrize(
    ("sources", "output"),
    [(["a", "b"], "."), (["a", "b"], "./b/.."), (["a", "b"], "link"), (["x/a", "b"], "x")],
)
def test_results_never_stand_among_the_sources(tmp_path, monkeypatch, sources, output):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "a/1.png", "a/sub/1.png", "b/1.png", "x/a/1.png")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="among the images themselves"):
        JobPlan(tuple(map(Path, sources)), Path(output), skip_existing=False).check()


def test_an_output_inside_a_source_is_fine(tmp_path):
    touch(tmp_path, "a/1.png", "b/1.png")
    plan, events = JobPlan((tmp_path / "a", tmp_path / "b"), tmp_path / "a/out"), []
    plan.check()
    assert [job.source.parent.name for job in plan.jobs(events.append)] == ["a", "b"]
    assert events == []


def test_a_single_result_takes_no_photograph_beside_it(tmp_path):
    touch(tmp_path, "a.jpg", "a.png", "b.jpg")
    os.link(tmp_path / "b.jpg", tmp_path / "c.jpg")
    with pytest.raises(ValueError, match="may be a photograph"):
        JobPlan((tmp_path / "a.jpg",), tmp_path).check()
    JobPlan((tmp_path / "a.jpg",), tmp_path / "a.png").check()  # named by the user
    with pytest.raises(ValueError, match="would overwrite itself"):
        JobPlan((tmp_path / "b.jpg",), tmp_path / "c.jpg").check()


def test_links_in_the_output_lead_to_no_source(tmp_path):
    touch(tmp_path / "in", "sub/a.png", "b.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/sub").symlink_to(tmp_path / "in/sub")
    os.link(tmp_path / "in/b.png", tmp_path / "out/b.png")
    jobs, events = planned_all(tmp_path)
    assert jobs == []
    assert "would be overwritten by its result" in events[0].error
    assert "leads into" in events[1].error


def planned_all(tmp_path):
    events = []
    plan = JobPlan((tmp_path / "in",), tmp_path / "out", skip_existing=False)
    plan.check()
    return list(plan.jobs(events.append)), events


def test_links_to_the_output_are_not_entered(tmp_path):
    touch(tmp_path, "in/a.png", "out/deep/a.png")
    (tmp_path / "in/link").symlink_to(tmp_path / "out/deep")
    jobs, events = planned_all(tmp_path)
    assert ([job.source.name for job in jobs], events) == (["a.png"], [])


def test_results_of_an_earlier_run_are_no_sources(tmp_path, caplog):
    touch(tmp_path, "in/a.png", "in/restored/a.png", "in/restored/manifest.jsonl")
    jobs, _ = planned_all(tmp_path)
    assert [job.source.parent.name for job in jobs] == ["in"]
    assert "holds results of restore" in caplog.text


def test_a_folder_that_vanishes_and_a_link_to_itself_end_nothing(tmp_path):
    touch(tmp_path, "in/a/1.png", "in/b/2.png", "in/c/3.png")
    (tmp_path / "in/a/loop.png").symlink_to("loop.png")
    events, found = [], []
    for job in JobPlan((tmp_path / "in",), tmp_path / "out").jobs(events.append):
        found.append(job.source.name)
        if found == ["1.png"]:
            shutil.rmtree(tmp_path / "in/b")
    assert found == ["1.png", "3.png"]
    assert len(events) == 2
    assert all(event.error.startswith("Cannot list") for event in events)
