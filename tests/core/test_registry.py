import pytest

from vosr.core.registry import REGISTRIES, Component, Registry, UnknownNameError, describe, rebuild, summary
from vosr.guidance import GUIDANCE, Guidance, RestorationGuidance


class Shape(Component):
    def __init__(self, size: int = 1) -> None:
        self.size = size


class Square(Shape):
    """A square."""

    def __init__(self, size: int = 2, colour: str = "red") -> None:
        super().__init__(size)
        self.colour = colour


def test_init_args_are_the_outermost_constructor_with_defaults():
    assert Square(5).init_args == {"size": 5, "colour": "red"}
    assert Square(colour="blue").init_args == {"size": 2, "colour": "blue"}
    assert Shape().init_args == {"size": 1}


def test_duplicates_wrong_bases_and_bad_names_leave_no_trace():
    registry = Registry("shape", Shape)
    registry.add("square", Square)
    for name, cls in (("square", Shape), ("dict", dict), ("a.b", Square)):
        with pytest.raises(ValueError, match=name):
            registry.add(name, cls)
    assert registry.names() == ["square"]
    assert registry.get("square") is Square


def test_unknown_names_tell_the_nearest_and_all():
    with pytest.raises(
        UnknownNameError, match=r"Did you mean 'restoration'\?.*classifier_free, none, restoration"
    ):
        GUIDANCE.get("restorations")
    with pytest.raises(UnknownNameError, match="No guidance at"):
        GUIDANCE.get("no.such.Thing")
    with pytest.raises(UnknownNameError, match="not a guidance"):
        GUIDANCE.get("torch.nn.Linear")


def test_name_and_dotted_path_are_the_same_class():
    for registry in REGISTRIES.values():
        for name, cls in registry:
            assert registry.get(f"{cls.__module__}.{cls.__qualname__}") is cls
            assert registry.name_of(cls) == name


def test_every_entry_has_a_one_line_description():
    for registry in REGISTRIES.values():
        for name, cls in registry:
            assert 10 < len(summary(cls)) < 130, (registry.kind, name)


def test_records_rebuild_equal_components():
    record = describe(RestorationGuidance(scale=0.25, interval=(0.1, 0.9)))
    assert record["name"] == "restoration"
    again = rebuild("guidance", record)
    assert isinstance(again, Guidance)
    assert describe(again) == record
    assert again.scale == 0.25


def test_plugins_come_by_entry_point(monkeypatch):
    class Point:
        name = "square"

        @staticmethod
        def load():
            return Square

    monkeypatch.setattr(
        "vosr.core.registry.registry.entry_points", lambda group: [Point] if group == "vosr.shape" else []
    )
    assert Registry("shape", Shape).get("square") is Square


def test_registries_are_found_under_their_kinds():
    assert all(registry.kind == kind for kind, registry in REGISTRIES.items())
    assert len(REGISTRIES) == len(list(REGISTRIES))
