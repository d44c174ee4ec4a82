"""Where tiles overlap: how much they disagree, against all tiles kept in memory."""

import numpy as np
import pytest
import torch

from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.reconstruct import reconstruct
from napari_gmsr.reconstruct.progress import Reporter
from napari_gmsr.reconstruct.tiles import blend_tiles, cuts
from napari_gmsr.weights import Model, ModelCard

RNG = np.random.default_rng(0)
PICTURE = RNG.uniform(0, 1, (50, 70, 3)).astype(np.float32)


def tilewise(picture):
    """A network that sees a tile's extent: its values follow the tile's mean."""
    bands = np.linspace(0.2, 0.8, 5, dtype=np.float32)[:, None, None]
    return bands * picture.mean(axis=2) * (1 + 20 * (picture.mean() - 0.5))


@pytest.mark.parametrize(("tile", "overlap"), [(32, 8), (24, 12), (16, 0), (100, 8)])
def test_it_is_the_weighted_deviation_between_the_tiles(tile, overlap):
    cube = np.zeros((5, 50, 70), np.float32)
    seams = blend_tiles(PICTURE, tilewise, cube, Reporter(99), tile, overlap)
    parts = [
        (row, column, tilewise(PICTURE[row.slice, column.slice]))
        for row in cuts(50, tile, overlap)
        for column in cuts(70, tile, overlap)
    ]
    variance, count = np.zeros((5, 50, 70)), np.zeros((50, 70))
    for row, column, part in parts:
        weight = row.weight[:, None].astype(float) * column.weight
        here = (slice(None), row.slice, column.slice)
        variance[here] += weight * (part - cube[here]) ** 2
        count[row.slice, column.slice] += 1
    expected = np.sqrt(variance.mean(axis=0))
    np.testing.assert_allclose(seams, expected, atol=5e-4)
    assert not seams[count == 1].any()
    if (count > 1).any():
        assert seams.max() > 0.005


class Extent(torch.nn.Module):
    """A network whose result follows the mean of what it sees."""

    def forward(self, rgb):
        return (rgb.mean(1, keepdim=True) * (0.5 + rgb.mean())).expand(-1, 31, -1, -1)


def model(tmp_path):
    card = ModelCard(
        name="extent", network="gmsr", wavelengths_nm=tuple(WAVELENGTHS_NM), encoding="linear"
    )
    return Model(Extent(), card, "0" * 64, tmp_path / "extent")


def test_the_number_is_in_the_provenance_and_the_map_on_request(tmp_path):
    maps = []
    cube = reconstruct(
        PICTURE,
        model(tmp_path),
        mode="tiled",
        tile=32,
        overlap=8,
        engine="reference",
        on_seams=maps.append,
    )
    (seams,) = maps
    assert seams.shape == (50, 70)
    overlapping = seams[seams > 0].astype(float)
    found = cube.provenance["seams"]
    assert found["rms"] == pytest.approx(np.sqrt(np.mean(overlapping**2)))
    assert found["most"] == pytest.approx(seams.max())
    assert f"{found['rms']:.4f}" in cube.provenance["notes"][-1]


def test_without_tiles_there_are_no_seams(tmp_path):
    maps = []
    for options in ({"mode": "whole"}, {"mode": "tiled", "tile": 128}):
        cube = reconstruct(
            PICTURE, model(tmp_path), engine="reference", on_seams=maps.append, **options
        )
        assert cube.provenance["seams"] is None
        assert cube.provenance["notes"] == []
    assert [seams.any() for seams in maps] == [False]
