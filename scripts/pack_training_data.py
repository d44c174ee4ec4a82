"""Gather what the shipped weights are trained from: photographs, spectra, validation scenes.

Nothing of it is committed. The folder is one for `SimulationSources.from_folder`: ``sources.json``
lists every source with its licence, which become a part of the model cards. ``validation/`` and
``test/`` are folders of pairs, cubes alone, of which training and studies (studies/simulated.toml)
render the pictures that they ask for.

    apt-get download lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 mate-backgrounds
    for package in *.deb; do dpkg-deb -x $package extracted; done
    python scripts/pack_training_data.py --photographs extracted/usr/share/backgrounds
    python scripts/pack_training_data.py --parts validation  # that part alone, anew
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from napari_gmsr.cube import WAVELENGTHS_NM

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
from real_scenes import SCENES, VALIDATION, read_scene

SIDE = 640  # of the square that is kept of a photograph, in pixels

PHOTOGRAPHS = {
    "lomiri-wallpapers 16.04 and 20.04 (Debian)": {
        "licence": "CC-BY-4.0, CC-BY-SA-4.0, CC-BY-SA-3.0, CC0-1.0; authors in the file names",
        "files": [
            "Bridge_by_Sander_Klootwijk.jpg",
            "Dragonfly_by_Bolly.jpg",
            "Picture_0B_by_freespace.jpg",
            "Picture_1A_by_freespace.jpg",
            "Wine_by_Jakkub_Mede.jpg",
            "aitzgorri_by_Aitzol_Berasategi.jpg",
            "free_by_Peter_Nerlich.jpg",
            "friends_by_Aitzol_Berasategi.jpg",
            "greentock_by_Peter_Nerlich.jpg",
            "life_by_Aitzol_Berasategi.jpg",
            "picosdeeuropa_by_Aitzol_Berasategi.jpg",
            "seeding_by_Clements_Engelhardt.jpg",
            "sunset_by_Aitzol_Berasategi.jpg",
            "Kleiber_by_Lukas_Baubkus.jpg",
            "Painting-Colors_by__herobrine7gamer.jpg",
        ],
    },
    "mate-backgrounds 1.26 (Debian)": {
        "licence": "GPL-2+; C. Barbin, L. Poettering, A. Cimitan, M. Cogoni, H. Bons, J. Ansorg, "
        "T. Schellhase, L. Calandra, S. Nazarov, J.-F. Fortin Tam, blackcombwhistler07",
        "files": [
            "Aqua.jpg",
            "Blinds.jpg",
            "Dune.jpg",
            "FreshFlower.jpg",
            "Garden.jpg",
            "GreenMeadow.jpg",
            "LadyBird.jpg",
            "RainDrops.jpg",
            "Storm.jpg",
            "TwoWings.jpg",
            "Wood.jpg",
            "YellowFlower.jpg",
        ],
    },
}

SHIPPED = {
    "scikit-image": {
        "licence": "public domain or CC0 by scikit-image's data README",
        "pictures": ["chelsea", "coffee", "rocket", "retina", "brick", "grass", "gravel"],
    },
    "scikit-learn": {
        "licence": "CC-BY-2.0; china.jpg by danielbuechele, flower.jpg by vultilion (flickr)",
        "pictures": ["china.jpg", "flower.jpg"],
    },
}

# How often a family is drawn, chosen on the validation scenes: see docs/weights.md.
FAMILIES = {
    "munsell_1269": 1.0,
    "isetcam_surfaces": 1.0,
    "rawtoaces_training": 1.0,
    "capbone": 0.15,
    "psychtoolbox_vrhel": 0.15,
}
CAPBONE_KEPT = 8000  # of 114,120


PARTS = ("photographs", "reflectances", "validation", "test")


def main() -> None:
    """Write the package, or parts of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--photographs", type=Path, default=Path("/usr/share/backgrounds"))
    parser.add_argument("--out", type=Path, default=Path("training-data"))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    listed = options.out / "sources.json"
    sources = json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else {}
    for part in options.parts:
        if part == "photographs":
            sources[part] = _photographs(options.photographs, options.out / part)
        elif part == "reflectances":
            sources[part] = _spectra(options.shared / part, options.out / "spectra.npz")
        else:
            sources[part] = _scenes(options.shared, options.out / part)
        listed.write_text(json.dumps(sources, indent=1, ensure_ascii=False), encoding="utf-8")
    size = sum(f.stat().st_size for f in options.out.rglob("*") if f.is_file())
    print(f"{options.out}: {size / 2**20:.1f} MiB")


def _photographs(folder: Path, out: Path) -> list[dict[str, str]]:
    import skimage.data
    from sklearn.datasets import load_sample_image  # type: ignore[import-untyped]

    out.mkdir(exist_ok=True)
    kept = []

    def keep(picture: Image.Image, name: str, source: str, licence: str) -> None:
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        square = picture.convert("RGB").crop((left, top, left + side, top + side))
        square.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(
            out / f"{Path(name).stem}.jpg", quality=92, subsampling=0
        )
        kept.append({"name": name, "source": source, "licence": licence})

    for source, entry in PHOTOGRAPHS.items():
        for name in entry["files"]:
            found = next(folder.rglob(name), None)
            if found is None:
                raise SystemExit(f"{folder}: no {name} of {source}; see this script's first lines")
            keep(Image.open(found), name, source, str(entry["licence"]))
    for source, shipped in SHIPPED.items():
        for name in shipped["pictures"]:
            of_scikit_learn = source == "scikit-learn"
            data = load_sample_image(name) if of_scikit_learn else getattr(skimage.data, name)()
            keep(Image.fromarray(data), name, source, str(shipped["licence"]))
    return kept


def _spectra(folder: Path, out: Path) -> list[dict[str, object]]:
    spectra, weights, kept = [], [], []
    for family, weight in FAMILIES.items():
        with np.load(folder / f"{family}.npz") as file:
            rows = file["reflectance"].astype(np.float32)
            source, licence = str(file["source"]), str(file["licence"])
        rows = rows[(rows.max(axis=1) <= 1) & (rows.max(axis=1) > 0.01)]
        if family == "capbone":
            rows = np.random.default_rng(0).permutation(rows)[:CAPBONE_KEPT]
        spectra.append(rows)
        weights.append(np.full(len(rows), weight / len(rows)))
        kept.append({"source": source, "licence": licence, "spectra": len(rows), "weight": weight})
    np.savez_compressed(
        out, spectra=np.concatenate(spectra).astype(np.float16), weights=np.concatenate(weights)
    )
    return kept


def _scenes(shared: Path, out: Path) -> list[str]:
    """Write the cubes of the scenes for validation or for test, one npz file each."""
    out.mkdir(exist_ok=True)
    names = [n for n in SCENES if (n in VALIDATION) == (out.name == "validation")]
    for name in names:
        np.savez_compressed(
            out / f"{name}.npz", cube=read_scene(shared, name), wavelengths_nm=WAVELENGTHS_NM
        )
    (out / "split.json").write_text(json.dumps({out.name: names}))
    return names


if __name__ == "__main__":
    main()
