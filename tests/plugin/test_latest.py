"""Work of which only the latest matters: none is lost at the end, and nothing fails in silence."""

import threading

import pytest

from napari_gmsr.errors import GMSRError, InputError, OutOfMemoryError
from napari_gmsr.plugin.latest import LatestWorker

SECONDS = 60_000


@pytest.fixture
def worker(qapp):
    worker = LatestWorker("counting")
    worker.results, worker.errors = [], []
    worker.done.connect(worker.results.append)
    worker.failed.connect(worker.errors.append)
    return worker


def test_of_what_is_asked_meanwhile_the_latest_is_done(worker, qtbot):
    go = threading.Event()
    worker.ask(lambda: go.wait(60))
    for number in range(5):
        worker.ask(abs, -number)
    go.set()
    qtbot.waitUntil(lambda: not worker.busy, timeout=SECONDS)
    assert worker.results == [True, 4]


def test_what_waits_can_be_given_up(worker, qtbot):
    go = threading.Event()
    worker.ask(lambda: go.wait(60))
    worker.ask(abs, -1)
    worker.forget()
    go.set()
    qtbot.waitUntil(lambda: not worker.busy, timeout=SECONDS)
    assert worker.results == [True]


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (RuntimeError("CUDA says no"), GMSRError),
        (MemoryError(), OutOfMemoryError),
        (InputError("no cube", fix="Open one."), InputError),
    ],
)
def test_every_error_is_told_and_the_next_call_goes_on(worker, qtbot, raised, becomes):
    def fail():
        raise raised

    worker.ask(fail)
    qtbot.waitUntil(lambda: not worker.busy, timeout=SECONDS)
    (error,) = worker.errors
    assert type(error) is becomes
    assert error.fix
    worker.ask(abs, -1)
    qtbot.waitUntil(lambda: worker.results == [1], timeout=SECONDS)
