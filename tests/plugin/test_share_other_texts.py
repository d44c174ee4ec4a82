"""What is copied of comparisons and trainings does the same."""

import shlex

import numpy as np
import pytest
from qtpy.QtGui import QGuiApplication

import napari_gmsr
from napari_gmsr.cli import train as train_command
from napari_gmsr.cli.app import run as run_command
from napari_gmsr.cube import SpectralCube
from napari_gmsr.evaluate import error_map
from napari_gmsr.io import write_cube
from napari_gmsr.plugin.error_maps_widget import ErrorMapsWidget
from napari_gmsr.plugin.layers import add_cube
from napari_gmsr.plugin.share_other_texts import TrainingText
from napari_gmsr.training.config import TrainingConfig, preset

SHAPE = (31, 12, 14)


def started_by_python(text, monkeypatch):
    started = []
    monkeypatch.setattr(napari_gmsr, "train", started.append)
    exec(compile(text, "copied", "exec"), {})
    return started[0]


def started_by_command(line, monkeypatch):
    started = []
    monkeypatch.setattr(train_command, "_train", lambda config, *_: started.append(config))
    assert run_command(shlex.split(line)[1:]) == 0
    return started[0]


@pytest.mark.parametrize(
    "config",
    [
        preset("recommended"),
        preset("paper", dataset={"name": "cave", "folder": "/data/my 'CAVE'"}, epochs=3),
        preset("official", name="mine é", minutes=2.5, batch=4, seed=7),
        preset(
            "recommended",
            network="hrnet",
            network_arguments={},
            steps=10,
            exposure=None,
            ema=None,
            loss={"sam": 0.1},
            optimiser={"learning_rate": 3e-4},
            probes=[("wall", 1, 2)],
        ),
        preset("recommended", start_from="photo", network_arguments={"widths": [31]}),
        TrainingConfig(steps=5),
    ],
)
def test_a_training_is_started_with_the_same_settings(config, monkeypatch):
    text = TrainingText(config)
    wanted = config.model_dump(exclude={"preset"})
    for started in (
        started_by_python(text.python(), monkeypatch),
        started_by_command(text.command(), monkeypatch),
    ):
        assert started.model_dump(exclude={"preset"}) == wanted


@pytest.mark.gui
def test_error_maps_are_copied(make_napari_viewer, qtbot, tmp_path):
    rng = np.random.default_rng(0)
    truth = SpectralCube(rng.uniform(0.1, 0.9, SHAPE).astype(np.float32), name="truth")
    near = SpectralCube(truth.data * np.float32(0.9), name="near")
    viewer = make_napari_viewer(show=True)
    for cube in (truth, near):
        write_cube(cube, tmp_path / f"the {cube.name}.npz")
        viewer.open(tmp_path / f"the {cube.name}.npz", plugin="napari-gmsr")
    widget = ErrorMapsWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Error maps")
    widget.restore_settings({"metric": "mrae", "bands": "slider"})
    viewer.dims.set_point(0, 540)
    copied = {}
    for kind in ("python", "command"):
        getattr(widget._copy, kind).click()
        qtbot.waitUntil(lambda: not widget._copy.busy, timeout=30_000)
        copied[kind] = QGuiApplication.clipboard().text()
    names = {}
    exec(compile(copied["python"], "copied", "exec"), names)
    np.testing.assert_array_equal(names["errors"], error_map(near, truth, "mrae", 540))
    (line,) = copied["command"].splitlines()
    assert run_command(shlex.split(line)[1:]) == 0

    add_cube(viewer, SpectralCube(near.data, name="made here"))
    widget.restore_settings({"predictions": ["made here"]})
    QGuiApplication.clipboard().clear()
    widget._copy.python.click()
    qtbot.waitUntil(lambda: not widget._copy.busy, timeout=30_000)
    assert QGuiApplication.clipboard().text() == ""
