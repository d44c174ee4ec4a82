"""A cube keeps its numbers, its wavelengths and its story on the way through a napari layer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.plugin.layers import (
    add_cube,
    cube_from_layer,
    cube_layers,
    current_band,
    layer_spectrum,
    layer_wavelengths,
    pixel_at,
    show_band,
)


@pytest.fixture
def cube() -> SpectralCube:
    data = np.random.default_rng(0).random((31, 20, 30), dtype=np.float32)
    return SpectralCube(data, name="lemon", provenance={"model": "photo"})


def test_a_cube_survives_its_layer(cube):
    layer = add_cube(ViewerModel(), cube)
    back = cube_from_layer(layer)
    np.testing.assert_array_equal(back.data, cube.data)
    assert np.shares_memory(back.data, cube.data)
    np.testing.assert_array_equal(back.wavelengths_nm, cube.wavelengths_nm)
    assert (back.name, back.provenance) == ("lemon", {"model": "photo"})


def test_the_slider_speaks_nanometres(cube):
    viewer = ViewerModel()
    layer = add_cube(viewer, cube)
    viewer.dims.set_current_step(0, 14)
    assert viewer.dims.point[0] == 540
    assert viewer.dims.axis_labels == ("wavelength", "y", "x")
    assert [str(unit) for unit in layer.units] == ["nanometer", "pixel", "pixel"]
    assert current_band(layer, viewer.dims) == 14


def test_uneven_wavelengths_are_looked_up_never_extrapolated():
    viewer = ViewerModel()
    uneven = SpectralCube(np.ones((4, 5, 6), np.float32), np.array([400.0, 410.0, 500.0, 700.0]))
    layer = add_cube(viewer, uneven)
    viewer.dims.set_current_step(0, 2)
    assert layer_wavelengths(layer)[current_band(layer, viewer.dims)] == 500
    assert viewer.dims.axis_labels[0] == "band"


@pytest.mark.parametrize("nm", [[400, 410, 500, 700], [400, 500, 600, 700]])
def test_the_slider_goes_to_a_band(nm):
    viewer = ViewerModel()
    layer = add_cube(viewer, SpectralCube(np.ones((4, 5, 6), np.float32), np.array(nm, float)))
    for band in (2, 0, 3):
        show_band(layer, viewer.dims, band)
        assert current_band(layer, viewer.dims) == band


def test_planes_in_any_order_of_wavelength_are_a_cube_unless_two_are_the_same():
    viewer = ViewerModel()
    data = np.random.default_rng(0).random((3, 4, 5), dtype=np.float32)
    layer = viewer.add_image(data, metadata={"wavelengths_nm": [500, 400, 600]})
    np.testing.assert_array_equal(layer_wavelengths(layer), [500, 400, 600])
    np.testing.assert_array_equal(layer_spectrum(layer, 1, 2), data[:, 1, 2])
    layer.metadata["wavelengths_nm"] = [500, 500, 600]
    with pytest.raises(InputError, match="all different"):
        layer_wavelengths(layer)


def test_falling_wavelengths_rise_in_the_layer_with_their_bands():
    data = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((3, 4, 5), np.float32)
    layer = add_cube(ViewerModel(), SpectralCube(data, np.array([700.0, 600.0, 500.0])))
    np.testing.assert_array_equal(layer_wavelengths(layer), [500, 600, 700])
    np.testing.assert_array_equal(layer_spectrum(layer, 0, 0), [2, 1, 0])


@given(
    y=st.integers(0, 19), x=st.integers(0, 29), radius=st.integers(0, 40), seed=st.integers(0, 9)
)
def test_a_layers_spectrum_is_the_cubes(y, x, radius, seed):
    data = np.random.default_rng(seed).random((7, 20, 30), dtype=np.float32)
    cube = SpectralCube(data, np.linspace(400, 700, 7))
    layer = add_cube(ViewerModel(), cube)
    expected = data[:, max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
    np.testing.assert_allclose(
        layer_spectrum(layer, y, x, radius), expected.mean(axis=(1, 2)), rtol=1e-5
    )


def test_a_lazy_cube_is_read_only_where_asked(cube):
    class Watched:
        """An array that remembers how much of it was read."""

        dtype, ndim, shape, size, read = cube.data.dtype, 3, cube.data.shape, cube.data.size, 0

        def __getitem__(self, key):
            part = cube.data[key]
            self.read += part.size
            return part

        def __array__(self, dtype=None, copy=None):
            self.read += cube.data.size
            return cube.data

    watched = Watched()
    layer = Image(watched, contrast_limits=(0, 1))
    watched.read = 0
    np.testing.assert_array_equal(layer_spectrum(layer, 3, 4), cube.data[:, 3, 4])
    assert watched.read == 31


def test_wavelengths_are_found_without_our_metadata():
    shape = (5, 4, 4)
    micrometres = Image(
        np.zeros(shape, np.float32),
        scale=(0.01, 1, 1),
        translate=(0.4, 0, 0),
        units=("um", "pixel", "pixel"),
        axis_labels=("wavelength", "y", "x"),
    )
    np.testing.assert_allclose(layer_wavelengths(micrometres), [400, 410, 420, 430, 440])
    published = Image(np.zeros((31, 4, 4), np.float32))
    np.testing.assert_array_equal(layer_wavelengths(published), np.arange(400, 701, 10))


@pytest.mark.parametrize(
    "layer",
    [
        Image(np.zeros((5, 4, 4)), name="stack"),
        Image(np.zeros((5, 4, 4)), name="stack", metadata={"wavelengths_nm": [400.0, 410.0]}),
        Image(np.zeros((4, 4)), name="stack"),
        Image(np.zeros((31, 4, 3)), rgb=True, name="stack"),
        Labels(np.zeros((31, 4, 4), int), name="stack"),
    ],
    ids=["no wavelengths", "too few wavelengths", "2-D", "RGB", "labels"],
)
def test_other_layers_are_refused_with_the_fix(layer):
    assert cube_layers([layer]) == []
    with pytest.raises(InputError, match=r"stack: .*wavelengths_nm") as caught:
        cube_from_layer(layer)
    assert caught.value.fix


def test_the_pixel_under_a_world_position(cube):
    viewer = ViewerModel()
    layer = add_cube(viewer, cube)
    assert pixel_at(layer, (540, 3.4, 4.6)) == (3, 5)
    assert pixel_at(layer, (540, -0.6, 4)) is None
    assert pixel_at(layer, (540, 19.4, 29.4)) == (19, 29)
    assert pixel_at(layer, (540, 19.6, 0)) is None
    layer.scale = (10, 2, 2)
    assert pixel_at(layer, (540, 6.1, 8.2)) == (3, 4)


def test_a_cube_of_nothing_finite_still_shows():
    layer = add_cube(ViewerModel(), SpectralCube(np.full((31, 4, 4), np.nan, np.float32)))
    assert layer.contrast_limits == [0, 1]
