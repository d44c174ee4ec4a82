"""What the *Train* widget says."""

from __future__ import annotations

from napari_gmsr.plugin.train_history import RunHistory
from napari_gmsr.training.config import PresetName, Select

__all__ = ["PRESET_TEXTS", "SELECT_LABELS", "duration", "progress_sentence"]

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


def progress_sentence(history: RunHistory) -> str:
    """Return how a run goes, in a few short parts."""
    step = history.step
    if step is None:
        return "Preparing data and network…"
    parts = [f"step {step.step}"]
    if history.epoch is not None:
        parts.append(f"{history.epoch} epochs" if history.epoch != 1 else "1 epoch")
    parts.append(f"loss {step.loss:.4g}")
    if not history.ended:
        parts.append(f"{step.patches_per_s:.3g} patches/s")
        if step.loader_share >= 0.05:
            parts.append(f"{step.loader_share:.0%} of the time waiting for data")
        left = history.seconds_left
        if left is not None and history.state != "paused":
            parts.append(f"{duration(left)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a time in the unit that fits."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
