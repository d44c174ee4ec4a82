"""The card of what a run has trained: where it comes from, and what it is not for."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from napari_gmsr.datasets import SimulatedPatches
from napari_gmsr.training.config import TrainingConfig
from napari_gmsr.training.data import stated
from napari_gmsr.weights import ModelCard, TrainingData

if TYPE_CHECKING:
    from napari_gmsr.datasets import PatchSource

__all__ = ["run_card", "source_version"]

_MEASURING = "Measuring: red, green and blue leave most of a spectrum open."


def run_card(
    config: TrainingConfig,
    network: str,
    arguments: dict[str, Any],
    source: PatchSource,
    device: torch.device,
    *,
    world: int = 1,
    start: ModelCard | None = None,
) -> ModelCard:
    """Return the card of a run, without the metrics and the step, which each checkpoint has.

    Parameters
    ----------
    config
        Of the run.
    network, arguments
        What is trained.
    source
        The patches.
    device
        Where it is trained.
    world
        Processes that train together.
    start
        The card of what is fine-tuned; its data counts as this one's too.

    Returns
    -------
    ModelCard
        Name, data with licences, seed, the source's commit or version, what it is not for.
    """
    camera = stated(source.camera)
    illuminant = stated(source.illuminant)
    data = [TrainingData(name=n, licence=licence, use="training") for n, licence in source.licences]
    if start is not None:
        data += [
            each.model_copy(update={"use": f"{each.use} (of {start.name}, that it began from)"})
            for each in start.training_data
        ]
    begun = f", from {start.name}" if start else ""
    cuda = device.type == "cuda"
    return ModelCard(
        name=config.title,
        summary=f"Trained on {config.dataset.name}{begun}.",
        network=network,
        arguments=arguments,
        wavelengths_nm=tuple(source.wavelengths_nm.tolist()),
        encoding=source.encoding,
        camera=camera,
        illuminant=illuminant,
        training_data=tuple(data),
        training={
            # Folders are the trainer's own business.
            "config": {
                **config.model_dump(
                    mode="json",
                    exclude={"dataset": {"folder", "validation_folder", "cache_folder"}},
                ),
                "start_from": start.name if start else None,
            },
            "device": torch.cuda.get_device_name() if cuda else platform.machine(),
            "processes": world,
            **({"recipe": asdict(source.recipe)} if isinstance(source, SimulatedPatches) else {}),
            "versions": {n: version(n) for n in ("napari-gmsr", "torch")},
        },
        not_for=_limits(source, camera),
        seed=config.seed,
        commit=source_version(),
    )


def _limits(source: PatchSource, camera: str) -> tuple[str, ...]:
    first, last = source.wavelengths_nm[[0, -1]].tolist()
    limits = [_MEASURING, f"Anything outside {first:g} to {last:g} nm."]
    if source.encoding == "linear":
        limits.append("Photographs as cameras store them: it takes linear pictures.")
    if camera:
        limits.append(f"Pictures of a response that is far from {camera}.")
    return tuple(limits)


def source_version() -> str:
    """Return the commit of the package where it lies in its own git checkout, else its version.

    A commit whose files were changed ends in ``-dirty``.
    """
    root = Path(__file__).resolve().parents[3]
    if (root / ".git").exists() and (root / "src" / "napari_gmsr").is_dir():
        command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude", "*"]
        try:
            found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):  # no git, or not one's own folder
            pass
        else:
            return found.stdout.strip()
    return f"v{version('napari-gmsr')}"
