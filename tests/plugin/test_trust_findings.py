"""The line about a picture before it is reconstructed."""

import numpy as np
import pytest

from napari_gmsr.plugin.pictures import LayerPicture
from napari_gmsr.plugin.trust_findings import PictureFindings
from napari_gmsr.weights import list_models

CARD = list_models()[0]
RAMP = (np.linspace(90, 160, 64)[:, None, None] * np.ones((64, 64, 3))).astype(np.uint8)
WAIT = 30_000


@pytest.fixture
def findings(qtbot):
    widget = PictureFindings()
    qtbot.addWidget(widget)
    widget.show()
    return widget


def look(findings, qtbot, array):
    findings.look(LayerPicture(array, "photo"), CARD)
    qtbot.waitUntil(lambda: not findings.busy, timeout=WAIT)


def test_a_sound_picture_is_one_line(findings, qtbot):
    assert not findings.summary.isVisible()
    look(findings, qtbot, RAMP)
    assert "Nothing suspicious" in findings.summary.text()
    assert not findings.fold.isVisible()


def test_findings_are_folded_under_their_kinds(findings, qtbot):
    clipped = RAMP.copy()
    clipped[:10] = 255
    look(findings, qtbot, clipped)
    assert "clipping" in findings.fold.text()
    assert not findings.details.isVisible()
    findings.fold.expand(animate=False)
    assert findings.details.isVisible()
    assert "full scale" in findings.details.text()
    findings.look(None, CARD)
    assert not findings.fold.isVisible()


def test_a_picture_that_cannot_be_looked_at_says_why(findings, qtbot):
    look(findings, qtbot, np.full((8, 8, 3), np.nan, np.float32))
    assert "NaN" in findings.summary.text()


def test_the_same_picture_is_looked_at_once(findings, qtbot):
    look(findings, qtbot, RAMP)
    findings.look(LayerPicture(RAMP, "photo"), CARD)
    assert not findings.busy
