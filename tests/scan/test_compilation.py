"""A word to the user while kernels are compiled."""

from pathlib import Path

import numpy as np
import pytest

from napari_gmsr.reconstruct.progress import Progress, Reporter
from napari_gmsr.scan.compilation import announce_compilation, compilation_announced
from napari_gmsr.scan.cpu_runtime import kernel
from napari_gmsr.scan.cuda import nvrtc


def test_kernels_for_the_processor_are_announced_when_they_are_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    said: list[str] = []
    with compilation_announced(said.append):
        double = kernel(twice)
        assert double(np.float32(2)) == 4
        assert said == ["Compiling kernels for this processor, once…"]
        assert double(np.float32(3)) == 6
        assert kernel(twice)(np.float32(4)) == 8
    assert len(said) == 1, "what is kept on disk is not compiled again"


def twice(x: float) -> float:
    return 2 * x


def test_kernels_for_a_card_are_announced_when_they_are_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvrtc, "_cache_folder", lambda: tmp_path)
    monkeypatch.setattr(nvrtc, "nvrtc_version", lambda: (13, 0))
    monkeypatch.setattr(nvrtc, "_compile", lambda *_: b"machine code")
    said: list[str] = []
    with compilation_announced(said.append):
        nvrtc.compile_cubin("a program", [], 90)
        nvrtc.compile_cubin("a program", [], 90)
    nvrtc.compile_cubin("another program", [], 90)
    assert said == ["Compiling kernels for this card, once…"]


def test_a_run_tells_it_as_its_progress() -> None:
    told: list[Progress] = []
    report = Reporter(3, told.append)
    report.advance()
    with compilation_announced(report.say):
        announce_compilation("card")
    assert told[-1] == Progress(1, 3, "Compiling kernels for this card, once…")
    report.advance()
    assert told[-1].message == "2 of 3 tiles"
