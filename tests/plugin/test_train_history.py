import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_gmsr.plugin.train_history import RunHistory, Series, smoothed
from napari_gmsr.training.events import (
    Epoch,
    Failed,
    Finished,
    Paused,
    Preview,
    Probe,
    Resumed,
    Started,
    Step,
    Validation,
)


def step(number, loss=0.5, done=0.5, seconds=10.0):
    return Step(
        time=0,
        step=number,
        done=done,
        loss=loss,
        learning_rate=1e-3,
        patches_per_s=3.0,
        seconds=seconds,
        loader_share=0.0,
    )


def validation(number, psnr, best=True):
    mean = {"paper": {"psnr_db": psnr}, "standard": {"sam_deg": 100 - psnr}}
    return Validation(
        time=0, step=number, metrics={}, mean=mean, select="", value=1, best=best, seconds=1
    )


def preview(number):
    probe = Probe(0, 0, (float(number),), (0.0,))
    return Preview(
        time=0,
        step=number,
        scene="s",
        wavelengths_nm=(400.0,),
        band_nm=400.0,
        file="a",
        truth_file="b",
        probes=(probe,),
    )


def told(*events):
    history = RunHistory()
    for event in events:
        history.add(event)
    return history


STARTED = Started(
    time=0,
    step=0,
    name="",
    dataset="",
    network="",
    device="",
    device_reason="",
    engine="",
    engine_reason="",
    world=1,
    parameters=1,
    patches_per_epoch=0,
    total_steps=0,
)
FINISHED = Finished(time=0, step=9, reason="done", seconds=1, best=1, best_step=1)
STOPPED = Finished(time=0, step=9, reason="stopped", seconds=1, best=1, best_step=1)
FAILED = Failed(time=0, step=9, error="", what="it broke")


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "starting"),
        ([STARTED], "running"),
        ([STARTED, Paused(time=0, step=1)], "paused"),
        ([STARTED, Paused(time=0, step=1), Resumed(time=0, step=1)], "running"),
        ([STARTED, FINISHED], "done"),
        ([STARTED, STOPPED], "stopped"),
        ([STARTED, FAILED], "failed"),
        ([STARTED, FAILED, STARTED, Resumed(time=0, step=5)], "running"),
    ],
)
def test_the_state_follows_the_events(events, state):
    history = told(*events)
    assert history.state == state
    assert history.ended == (state in ("done", "stopped", "failed"))
    assert (history.failed is None) == (state != "failed")


def test_steps_and_validations_become_curves():
    history = told(STARTED, step(1, 0.4), step(2, math.nan), step(3, 0.2), validation(3, 30.0))
    np.testing.assert_array_equal(history.loss.arrays(), [[1, 3], [0.4, 0.2]])
    np.testing.assert_array_equal(history.psnr.arrays(), [[3], [30]])
    np.testing.assert_array_equal(history.sam.arrays(), [[3], [70]])


def test_the_best_is_the_last_that_was_better():
    history = told(validation(1, 30), validation(2, 40), validation(3, 20, best=False))
    assert history.best.step == 2


def test_the_time_left_follows_from_what_is_done():
    assert told(STARTED).seconds_left is None
    assert told(STARTED, step(5, done=0.25, seconds=10)).seconds_left == pytest.approx(30)
    assert told(STARTED, step(5), FINISHED).seconds_left is None


def test_a_run_that_goes_on_from_a_checkpoint_forgets_what_came_after_it():
    events = [STARTED, *map(step, range(1, 10)), validation(4, 30), validation(8, 40)]
    history = told(*events, preview(4), preview(8), Resumed(time=0, step=5))
    assert history.loss.arrays()[0].tolist() == [1, 2, 3, 4, 5]
    assert history.psnr.arrays()[0].tolist() == [4]
    assert [one.step for one in history.previews] == [4]
    assert history.best is None
    history.add(step(6))
    assert history.loss.arrays()[0].tolist() == [1, 2, 3, 4, 5, 6]


def test_epochs_are_counted_where_there_are_any():
    assert told(STARTED, step(1)).epoch is None
    assert told(STARTED, Epoch(time=0, step=9, epoch=2, loss=1)).epoch == 2


@given(st.integers(1, 400))
def test_few_previews_are_kept_from_the_first_to_the_newest(count):
    history = told(*map(preview, range(1, count + 1)))
    steps = [one.step for one in history.previews]
    assert len(steps) == min(count, len(steps)) <= 9
    assert (steps[0], steps[-1]) == (1, count)
    assert steps == sorted(set(steps))


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=200))
def test_a_long_curve_keeps_its_shape_and_stays_short(values):
    series = Series(most=10)
    for number, value in enumerate(values):
        series.add(number, value)
    steps, kept = series.arrays()
    assert len(series) == steps.size < 20
    assert np.all(np.diff(steps) > 0)
    # Each kept point is the mean of as many neighbours as any other.
    each = 1 if len(values) < 20 else round(steps[1] - steps[0])
    whole = len(kept) * each
    np.testing.assert_allclose(kept, np.reshape(values[:whole], (-1, each)).mean(1), atol=1e-9)


@given(st.lists(st.floats(0, 10), max_size=30), st.floats(0, 0.99))
def test_smoothing_is_the_weighted_mean_of_what_came_before(values, weight):
    naive = []
    for end in range(1, len(values) + 1):
        weights = weight ** np.arange(end)[::-1] if weight else np.eye(end)[-1]
        naive.append(np.average(values[:end], weights=weights))
    np.testing.assert_allclose(smoothed(np.array(values), weight), naive, rtol=1e-6, atol=1e-9)
