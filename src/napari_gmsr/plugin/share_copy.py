"""Buttons that copy what was done as Python, or as a command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from napari_gmsr.errors import GMSRError
from napari_gmsr.image import Encoding, RGBImage
from napari_gmsr.plugin.latest import LatestWorker
from napari_gmsr.plugin.layer_files import file_that_holds, layer_file
from napari_gmsr.plugin.layers import LayerCube, layer_cube
from napari_gmsr.plugin.pictures import LayerPicture
from napari_gmsr.plugin.share_texts import RunText

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["CopyButtons", "CubesCopy", "RunCopy", "RunToCopy"]


class CopyButtons(QWidget):
    """Two buttons, *Copy as Python* and *Copy as command*."""

    wanted = Signal(str)
    """One was pressed: "python" or "command"."""

    def __init__(self) -> None:
        super().__init__()
        self.python = QPushButton("Copy as P&ython")
        self.python.setToolTip("Copy a script that does the same, bit for bit.")
        self.command = QPushButton("Copy as co&mmand")
        self.command.setToolTip("Copy a command line that does the same, bit for bit.")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for button, kind in ((self.python, "python"), (self.command, "command")):
            row.addWidget(button)
            button.clicked.connect(lambda _=False, kind=kind: self.wanted.emit(kind))

    @staticmethod
    def copy(text: str) -> None:
        """Put a text on the clipboard, and say so."""
        clipboard = QGuiApplication.clipboard()
        assert clipboard is not None
        clipboard.setText(text)
        show_info("Copied.")


class CubesCopy(CopyButtons):
    """The buttons for what is done with cubes, which must be in files.

    Parameters
    ----------
    cubes
        Gives the layers whose files the text names; none where nothing can be copied.
    text
        Writes down what was done, once the files are known, in the layers' order.
    """

    def __init__(
        self, cubes: Callable[[], list[Image]], text: Callable[[list[Path]], Writable]
    ) -> None:
        super().__init__()
        self._cubes = cubes
        self._text = text
        self._finding = LatestWorker("looking for the cubes' files", self)
        self.wanted.connect(self._on_wanted)
        self._finding.done.connect(self._on_found)
        self._finding.failed.connect(lambda error: show_error(str(error)))

    @property
    def busy(self) -> bool:
        """Whether files are being looked for."""
        return self._finding.busy

    def _on_wanted(self, kind: str) -> None:
        layers = self._cubes()
        if layers:
            named = [(layer_cube(layer), layer_file(layer)) for layer in layers]
            self._finding.ask(_find_all, kind, named)

    def _on_found(self, found: tuple[str, list[Path], list[str]]) -> None:
        kind, paths, without = found
        if without:
            show_info(f"Save to a file first: {', '.join(without)}.")
            return
        text = self._text(paths)
        self.copy(text.python() if kind == "python" else text.command())


class Writable(Protocol):
    """What can be written down."""

    def python(self) -> str:
        """Return a script."""
        ...

    def command(self) -> str:
        """Return one or several command lines."""
        ...


@dataclass(frozen=True)
class RunToCopy:
    """A run to be written down.

    Parameters
    ----------
    picture
        What is reconstructed.
    float_encoding
        What floats of a layer mean.
    text
        Writes it down, once the picture's file is known; its encoding is ``None`` where it is what
        the file is taken for.
    """

    picture: LayerPicture
    float_encoding: Encoding
    text: Callable[[Path, Encoding | None], RunText]


class RunCopy(CopyButtons):
    """The buttons for a reconstruction.

    The text names the picture's file. Where the layer was not opened from a file, or is not what
    the file holds, it asks for a name and writes the picture.

    Parameters
    ----------
    run
        Gives what is to be copied, ``None`` where nothing can be.
    """

    def __init__(self, run: Callable[[], RunToCopy | None]) -> None:
        super().__init__()
        self._run = run
        self._finding = LatestWorker("looking for the picture's file", self)
        self.wanted.connect(self._on_wanted)
        self._finding.done.connect(self._on_found)
        self._finding.failed.connect(lambda error: show_error(str(error)))

    @property
    def busy(self) -> bool:
        """Whether the picture's file is being looked for."""
        return self._finding.busy

    def _on_wanted(self, kind: str) -> None:
        run = self._run()
        if run is not None:
            self._finding.ask(_find, kind, run)

    def _on_found(self, found: tuple[str, RunToCopy, RGBImage, _Found | None]) -> None:
        kind, run, rgb, known = found
        if known is None:
            known = self._write(rgb)
        if known is not None:
            text = run.text(known.path, known.encoding)
            self.copy(text.python() if kind == "python" else text.command())

    def _write(self, rgb: RGBImage) -> _Found | None:
        """Ask for a name, and write the picture there."""
        from napari_gmsr.io import write_rgb

        chosen, _ = QFileDialog.getSaveFileName(
            self, "This picture is in no file: save it first", f"{rgb.name}.tif", "TIFF (*.tif)"
        )
        if not chosen:
            return None
        path = Path(chosen)
        if not path.suffix:
            path = path.with_suffix(".tif")
        try:
            return _found(rgb, write_rgb(rgb, path, overwrite=True))
        except GMSRError as error:
            show_error(str(error))
            return None


@dataclass(frozen=True)
class _Found:
    path: Path
    encoding: Encoding | None


def _find_all(
    kind: str, named: list[tuple[LayerCube, Path | None]]
) -> tuple[str, list[Path], list[str]]:
    """Return the files that hold the cubes, and the names of those that are in none."""
    held = [file_that_holds(cube.read(), path) for cube, path in named]
    without = [cube.name for (cube, _), path in zip(named, held, strict=True) if path is None]
    return kind, [path for path in held if path is not None], without


def _find(kind: str, run: RunToCopy) -> tuple[str, RunToCopy, RGBImage, _Found | None]:
    """Read the picture, and find its file."""
    rgb = run.picture.read(run.float_encoding)
    path = file_that_holds(rgb, run.picture.file)
    return kind, run, rgb, None if path is None else _found(rgb, path)


def _found(rgb: RGBImage, path: Path) -> _Found:
    from napari_gmsr.io import read_rgb

    return _Found(path, None if read_rgb(path).encoding == rgb.encoding else rgb.encoding)
