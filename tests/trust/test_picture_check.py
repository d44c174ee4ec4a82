"""The check of a picture: each defect is found, clean pictures pass."""

import io

import numpy as np
import pytest
from PIL import Image

from napari_gmsr.color import linear_to_srgb, render_rgb, srgb_to_linear
from napari_gmsr.cube import SpectralCube
from napari_gmsr.datasets import sample_scene
from napari_gmsr.errors import InputError
from napari_gmsr.image import RGBImage
from napari_gmsr.io import read_cube
from napari_gmsr.trust import check_picture, picture_check
from napari_gmsr.weights import list_models

CARDS = {card.name: card for card in list_models()}
PHOTO = CARDS["photo"]


@pytest.fixture(scope="module")
def clean():
    """A clean sRGB picture of 8 bits and 192 x 192 pixels."""
    picture, _ = sample_scene()
    return np.rint((0.06 + 0.85 * picture.data[100:292, 100:292]) * 255).astype(np.float32) / 255


def kinds(data, encoding="srgb", bits=8, card=PHOTO):
    picture = RGBImage(data.astype(np.float32), encoding, bits)
    return [finding.kind for finding in check_picture(picture, card)]


def test_a_clean_picture_has_no_finding(clean):
    assert kinds(clean) == []
    assert kinds(clean, card=None) == []
    linear = srgb_to_linear(clean)
    assert kinds(linear + 1e-4, "linear", 32, None) == []


def test_a_finding_is_one_sentence_with_what_to_do(clean):
    (finding,) = check_picture(RGBImage(clean * 1.3 - 0.1))[:1]
    assert finding.kind == "range"
    assert str(finding).endswith(".")
    assert finding.fix in str(finding)


def test_linear_light_taken_for_srgb_shows_where_it_is_dark(clean):
    assert kinds(srgb_to_linear(clean) ** 1.3) == ["encoding"]


def test_a_photograph_taken_for_linear_light(clean):
    assert "encoding" in kinds(np.rint(clean * 255) / 255, "linear", 32, None)
    assert "encoding" in kinds(linear_to_srgb(clean) * 0.97, "linear", 32, None)


@pytest.mark.parametrize(("bits", "factor"), [(10, 64), (12, 16), (14, 4)])
def test_few_bits_in_a_file_of_sixteen(clean, bits, factor):
    samples = np.rint(clean / clean.max() * (2**bits - 1))
    picture = RGBImage((samples / 65535).astype(np.float32), "srgb", 16)
    findings = check_picture(picture, PHOTO)
    assert [finding.kind for finding in findings] == ["depth"]
    assert f"multiply the picture by {factor}" in str(findings[0])


def test_a_stretched_picture(clean):
    assert kinds(np.rint(clean * 60) / 60) == ["depth"]


def test_clipped_lights_and_shadows(clean):
    assert kinds((clean * 1.6).clip(0, 1)) == ["clipping"]
    assert kinds((clean - 0.25).clip(0, 1)).count("clipping") == 1


def test_a_colour_cast(clean):
    warm = linear_to_srgb(srgb_to_linear(clean) * [1, 0.6, 0.3]).astype(np.float32)
    assert "white balance" in kinds(warm)


@pytest.mark.parametrize("quality", [75, 40])
@pytest.mark.parametrize("shift", [(0, 0), (3, 5)])
def test_blocks_of_a_jpeg(clean, quality, shift):
    file = io.BytesIO()
    Image.fromarray(np.rint(clean * 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    decoded = np.asarray(Image.open(file)) / 255
    assert kinds(decoded[shift[0] :, shift[1] :]) == ["jpeg"]


def test_noise(clean):
    noisy = clean + np.random.default_rng(0).normal(0, 0.02, clean.shape)
    assert kinds(noisy.clip(0.002, 0.998)) == ["noise"]


def test_colours_that_the_training_had_not(clean):
    laser = np.full((64, 64, 3), [0.02, 0.7, 0.02]) + np.linspace(0, 0.1, 64)[:, None]
    assert "colours" in kinds(laser)
    assert "colours" not in kinds(laser, card=None)
    # An ordinary photograph is not what the checkpoint for linear CIE 1964 pictures saw.
    flowers = clean * [1, 0.75, 0.5]
    assert "colours" in kinds(flowers, "linear", 32, CARDS["ntire2020-clean"])


def test_what_is_no_number_is_refused():
    with pytest.raises(InputError, match="NaN"):
        check_picture(np.full((4, 4, 3), np.nan, np.float32))


@pytest.mark.parametrize("shape", [(1, 1), (3, 70), (64, 9)])
def test_small_and_flat_pictures(shape):
    assert kinds(np.full((*shape, 3), 0.5)) == []


def test_a_large_picture_is_looked_at_in_its_middle(monkeypatch):
    monkeypatch.setattr(picture_check, "_MOST_PIXELS", 10_000)
    large = np.full((200, 300, 3), 0.5)
    large[:, :10] = 1
    assert kinds(large) == []
    assert kinds(large[:50, :100]) == ["clipping"]


def test_false_alarms_on_real_scenes(shared_data):
    """Rendered through the ideal camera, real scenes are clean but for colours out of gamut."""
    for name in ("balloons_crop100", "chart_and_stuffed_toy_256", "cloth_256"):
        cube = SpectralCube(read_cube(shared_data / "scenes" / f"cave_{name}.mat").data)
        picture = render_rgb(cube, "srgb", "D65", "srgb")
        assert kinds(np.rint(picture.data * 255) / 255) == []
