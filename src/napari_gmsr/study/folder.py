"""The folder of a study: what lies in it, and who owns it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout
from pydantic import ValidationError

from napari_gmsr.errors import InputError, OutputError
from napari_gmsr.io import atomic_output
from napari_gmsr.study.file import make_study
from napari_gmsr.study.names import as_input_error
from napari_gmsr.study.outcome import Outcome
from napari_gmsr.study.settings import StudyDataset
from napari_gmsr.study.study import Study, StudyRun, slug
from napari_gmsr.training.run_folder import RunFolder

__all__ = ["StudyFolder", "make_folder"]


@dataclass(frozen=True)
class StudyFolder:
    """A study's folder.

    ``study.json`` (the study), ``runs/`` (an ordinary training run a folder), ``outcomes/`` (what
    became of each), ``results.jsonl`` (all of that, a line a picture), ``cubes/`` (what the figures
    show), ``logs/``, ``report/``, ``lock``.

    Parameters
    ----------
    path
        Of the folder.
    """

    path: Path

    @classmethod
    def create(cls, path: str | Path, study: Study) -> Self:
        """Make the folder, or take up the one that is there, and save the study in it.

        Raises
        ------
        OutputError
            Where the folder holds other things, or cannot be made.
        """
        folder = cls(Path(path))
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            strange = not folder.study_file.exists() and any(
                entry.name != "lock" for entry in folder.path.iterdir()
            )
        except OSError as error:
            raise OutputError(
                f"the study's folder cannot be made: {error.strerror}",
                where=folder.path,
                fix="Choose another.",
            ) from error
        if strange:
            raise OutputError(
                "the folder holds other things than a study",
                where=folder.path,
                fix="Choose a new or an empty one.",
            )
        return folder

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open the folder of a study that is there.

        Raises
        ------
        InputError
            Where there is none.
        """
        folder = cls(Path(path))
        if not folder.study_file.is_file():
            raise InputError(
                "there is no study in this folder",
                where=folder.path,
                fix="Give the folder that `napari-gmsr study run ... --out` has made.",
            )
        return folder

    @property
    def study_file(self) -> Path:
        """The study."""
        return self.path / "study.json"

    @property
    def results_file(self) -> Path:
        """What became of every run, a line a picture."""
        return self.path / "results.jsonl"

    @property
    def report_folder(self) -> Path:
        """Tables and figures."""
        return self.path / "report"

    def save(self, study: Study) -> None:
        """Write the study."""
        with atomic_output(self.study_file, overwrite=True) as temporary:
            temporary.write_text(study.model_dump_json(indent=1), encoding="utf-8")

    def study(self) -> Study:
        """Return the study.

        Raises
        ------
        InputError
            Where it cannot be read or is not valid.
        """
        try:
            values = json.loads(self.study_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"it cannot be read: {error}", where=self.study_file, fix="Run the study again."
            ) from error
        return make_study(values, self.study_file)

    def run_folder(self, key: str) -> RunFolder:
        """Return where a run is trained."""
        return RunFolder(self.path / "runs" / key)

    def log_file(self, key: str) -> Path:
        """Return what a run's process printed."""
        return self.path / "logs" / f"{key}.txt"

    def cubes_folder(self, dataset: StudyDataset, picture: str) -> Path:
        """Return where the cubes of a picture of the figures lie."""
        return self.path / "cubes" / slug(dataset.title) / slug(picture)

    def outcome_file(self, key: str) -> Path:
        """Return where it stands what became of a run."""
        return self.path / "outcomes" / f"{key}.json"

    def write(self, outcome: Outcome) -> None:
        """Keep what became of a run."""
        file = self.outcome_file(outcome.key)
        make_folder(file.parent)
        with atomic_output(file, overwrite=True) as temporary:
            temporary.write_text(outcome.model_dump_json(indent=1), encoding="utf-8")

    def outcome(self, run: StudyRun) -> Outcome | None:
        """Return what became of a run; ``None`` where it is still to be done, or to be done again.

        Raises
        ------
        InputError
            Where the record is damaged or cannot be read.
        """
        file = self.outcome_file(run.key)
        try:
            found = Outcome.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(
                f"it cannot be read: {error.strerror}", where=file, fix="Make it readable."
            ) from error
        except ValidationError as error:
            raise as_input_error(error, Outcome, file) from error
        if found.decided != run.decides() or found.judged != run.judges():
            return None
        # The file is the same for labels that differ in capitals alone: today's counts.
        return found.model_copy(update={"model": run.model.title, "dataset": run.dataset.title})

    def write_results(self, study: Study) -> None:
        """Write what is there of all runs into one file, a line a picture."""
        found = [self.outcome(run) for run in study.runs()]
        lines = [json.dumps(line) + "\n" for each in found if each for line in each.lines()]
        with atomic_output(self.results_file, overwrite=True) as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Own the folder while the block runs. The lock dies with its process.

        Raises
        ------
        InputError
            Where another study is at work in it.
        """
        lock = FileLock(self.path / "lock", blocking=False)
        try:
            lock.acquire()
        except Timeout:
            raise InputError(
                "another study is at work in this folder",
                where=self.path,
                fix="Wait for it or stop it, or choose another folder.",
            ) from None
        except OSError as error:
            raise OutputError(
                f"the folder cannot be locked: {error.strerror or error}",
                where=self.path,
                fix="Choose a folder of your own on a local disk.",
            ) from error
        try:
            yield
        finally:
            lock.release()


def make_folder(folder: Path) -> None:
    """Make a folder of a study's, where it is missing.

    Raises
    ------
    OutputError
        Where that cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder cannot be made: {error.strerror}", where=folder, fix="Choose another."
        ) from error
