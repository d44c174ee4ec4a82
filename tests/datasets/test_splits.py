"""Splits: complete, reproducible, and with something in each part."""

from hypothesis import given
from hypothesis import strategies as st

from napari_gmsr.datasets.splits import by_hash, with_test

NAMES = st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=60)


@given(NAMES, st.randoms())
def test_a_split_by_hash_does_not_depend_on_the_order(names, random):
    shuffled = sorted(names)
    random.shuffle(shuffled)
    assert by_hash(shuffled, "recommended") == by_hash(names, "recommended")
    assert by_hash(names, "recommended").keys() == names


@given(NAMES)
def test_every_part_has_a_scene_where_there_are_enough(names):
    parts = list(by_hash(names, "recommended").values())
    assert "train" in parts
    assert ("validation" in parts) == (len(names) > 1)
    assert ("test" in parts) == (len(names) > 2)
    assert parts.count("test") <= max(1, round(0.1 * len(names)))


@given(NAMES, NAMES)
def test_test_scenes_are_those_that_are_listed(names, test):
    for rule in ("recommended", "paper"):
        split = with_test(names, test, rule)
        assert {name for name in names if split[name] == "test"} == names & test
    assert "validation" not in with_test(names, test, "paper").values()
