import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.datasets import SimulatedPatches, SimulationSources
from napari_gmsr.errors import DatasetError


def photograph(path, height=30, width=40, seed=0):
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def packed(folder, n=6):
    spectra = np.random.default_rng(1).random((n, 31)).astype(np.float16)
    np.savez(folder / "spectra.npz", spectra=spectra, weights=np.arange(n, dtype=float))
    return spectra


def test_a_package_with_photographs_spectra_and_licences(tmp_path):
    photograph(tmp_path / "photographs" / "a.png")
    photograph(tmp_path / "photographs" / "b.jpg", seed=2)
    spectra = packed(tmp_path)
    stated = {
        "photographs": [{"name": "a.tif", "source": "mine", "licence": "CC0-1.0"}],
        "reflectances": [{"source": "chips", "licence": "CC-BY-4.0"}],
    }
    (tmp_path / "sources.json").write_text(json.dumps(stated))
    sources = SimulationSources.from_folder(tmp_path)
    assert [p.name for p in sources.photographs] == ["a.png", "b.jpg"]
    np.testing.assert_array_equal(sources.spectra, spectra.astype(np.float32))
    assert sources.licences == (
        ("mine: a.tif", "CC0-1.0"),
        ("b.jpg", "not stated"),
        ("chips", "CC-BY-4.0"),
    )
    assert [s.shape for s in sources.squares(20)] == [(3, 20, 20)] * 2
    rgb, cube = SimulatedPatches(sources, sizes={8: 1.0}, pixels=512).batch(0)
    assert cube.std() > 0
    assert rgb.std() > 0


@given(first=st.integers(300, 400), step=st.sampled_from([1, 5, 7, 10]), n=st.integers(4, 9))
@settings(max_examples=15, deadline=None)
def test_csv_and_npz_of_any_spacing_are_sampled_at_the_bands(tmp_path_factory, first, step, n):
    folder = tmp_path_factory.mktemp("sources")
    (folder / "spectra").mkdir()
    nm = np.arange(first, 720, step, dtype=float)
    slopes = np.linspace(0.1, 0.9, n)
    rows = slopes[:, None] * (nm - 300) / 500
    table = np.column_stack([nm, rows.T])
    header = "wavelength," + ",".join("abcdefghi"[:n])
    np.savetxt(folder / "spectra" / "a.csv", table, delimiter=",", header=header, comments="")
    np.savez(folder / "spectra" / "b.npz", wavelengths_nm=nm, reflectance=rows, licence="CC0-1.0")
    sources = SimulationSources.from_folder(folder)
    expected = slopes[:, None] * (WAVELENGTHS_NM - 300) / 500
    np.testing.assert_allclose(sources.spectra, np.tile(expected, (2, 1)), rtol=1e-5)
    assert sources.licences == (("a.csv", "not stated"), ("b.npz", "CC0-1.0"))


def test_photographs_alone_take_the_spectra_of_colour_science(tmp_path):
    photograph(tmp_path / "photographs" / "a.png")
    sources = SimulationSources.from_folder(tmp_path)
    assert len(sources.spectra) == len(SimulationSources.defaults().spectra)
    assert sources.licences[0] == ("a.png", "not stated")


def test_no_folder_and_an_empty_one(tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        SimulationSources.from_folder(tmp_path / "missing")
    with pytest.raises(DatasetError, match="neither photographs/ nor"):
        SimulationSources.from_folder(tmp_path)


@pytest.mark.parametrize("name", ["spectra.npz", "spectra/a.npz", "spectra/a.csv"])
@pytest.mark.parametrize("content", [b"", b"wavelength,a\n400,x\n", b"PK\x03\x04 cut"])
def test_damaged_spectra_are_named(tmp_path, name, content):
    (tmp_path / "spectra").mkdir()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match="holds no spectra that can be read") as raised:
        SimulationSources.from_folder(tmp_path)
    assert raised.value.where == str(tmp_path / name)


def test_spectra_of_another_range_and_percent(tmp_path):
    (tmp_path / "spectra").mkdir()
    path = tmp_path / "spectra" / "a.csv"
    path.write_text("wavelength,a\n420,0.5\n720,0.6\n")
    with pytest.raises(DatasetError, match="420 to 720 nm"):
        SimulationSources.from_folder(tmp_path)
    path.write_text("wavelength,a\n400,50\n700,60\n")
    with pytest.raises(DatasetError, match="not percent"):
        SimulationSources.from_folder(tmp_path)


def test_a_damaged_photograph_and_a_damaged_list_are_named(tmp_path):
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "a.png").write_bytes(b"\x89PNG cut")
    sources = SimulationSources.from_folder(tmp_path)
    with pytest.raises(DatasetError, match=r"a\.png"):
        sources.squares(8)
    (tmp_path / "sources.json").write_text("{")
    with pytest.raises(DatasetError, match=r"sources\.json: is no JSON"):
        SimulationSources.from_folder(tmp_path)
