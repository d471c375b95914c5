from jsonargparse import Namespace

from vosr.cli.differences import differences


def test_what_a_continued_run_has_otherwise_is_named():
    begun = {
        "model": {
            "class_path": "T",
            "init_args": {"degradation": {"class_path": "R", "init_args": {"scale": 2}}},
        },
        "data": {"class_path": "D", "init_args": {"batch_size": 4, "seed": None}},
        "trainer": {"devices": 1},
    }
    given = {
        "model": {
            "class_path": "T",
            "init_args": {"degradation": {"class_path": "R", "init_args": {"scale": 4}}},
        },
        "data": {"class_path": "D", "init_args": {"batch_size": 4, "crop_size": 128}},
        "trainer": {"devices": 2},
    }
    assert differences(begun, begun) == []
    assert differences(begun, given) == ["data.crop_size None -> 128", "model.degradation.scale 2 -> 4"]
    steps = [{"scale": 2}, {"scale": 3}]
    same = [Namespace(scale=2), Namespace(scale=3)]
    assert differences({"model": {"steps": steps}}, {"model": {"steps": same}}) == []
    assert differences({"model": {"steps": steps}}, {"model": {"steps": same[:1]}}) == [
        "model.steps.1.scale 3 -> None"
    ]
    many = {"data": {"init_args": {f"key{i}": i for i in range(20)}}}
    assert differences({}, many)[-1] == "12 more"
