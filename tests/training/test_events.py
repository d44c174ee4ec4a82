"""Events as lines: each comes back, and what is no event is told."""

import json
import math
from dataclasses import asdict, fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gmsr.errors import InputError
from napari_gmsr.training import events as ev

numbers = st.floats(allow_nan=True, allow_infinity=False)
counts = st.integers(0, 2**53)
metrics = st.dictionaries(st.text(max_size=5), st.dictionaries(st.text(max_size=5), numbers))
spectra = st.lists(numbers, max_size=4).map(tuple)
probes = st.builds(ev.Probe, y=counts, x=counts, prediction=spectra, truth=spectra)
BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "float": numbers,
    "int": counts,
    "str": st.text(max_size=20),
    "bool": st.booleans(),
    "Metrics": metrics,
    "Mapping[str, Metrics]": st.dictionaries(st.text(max_size=5), metrics, max_size=2),
    "tuple[str, ...]": st.lists(st.text(max_size=9), max_size=3).map(tuple),
    "tuple[float, ...]": spectra,
    "tuple[Probe, ...]": st.lists(probes, max_size=2).map(tuple),
}
any_event = st.one_of(
    *(
        st.builds(cls, **{field.name: BY_TYPE[str(field.type)] for field in fields(cls)})
        for cls in ev.Event.__args__
    )
)


def plain(value: Any) -> Any:
    """Return a value that compares, with NaN as a word."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    return value


@settings(max_examples=40, deadline=None)
@given(any_event)
def test_every_event_comes_back(event: ev.Event) -> None:
    line = ev.to_line(event)
    assert "\n" not in line
    json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    back = ev.from_line(line)
    assert type(back) is type(event)
    assert plain(asdict(back)) == plain(asdict(event))


def test_infinity_becomes_what_is_not_known() -> None:
    event = ev.Finished(time=1.0, step=1, reason="done", seconds=1.0, best=math.inf, best_step=0)
    back = ev.from_line(ev.to_line(event))
    assert isinstance(back, ev.Finished)
    assert math.isnan(back.best)


@settings(max_examples=40, deadline=None)
@given(any_event, st.data())
def test_a_line_that_was_cut_off_is_none(event: ev.Event, data: st.DataObject) -> None:
    line = ev.to_line(event)
    cut = line[: data.draw(st.integers(0, len(line) - 1))]
    with pytest.raises(InputError, match="no event"):
        ev.from_line(cut)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "3",
        "[]",
        '"step"',
        "{}",
        '{"event": "party", "time": 1, "step": 2}',
        '{"event": "paused"}',
        '{"event": []}',
        '{"event": "preview", "probes": 3}',
    ],
)
def test_other_lines_are_none(line: str) -> None:
    with pytest.raises(InputError, match="no event"):
        ev.from_line(line)


def test_fields_of_a_later_version_are_dropped() -> None:
    line = '{"event": "paused", "time": 1.5, "step": 2, "mood": "good"}'
    assert ev.from_line(line) == ev.Paused(time=1.5, step=2)
