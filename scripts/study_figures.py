"""Make docs/images/study-*.png: a small real study on the sample scene, without training.

The shipped model as it is and the two baselines fitted to simulated scenes, evaluated on the
sample scene, itself simulated: it shows what a report looks like, and is no result.

    python scripts/study_figures.py
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from napari_gmsr.datasets import sample_scene
from napari_gmsr.io import write_cube, write_rgb
from napari_gmsr.study import make_study, perform_here, run_study, write_report

IMAGES = Path(__file__).parent.parent / "docs" / "images"
POINTS = [[352, 268], [180, 60], [215, 300]]


def main() -> None:
    """Run the study in a temporary folder, and keep two of its figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = folder / "scene"
        scene.mkdir()
        picture, truth = sample_scene()
        write_rgb(picture, scene / "sample.tif")
        write_cube(truth, scene / "sample.npz")
        study = make_study(
            {
                "name": "sample scene",
                "models": [
                    {"name": "gmsr", "label": "GMSR-Net (photo)", "checkpoint": "photo"},
                    {"name": "rootpoly", "label": "Root polynomial"},
                    {"name": "wiener", "label": "Wiener"},
                ],
                "datasets": [
                    {
                        "name": "simulated",
                        "label": "Sample scene",
                        "target": "photo",
                        "evaluation": {"name": "pairs", "folder": str(scene)},
                        "scenes": ["sample"],
                        "views": [{"picture": "sample", "band_nm": 620, "points": POINTS}],
                    }
                ],
            }
        )
        run_study(study, folder / "study", perform=perform_here)
        report = write_report(folder / "study").parent
        for figure, kept in (("fig4", "study-pictures"), ("fig7", "study-curves")):
            shutil.copy(report / f"{figure}_sample-scene.png", IMAGES / f"{kept}.png")
        print((report / "tableI_standard.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
