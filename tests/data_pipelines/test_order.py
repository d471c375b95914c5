"""Every shard exactly once per pass, for any number of readers, before and after a change of layout."""

from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines.stream.order import Order, Seen


@given(st.integers(1, 7), st.integers(1, 3), st.integers(1, 9), st.integers(0, 5))
def test_readers_share_the_passes_out_exactly(shards, parts, readers, seed):
    order = Order(shards, parts, (seed,))
    per_reader = 3 * shards * parts  # so that all readers together cover 3 * readers passes
    ordinals = sorted(order.ordinal(g, readers, item) for g in range(readers) for item in range(per_reader))
    assert ordinals == list(range(readers * per_reader))
    every = {(shard, part) for shard in range(shards) for part in range(parts)}
    for lap in range(3):
        places = [order.place(lap * len(every) + i) for i in range(len(every))]
        assert len(places) == len(every)
        assert set(places) == every


@given(st.sets(st.integers(0, 30)), st.integers(0, 10), st.integers(1, 5))
def test_what_is_done_is_left_out_and_nothing_else(done, base, readers):
    order = Order(50, 1, (0,), base, tuple(sorted(ordinal for ordinal in done if ordinal >= base)))
    given_out = sorted(order.ordinal(g, readers, item) for g in range(readers) for item in range(40))
    expected = [ordinal for ordinal in range(base, 1000) if ordinal not in done][: len(given_out)]
    assert given_out == expected


def test_passes_differ_and_repeat_with_the_seed():
    first = [Order(20, 1, (3,)).place(i) for i in range(40)]
    assert first == [Order(20, 1, (3,)).place(i) for i in range(40)]
    assert first[:20] != first[20:]
    assert first != [Order(20, 1, (4,)).place(i) for i in range(40)]


@settings(max_examples=20)
@given(st.integers(0, 20), st.sets(st.integers(0, 20)))
def test_seen_is_a_prefix_and_some_more(before, also):
    seen = Seen(before, frozenset(also))
    assert {n for n in range(30) if n in seen} == {n for n in range(30) if n < before} | also
