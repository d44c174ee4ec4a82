"""What the *Train* widget says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_gmsr.errors import GMSRError
from napari_gmsr.jobs import Difference
from napari_gmsr.plugin.reconstruct_texts import size
from napari_gmsr.plugin.train_history import RunHistory
from napari_gmsr.training.config import PresetName, Select, TrainingConfig
from napari_gmsr.training.events import Started

__all__ = [
    "PRESET_TEXTS",
    "SELECT_LABELS",
    "device_sentence",
    "differences_text",
    "duration",
    "preflight_text",
    "progress_sentence",
]

PRESET_TEXTS: dict[PresetName, tuple[str, str]] = {
    "recommended": (
        "Recommended",
        "Flips, varied exposure, averaged weights; chosen on validation pictures.",
    ),
    "paper": ("As in the paper", "What GMSR-Net's paper says: 100 epochs, no augmentation."),
    "official": (
        "As in the official code",
        "A constant rate, chosen on patches of the test pictures: to compare, not to report.",
    ),
}
"""Label and explanation of each preset."""

SELECT_LABELS: dict[Select, str] = {
    "relative_rmse": "RMSE relative to the signal",
    "standard.rmse": "RMSE (standard)",
    "standard.psnr_db": "PSNR (standard)",
    "standard.sam_deg": "SAM (standard)",
    "standard.mrae": "MRAE (standard)",
    "paper.rmse": "RMSE (paper)",
    "paper.psnr_db": "PSNR (paper)",
    "paper.sam_deg": "SAM (paper)",
    "paper.mrae": "MRAE (paper)",
}


def device_sentence(started: Started) -> str:
    """Return where a run is computed, by what, and why there."""
    device = started.device.replace("cpu", "CPU")
    engine = f", {started.engine} engine" if started.engine else ""
    return f"{device}{engine}: {started.device_reason}."


def preflight_text(measured: Mapping[str, Any], config: TrainingConfig) -> str:
    """Return what a run will take.

    Parameters
    ----------
    measured
        What :func:`napari_gmsr.jobs.train_preflight.measure` returns.
    config
        The run's configuration.
    """
    device = str(measured["device"]).replace("cpu", "CPU")
    engine = f", {measured['engine']} engine" if measured["engine"] else ""
    speed, seconds = measured["patches_per_s"], measured["seconds"]
    needs, free = measured["peak_bytes"], measured["free_bytes"]
    lines = [f"{device}{engine}: {measured['device_reason']}."]
    rate = f"About {speed:.2g} patches a second, {duration(config.batch / speed)} a step"
    if config.minutes is not None:
        steps = max(1.0, float(f"{60 * config.minutes * speed / config.batch:.2g}"))
        length = duration(60 * config.minutes)
        lines.append(f"{rate}: about {steps:,.0f} step{'s' * (steps > 1)} in {length}.")
    elif seconds is not None:
        lines.append(f"{rate}: about {duration(seconds)} in all, without validation.")
    else:
        lines.append(f"{rate}.")
    fits = "" if needs < 0.8 * free else " That is too much: take a smaller batch or patch."
    lines.append(f"Needs about {size(needs)} of {size(free)} free memory.{fits}")
    return "\n".join(lines)


def progress_sentence(history: RunHistory) -> str:
    """Return how a run goes, or how it ended."""
    step, failed, finished = history.step, history.failed, history.finished
    if failed is not None:
        return f"Failed: {GMSRError(failed.what, where=failed.where, fix=failed.fix)}"
    if step is None:
        return "Preparing data and network…" if finished is None else "Stopped before a step."
    parts = [f"step {step.step}"]
    if history.epoch is not None:
        parts.append(f"{history.epoch} epochs" if history.epoch != 1 else "1 epoch")
    parts.append(f"loss {step.loss:.4g}")
    if finished is not None:
        how = "Stopped" if history.state == "stopped" else "Done"
        best = f"; best at step {finished.best_step}" if finished.best_step else ""
        return f"{how} after {duration(finished.seconds)}: {', '.join(parts)}{best}."
    parts.append(f"{step.patches_per_s:.3g} patches/s")
    if step.loader_share >= 0.05:
        parts.append(f"{step.loader_share:.0%} of the time waiting for data")
    left = history.seconds_left
    if history.state == "paused":
        return f"Paused: {', '.join(parts[:2])}."
    return ", ".join(parts) + ("" if left is None else f", {duration(left)} left")


def differences_text(differences: Sequence[Difference]) -> str:
    """Return the settings in which runs differ, a line each."""
    lines = [
        f"{one.setting}: {' | '.join('–' if v is None else str(v) for v in one.values)}"
        for one in differences
        if one.setting != "name"
    ]
    if not lines:
        return "The checked runs have the same settings."
    return "\n".join(["They differ in (from the top):", *lines])


def duration(seconds: float) -> str:
    """Return a time in the unit that fits."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
