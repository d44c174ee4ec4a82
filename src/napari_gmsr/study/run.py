"""A study from its file to its results: what is missing is run, what was broken off goes on."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_gmsr.errors import GMSRError, InputError
from napari_gmsr.study.child import Perform, Stop, perform_in_child
from napari_gmsr.study.devices import StudyDevice, choose_devices
from napari_gmsr.study.events import (
    RunBegan,
    RunDone,
    RunFailed,
    RunStopped,
    StudyBegan,
    StudyEvent,
)
from napari_gmsr.study.folder import StudyFolder
from napari_gmsr.study.outcome import Outcome
from napari_gmsr.study.scenes import EvaluationScenes
from napari_gmsr.study.study import Study, StudyRun
from napari_gmsr.study.work import begin_anew

__all__ = ["StudySummary", "run_study"]

OnEvent = Callable[[StudyEvent], None]
_WAIT_S = 0.1


@dataclass(frozen=True)
class StudySummary:
    """How a study stands after `run_study`.

    Parameters
    ----------
    folder
        Of the study.
    done, failed, missing
        Keys of the runs that have numbers, that failed, and that are still to be done.
    """

    folder: Path
    done: tuple[str, ...]
    failed: tuple[str, ...]
    missing: tuple[str, ...]


def run_study(
    study: Study,
    folder: str | Path,
    *,
    devices: Sequence[str] = ("auto",),
    retry: bool = False,
    on_event: OnEvent | None = None,
    perform: Perform = perform_in_child,
) -> StudySummary:
    """Do what is missing of a study, and go on with what was broken off.

    Every run is trained in a folder of its own within the study's (``runs/``), by
    `napari_gmsr.training.train`, and evaluated on each test picture by both metric sets
    (``results.jsonl``). A run that fails is marked, and the others go on. Models, datasets and
    seeds may be added to a study that is there; what is done stays.

    Parameters
    ----------
    study
        What to compare.
    folder
        Of the study: new, empty, or one that the same study has begun.
    devices
        See `napari_gmsr.study.devices.choose_devices`; each does one run at a time.
    retry
        Try runs again that have failed: from their last state, or anew where their settings are
        others now.
    on_event
        Takes every event, one at a time, from whichever thread.
    perform
        Who does a run: `perform_in_child`, a process for each, or `perform_here`.

    Returns
    -------
    StudySummary
        How it stands.

    Raises
    ------
    GMSRError
        Where the folder, a dataset, a network's arguments or a device cannot be used, another
        study is at work in the folder, or a run there was begun with other settings. Nothing has
        been run then.
    KeyboardInterrupt
        Where the user stopped it. Every run is kept, and goes on with the next call.
    """
    chosen = choose_devices(devices)
    _check(study)
    place = StudyFolder.create(folder, study)
    with place.locked():
        todo = _todo(place, study, retry)
        place.save(study)
        # As it will be read from its file, where tuples are lists.
        study = place.study()
        work = _Work(place, study, on_event, perform)
        work.tell(_began(place, study, chosen, todo))
        try:
            work.through([study.run(key) for key in todo], chosen)
        finally:
            place.write_results(study)
    return summarise(place, study)


def summarise(folder: StudyFolder, study: Study) -> StudySummary:
    """Return how a study stands."""
    states = {run.key: _state(folder.outcome(run)) for run in study.runs()}
    done, failed, missing = (
        tuple(key for key, state in states.items() if state == wanted)
        for wanted in ("done", "failed", "missing")
    )
    return StudySummary(folder.path, done, failed, missing)


def _state(outcome: Outcome | None) -> str:
    return "missing" if outcome is None else outcome.state


def _check(study: Study) -> None:
    """See that datasets can be opened and networks made, before anything is trained."""
    import torch

    from napari_gmsr.datasets import open_dataset
    from napari_gmsr.networks import create
    from napari_gmsr.training.config import SIMULATED
    from napari_gmsr.weights import load_model

    for dataset in study.datasets:
        EvaluationScenes(dataset)
        if dataset.evaluation is not None and dataset.name != SIMULATED and dataset.folder:
            open_dataset(
                dataset.name,
                dataset.folder,
                split=dataset.split,
                camera=dataset.camera,
                illuminant=dataset.illuminant,
                encoding=dataset.encoding,
            )
    for model in study.models:
        if (start := model.checkpoint or model.start_from) is not None:
            load_model(start)
            continue
        try:
            with torch.device("meta"):
                create(model.name, **model.arguments)
        except GMSRError as error:
            raise InputError(error.what, where=f"models: {model.title}", fix=error.fix) from error


def _todo(folder: StudyFolder, study: Study, retry: bool) -> list[str]:
    """Return the keys of the runs to do, after a look at what is there of them."""
    todo = []
    for run in study.runs():
        outcome = folder.outcome(run)
        if outcome is not None and (outcome.state == "done" or not retry):
            continue
        if not _as_begun(folder, run):
            if not (retry and _has_failed(folder, run)):
                raise InputError(
                    "this run was begun with other settings",
                    where=folder.run_folder(run.key).path,
                    fix="Give the study another folder, or the model another label.",
                )
            begin_anew(folder, run)
        todo.append(run.key)
    return todo


def _as_begun(folder: StudyFolder, run: StudyRun) -> bool:
    place = folder.run_folder(run.key)
    if run.kind != "trained" or not place.config_file.exists():
        return True
    return run.was_begun_with(place.config())


def _has_failed(folder: StudyFolder, run: StudyRun) -> bool:
    status = folder.run_folder(run.key).status()
    return status is not None and status.state == "failed"


def _began(
    folder: StudyFolder, study: Study, devices: Sequence[StudyDevice], todo: Sequence[str]
) -> StudyBegan:
    summary = summarise(folder, study)
    return StudyBegan(
        runs=len(study.runs()),
        done=len(summary.done),
        failed=tuple(key for key in summary.failed if key not in todo),
        devices=tuple(device.name for device in devices),
    )


class _Work:
    """A study at work: one thread a device takes the next run that is missing."""

    def __init__(
        self, folder: StudyFolder, study: Study, on_event: OnEvent | None, perform: Perform
    ) -> None:
        self.folder, self.study = folder, study
        self._on_event, self._perform = on_event, perform
        self._stop, self._telling = Stop(), threading.Lock()

    def tell(self, event: StudyEvent) -> None:
        """Pass an event on."""
        if self._on_event is not None:
            with self._telling:
                self._on_event(event)

    def through(self, runs: Sequence[StudyRun], devices: Sequence[StudyDevice]) -> None:
        """Do all runs; Ctrl+C stops them after the step, a second time at once."""
        waiting: queue.SimpleQueue[StudyRun] = queue.SimpleQueue()
        for run in runs:
            waiting.put(run)
        # Not joined: a join that Ctrl+C breaks off takes its thread for ended.
        ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        for device in devices:
            arguments = waiting, device, ended
            threading.Thread(target=self._work_on, args=arguments, daemon=True).start()
        interrupted = False
        while ended.qsize() < len(devices):
            try:
                while ended.qsize() < len(devices):
                    time.sleep(_WAIT_S)
            except KeyboardInterrupt:
                self._stop.at_once = interrupted
                self._stop.asked = interrupted = True
        faults = [ended.get() for _ in devices]
        fault = next((each for each in faults if each is not None), None)
        if fault is not None:
            raise fault
        if interrupted:
            raise KeyboardInterrupt

    def _work_on(
        self,
        waiting: queue.SimpleQueue[StudyRun],
        device: StudyDevice,
        ended: queue.SimpleQueue[BaseException | None],
    ) -> None:
        """Do runs until none is left, on one device."""
        fault: BaseException | None = None
        try:
            for run in _each(waiting):
                if self._stop.asked:
                    break
                self._do(run, device)
        except BaseException as error:
            # Not of a run but of the study: a full disk, say. Everything stops.
            self._stop.asked = True
            fault = error
        ended.put(fault)

    def _do(self, run: StudyRun, device: StudyDevice) -> None:
        resumed = self.folder.run_folder(run.key).last_file.exists()
        self.tell(RunBegan(run.key, run.title, device.name, resumed))
        outcome = self._perform(self.folder, run, device, self.tell, self._stop)
        if outcome is None:
            self.tell(RunStopped(run.key))
            return
        self.folder.write_results(self.study)
        if outcome.failure is None:
            self.tell(RunDone(run.key))
        else:
            self.tell(RunFailed(run.key, outcome.failure))


def _each(waiting: queue.SimpleQueue[StudyRun]) -> Iterator[StudyRun]:
    while True:
        try:
            yield waiting.get_nowait()
        except queue.Empty:
            return
