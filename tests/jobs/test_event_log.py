"""A growing file of events: nothing is missed, nothing comes twice, however it is written."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gmsr.jobs import EventLog, event_log
from napari_gmsr.jobs.event_log import last_event
from napari_gmsr.training.events import Paused, Warning_, to_line


def events(count):
    words = ("short", "Ü" * 40, "x" * 300)
    return [Warning_(time=0.5, step=n, what=words[n % 3]) for n in range(count)]


def content(count):
    return b"".join(to_line(event).encode() + b"\n" for event in events(count))


def read_all(log):
    found = []
    while (part := log.read()) is not None:
        found += part
    return found


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 12),
    cuts=st.lists(st.floats(0, 1), max_size=8),
    first_line=st.integers(0, 14),
    part=st.integers(1, 500),
)
def test_whatever_pieces_it_is_written_in(count, cuts, first_line, part):
    text = content(count)
    ends = sorted(round(cut * len(text)) for cut in cuts)
    before = event_log._PART
    event_log._PART = part
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "events.jsonl"
            log = EventLog(path, first_line=first_line)
            found, begin = read_all(log), 0
            for end in [*ends, len(text)]:
                with path.open("ab") as file:
                    file.write(text[begin:end])
                begin = end
                found += read_all(log)
            assert found == events(count)[first_line:]
            assert log.line == count
            assert last_event(path) == (events(count)[-1] if count else None)
    finally:
        event_log._PART = before


def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(content(2) + b'{"event":"warni\n' + content(1) + b'{"event":')
    log = EventLog(path)
    assert read_all(log) == [*events(2), *events(1)]
    assert log.line == 4
    assert last_event(path) == events(1)[0]


def test_the_last_event_lies_before_much_that_is_none(tmp_path):
    path = tmp_path / "events.jsonl"
    end = Paused(time=1.0, step=1)
    path.write_bytes(to_line(end).encode() + b"\n" + b"\0" * 200_000 + b"\n")
    assert last_event(path) == end
    path.write_bytes(b"\n" * 10)
    assert last_event(path) is None
