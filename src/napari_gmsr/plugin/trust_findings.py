"""A line about a picture before it is reconstructed, with the details on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_gmsr.errors import GMSRError
from napari_gmsr.plugin.controls import Fold
from napari_gmsr.plugin.latest import LatestWorker
from napari_gmsr.plugin.pictures import LayerPicture
from napari_gmsr.plugin.reconstruct_texts import Explanation, bullets
from napari_gmsr.weights import ModelCard

if TYPE_CHECKING:
    from napari_gmsr.trust import Finding

__all__ = ["PictureFindings"]


class PictureFindings(QWidget):
    """Says what `napari_gmsr.trust.check_picture` finds: nothing, or a fold of sentences."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: tuple[int, str] | None = None
        self.summary = Explanation("Whether something in the picture would make its spectra wrong.")
        self.details = Explanation("What was found in the picture, and what to do about it.")
        self.fold = Fold("", self.details)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.summary)
        rows.addWidget(self.fold)
        self._worker = LatestWorker("looking at the picture", self)
        self._worker.done.connect(self._on_findings)
        self._worker.failed.connect(self._on_failed)
        self._show("", "", "")

    @property
    def busy(self) -> bool:
        """Whether a picture is being looked at."""
        return self._worker.busy

    def look(self, picture: LayerPicture | None, card: ModelCard | None) -> None:
        """Look at a picture, off the window's thread; what was looked at last is not again.

        Parameters
        ----------
        picture
            The chosen one; ``None`` where there is none.
        card
            Of the checkpoint that it is for.
        """
        if picture is None or card is None:
            self._worker.forget()
            self._seen = None
            self._show("", "", "")
            return
        seen = id(picture.array), card.name
        if seen != self._seen:
            self._seen = seen
            self._worker.ask(_look, picture, card)

    def _on_findings(self, findings: tuple[Finding, ...]) -> None:
        if self._seen is None:  # the picture was removed meanwhile
            return
        if not findings:
            self._show("Nothing suspicious was found in the picture.", "", "")
            return
        kinds = ", ".join(dict.fromkeys(finding.kind for finding in findings))
        self._show("", f"Look at the picture: {kinds}", bullets([str(one) for one in findings]))

    def _on_failed(self, error: GMSRError) -> None:
        self._show(str(error), "", "")

    def _show(self, summary: str, title: str, details: str) -> None:
        self.summary.setText(summary)
        self.summary.setVisible(bool(summary))
        self.fold.set_title(title)
        self.fold.setVisible(bool(title))
        self.details.setText(details)


def _look(picture: LayerPicture, card: ModelCard) -> tuple[Finding, ...]:
    from napari_gmsr.trust import check_picture

    return check_picture(picture.read(card.encoding), card)
