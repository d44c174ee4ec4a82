"""Drawn regions as masks over a cube's pixels."""

import numpy as np
import pytest
from napari.layers import Image, Labels, Shapes

from napari_gmsr.plugin.region_masks import Grid, ShapeRegions, region_masks

SIZE = (20, 30)


def grid(size=SIZE, **placed):
    return Grid.of_layer(Image(np.zeros((2, *size)), **placed), size)


def masks(layer, over=None):
    return dict(region_masks(layer).masks(over or grid()))


def box(top, left, bottom, right):
    return np.array([[top, left], [top, right], [bottom, right], [bottom, left]], float)


def test_a_rectangle_is_the_pixels_whose_centres_it_holds():
    layer = Shapes([box(2.5, 3.5, 6.5, 9.5), box(8.5, 0.5, 9.5, 1.5)], shape_type="rectangle")
    found = masks(layer)
    expected = np.zeros(SIZE, bool)
    expected[3:7, 4:10] = True
    np.testing.assert_array_equal(found[1], expected)
    assert np.argwhere(found[2]).tolist() == [[9, 1]]


def test_an_ellipse_is_round_even_when_turned():
    corners = box(0, 5, 16, 25) - [8, 15]
    turned = corners @ [[0.8, 0.6], [-0.6, 0.8]] + [9, 15]
    found = masks(Shapes(turned, shape_type="ellipse"))[1]
    y, x = (np.indices(SIZE).reshape(2, -1).T - [9, 15]).dot([[0.8, -0.6], [0.6, 0.8]]).T
    expected = ((y / 8) ** 2 + (x / 10) ** 2 <= 1).reshape(SIZE)
    assert (found != expected).sum() < 0.05 * expected.sum()


def test_lines_are_the_pixels_they_cross_as_far_as_the_picture_goes():
    # Not as a layer: napari compiles for many seconds before it shows the first path.
    lines = [np.array([[1.0, 1], [1, 4]]), np.array([[0.0, 0], [3, 3], [3, 99]])]
    found = dict(ShapeRegions(tuple((line, False) for line in lines)).masks(grid()))
    assert np.argwhere(found[1]).tolist() == [[1, 1], [1, 2], [1, 3], [1, 4]]
    assert found[2][0, 0]
    assert found[2][3, 3:].all()
    assert found[2].sum() == 3 + 27


def test_a_region_beside_the_picture_is_left_out_and_the_others_keep_their_numbers():
    layer = Shapes([box(100, 100, 120, 120), box(1, 1, 5, 5)], shape_type="rectangle")
    assert list(masks(layer)) == [2]


def test_shapes_of_a_layer_with_a_band_axis_lie_in_the_picture():
    corners = np.insert(box(2.5, 3.5, 6.5, 9.5), 0, 540, axis=1)
    (mask,) = masks(Shapes(corners, shape_type="rectangle")).values()
    assert mask.sum() == 24


@pytest.mark.parametrize(
    "placed", [{"scale": (1, 0.5, 0.5)}, {"translate": (0, 3, -2)}, {"rotate": 90}]
)
def test_shapes_lie_where_they_are_drawn_however_the_cube_lies(placed):
    cube = Image(np.zeros((2, *SIZE)), **placed)
    pixels = box(2.5, 3.5, 6.5, 9.5)
    world = [cube.data_to_world((0, *corner))[-2:] for corner in pixels]
    (mask,) = masks(Shapes(np.array(world), shape_type="polygon"), grid(**placed)).values()
    expected = np.zeros(SIZE, bool)
    expected[3:7, 4:10] = True
    np.testing.assert_array_equal(mask, expected)


def test_labels_are_regions_and_nothing_is_none():
    labels = np.zeros(SIZE, int)
    labels[2:4, 5:9], labels[10, 11] = 7, 3
    found = masks(Labels(labels))
    assert list(found) == [3, 7]
    np.testing.assert_array_equal(found[7], labels == 7)


def test_labels_of_single_bands_are_taken_together():
    labels = np.zeros((4, *SIZE), int)
    labels[0, 1, 1], labels[3, 2, 2] = 1, 1
    (mask,) = masks(Labels(labels)).values()
    assert np.argwhere(mask).tolist() == [[1, 1], [2, 2]]


def test_labels_of_another_size_are_read_where_they_lie():
    labels = np.zeros((10, 15), int)
    labels[1, 2] = 1
    layer = Labels(labels, scale=(2, 2), translate=(0.5, 0.5))
    (mask,) = masks(layer).values()
    assert np.argwhere(mask).tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]
    assert masks(Labels(labels, translate=(100, 0))) == {}
