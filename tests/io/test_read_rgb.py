"""RGB pictures: exact numbers, orientation, transparency, profiles, and pictures that are none."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms

from napari_gmsr.errors import InputError
from napari_gmsr.io import read_rgb, supported_suffixes

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
PICTURE16 = RNG.integers(0, 65536, (5, 7, 3), dtype=np.uint16)


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".TIFF", ".PNG"])
def test_8_bit_samples_are_divided_by_255_exactly(tmp_path, suffix):
    rgb = read_rgb(save(tmp_path / f"scene{suffix}", PICTURE))
    assert rgb.data.dtype == np.float32
    np.testing.assert_array_equal(rgb.data, PICTURE / np.float32(255))
    assert (rgb.encoding, rgb.bit_depth, rgb.name, rgb.notes) == ("srgb", 8, "scene", ())


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
def test_jpeg_gives_what_pillow_decodes(tmp_path, suffix):
    path = save(tmp_path / f"scene{suffix}", PICTURE, quality=95)
    rgb = read_rgb(path)
    np.testing.assert_array_equal(rgb.data, np.asarray(Image.open(path)) / np.float32(255))
    assert (rgb.encoding, rgb.bit_depth) == ("srgb", 8)


def test_16_bit_png_keeps_its_16_bits(tmp_path):
    path = tmp_path / "deep.png"
    path.write_bytes(imagecodecs.png_encode(PICTURE16))
    rgb = read_rgb(path)
    np.testing.assert_array_equal(rgb.data, PICTURE16 / np.float32(65535))
    assert (rgb.encoding, rgb.bit_depth) == ("srgb", 16)


def test_16_bit_png_with_alpha_lies_over_black(tmp_path):
    alpha = RNG.integers(0, 65536, (5, 7, 1), dtype=np.uint16)
    path = tmp_path / "deep.png"
    path.write_bytes(imagecodecs.png_encode(np.concatenate([PICTURE16, alpha], axis=2)))
    expected = (PICTURE16 / np.float32(65535)) * (alpha / np.float32(65535))
    rgb = read_rgb(path)
    np.testing.assert_array_equal(rgb.data, expected)
    assert rgb.notes == ("Transparent parts were laid over black.",)


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_16_bit_tiff(tmp_path, compression, planar):
    path = tmp_path / "deep.tif"
    stored = PICTURE16 if planar == "contig" else np.moveaxis(PICTURE16, -1, 0)
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, compression=compression)
    rgb = read_rgb(path)
    np.testing.assert_array_equal(rgb.data, PICTURE16 / np.float32(65535))
    assert (rgb.encoding, rgb.bit_depth) == ("srgb", 16)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("options", [{"photometric": "rgb"}, {"photometric": "minisblack"}])
def test_float_tiff_is_linear_and_left_as_it_is(tmp_path, dtype, options):
    values = RNG.random((6, 4, 3)).astype(dtype)
    tifffile.imwrite(tmp_path / "float.tif", values, **options)
    rgb = read_rgb(tmp_path / "float.tif")
    np.testing.assert_array_equal(rgb.data, values.astype(np.float32))
    assert (rgb.encoding, rgb.bit_depth) == ("linear", np.dtype(dtype).itemsize * 8)


def test_12_bit_tiff_is_divided_by_its_own_full_scale(tmp_path):
    values = RNG.integers(0, 4096, (6, 4, 3), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "raw.tif", values, photometric="rgb", bitspersample=12)
    rgb = read_rgb(tmp_path / "raw.tif")
    np.testing.assert_array_equal(rgb.data, values / np.float32(4095))
    assert rgb.bit_depth == 12


@pytest.mark.parametrize("outcolorspace", ["rgb", "ycbcr"])
def test_jpeg_in_a_tiff(tmp_path, outcolorspace):
    path = tmp_path / "jpeg.tif"
    flat = np.broadcast_to(np.array([200, 100, 50], np.uint8), (32, 32, 3))
    arguments = {"outcolorspace": outcolorspace, "level": 100}
    tifffile.imwrite(path, flat, photometric="rgb", compression="jpeg", compressionargs=arguments)
    np.testing.assert_allclose(read_rgb(path).data * 255, flat, atol=2)


def test_floats_beyond_0_to_1_are_kept_and_noted(tmp_path):
    values = np.full((3, 4, 3), 0.5, np.float32)
    values[0, 0, 0], values[2, 3, 1] = -0.25, 4
    tifffile.imwrite(tmp_path / "hdr.tif", values, photometric="rgb")
    rgb = read_rgb(tmp_path / "hdr.tif")
    np.testing.assert_array_equal(rgb.data, values)
    assert rgb.notes == ("2 of 36 samples lie outside 0 to 1 (-0.25 to 4) and were kept.",)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_not_finite_floats_are_counted_and_found(tmp_path, bad):
    values = np.zeros((4, 5, 3))
    values[2, 3, 1] = values[3, 0] = bad
    tifffile.imwrite(tmp_path / "holes.tif", values, photometric="rgb")
    with pytest.raises(InputError, match=r"holes\.tif: 2 of 20 pixels .* first at y=2, x=3"):
        read_rgb(tmp_path / "holes.tif")


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 5000, 3), (5000, 1, 3)])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_tiny_and_thin_and_flat_pictures_are_pictures(tmp_path, shape, suffix):
    rgb = read_rgb(save(tmp_path / f"thin{suffix}", np.full(shape, 51, np.uint8)))
    np.testing.assert_array_equal(rgb.data, np.full(shape, np.float32(0.2)))


@settings(deadline=None, max_examples=40)
@given(
    array=st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda dtype: hnp.arrays(dtype, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3)))
    ),
    suffix=st.sampled_from([".png", ".tif"]),
)
def test_any_integer_picture_comes_back_exactly(tmp_path_factory, array, suffix):
    path = tmp_path_factory.mktemp("any") / f"any{suffix}"
    if suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(array))
    else:
        tifffile.imwrite(path, array, photometric="rgb")
    full_scale = np.float32(np.iinfo(array.dtype).max)
    np.testing.assert_array_equal(read_rgb(path).data, array / full_scale)


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_orientation_is_applied_as_pillow_applies_it(tmp_path, orientation, suffix):
    from PIL import ImageOps

    path = tmp_path / f"turned{suffix}"
    if suffix == ".tif":
        tag = (274, "H", 1, orientation, True)
        tifffile.imwrite(path, PICTURE, photometric="rgb", extratags=[tag])
    else:
        exif = Image.Exif()
        exif[274] = orientation
        save(path, PICTURE, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image)) / np.float32(255)
    rgb = read_rgb(path)
    np.testing.assert_array_equal(rgb.data, expected)
    assert rgb.shape == ((5, 7) if orientation < 5 else (7, 5))
    turned = f"Turned as the camera noted (EXIF orientation {orientation})."
    assert rgb.notes == (() if orientation == 1 else (turned,))


# Transparency


def with_alpha(alpha: np.ndarray) -> np.ndarray:
    return np.dstack([PICTURE, alpha])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_transparent_parts_lie_over_black(tmp_path, suffix):
    alpha = RNG.integers(0, 256, PICTURE.shape[:2], dtype=np.uint8)
    alpha[0] = 0
    rgb = read_rgb(save(tmp_path / f"cut{suffix}", with_alpha(alpha)))
    opacity = (alpha / np.float32(255))[..., None]
    np.testing.assert_array_equal(rgb.data, PICTURE / np.float32(255) * opacity)
    assert rgb.notes == ("Transparent parts were laid over black.",)


def test_weighted_alpha_of_a_tiff_is_not_applied_twice(tmp_path):
    alpha = np.full(PICTURE.shape[:2], 128, np.uint8)
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, with_alpha(alpha), photometric="rgb", extrasamples=["assocalpha"])
    np.testing.assert_array_equal(read_rgb(path).data, PICTURE / np.float32(255))


def test_opaque_alpha_is_left_out(tmp_path):
    alpha = np.full(PICTURE.shape[:2], 255, np.uint8)
    rgb = read_rgb(save(tmp_path / "opaque.png", with_alpha(alpha)))
    np.testing.assert_array_equal(rgb.data, PICTURE / np.float32(255))
    assert rgb.notes == ("The alpha channel is opaque everywhere and was left out.",)


def test_palette_colours_are_looked_up(tmp_path):
    colours = np.array([[255, 0, 0], [0, 128, 255]], np.uint8)
    index = np.array([[0, 1, 1], [1, 0, 0]], np.uint8)
    image = Image.fromarray(index, mode=None).convert("P")
    image.putdata(index.ravel().tolist())
    image.putpalette(colours.ravel().tolist())
    image.save(tmp_path / "palette.png")
    map16 = np.zeros((3, 256), np.uint16)
    map16[:, :2] = colours.T.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "palette.tif", index, photometric="palette", colormap=map16)
    for suffix in (".png", ".tif"):
        rgb = read_rgb(tmp_path / f"palette{suffix}")
        np.testing.assert_array_equal(rgb.data, (colours / np.float32(255))[index])
        assert rgb.notes == ("A palette picture: its colours were looked up.",)


# Profiles


def profile(name: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()


def test_an_srgb_profile_needs_no_note(tmp_path):
    assert read_rgb(save(tmp_path / "a.png", PICTURE, icc_profile=profile("sRGB"))).notes == ()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_another_profile_is_named_and_not_applied(tmp_path, suffix):
    icc = profile("XYZ")
    plain = read_rgb(save(tmp_path / f"plain{suffix}", PICTURE))
    rgb = read_rgb(save(tmp_path / f"profiled{suffix}", PICTURE, icc_profile=icc))
    np.testing.assert_array_equal(rgb.data, plain.data)
    (note,) = rgb.notes
    assert note.startswith("The ICC profile 'XYZ")
    assert note.endswith("was not applied; the numbers are taken as sRGB.")


def test_a_broken_profile_is_noted(tmp_path):
    rgb = read_rgb(save(tmp_path / "a.png", PICTURE, icc_profile=b"no profile"))
    assert rgb.notes == ("An unreadable ICC profile was not applied.",)


# Pictures that are none


def refused(path: Path, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_rgb(path)
    assert str(path) in str(caught.value)
    assert caught.value.fix
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
def test_grey_is_refused(tmp_path, suffix):
    refused(save(tmp_path / f"grey{suffix}", PICTURE[..., 0]), "grey", "colour picture")


@pytest.mark.parametrize("mode", ["1", "LA", "I;16"])
def test_other_greys_are_refused(tmp_path, mode):
    path = tmp_path / "grey.png"
    Image.new(mode, (4, 3)).save(path)
    refused(path, "grey")


def test_grey_float_tiff_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "grey.tif", np.zeros((4, 5), np.float32), photometric="minisblack")
    refused(tmp_path / "grey.tif", "grey")


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_is_refused(tmp_path, suffix):
    path = tmp_path / f"ink{suffix}"
    Image.new("CMYK", (4, 3)).save(path)
    refused(path, "sRGB")


def test_two_pages_are_refused_with_their_number(tmp_path):
    path = tmp_path / "two.tif"
    tifffile.imwrite(path, np.stack([PICTURE, PICTURE]), photometric="rgb")
    refused(path, "2 pages", "cube")


def test_a_thumbnail_is_no_second_page(tmp_path):
    path = tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(PICTURE, photometric="rgb", subfiletype=0)
        tiff.write(PICTURE[::2, ::2], photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(read_rgb(path).data, PICTURE / np.float32(255))


def test_a_tiff_of_31_samples_is_named_a_cube(tmp_path):
    path = tmp_path / "cube.tif"
    cube = np.zeros((4, 5, 31), np.float32)
    tifffile.imwrite(path, cube, photometric="minisblack", planarconfig="contig")
    refused(path, "31 samples", "cube")


@pytest.mark.parametrize("dtype", [np.int16, np.uint32])
def test_other_integers_are_refused(tmp_path, dtype):
    path = tmp_path / "odd.tif"
    tifffile.imwrite(path, np.zeros((4, 5, 3), dtype), photometric="rgb")
    refused(path, np.dtype(dtype).name, "16 bits")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.9])
def test_cut_short_is_refused(tmp_path, suffix, kept):
    noise = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content = save(tmp_path / f"whole{suffix}", noise).read_bytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(content[: int(len(content) * kept)])
    refused(path)


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_16_bit_png_cut_short_is_refused(tmp_path, kept):
    content = imagecodecs.png_encode(RNG.integers(0, 65536, (64, 64, 3), dtype=np.uint16))
    path = tmp_path / "cut.png"
    path.write_bytes(content[: int(len(content) * kept)])
    refused(path)


@pytest.mark.parametrize("suffix", supported_suffixes("rgb"))
def test_text_is_no_picture(tmp_path, suffix):
    path = tmp_path / f"text{suffix}"
    path.write_text("no picture")
    refused(path, "cannot be read as a")


def test_missing_folder_and_unknown_suffix(tmp_path):
    refused(tmp_path / "missing.png", "no such file")
    (tmp_path / "folder.png").mkdir()
    refused(tmp_path / "folder.png", "folder")
    (tmp_path / "picture.gif").write_bytes(b"GIF89a")
    refused(tmp_path / "picture.gif", ".gif", ".png .jpg .jpeg .bmp .tif .tiff")


def test_no_permission_is_an_input_error(tmp_path, monkeypatch):
    path = save(tmp_path / "secret.png", PICTURE)

    def denied(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Image, "open", denied)
    refused(path, "no permission")


def test_a_file_without_permission(plain_user_folder):
    path = save(plain_user_folder / "secret.png", PICTURE)
    path.chmod(0)
    refused(path, "no permission")


def test_a_folder_without_permission(plain_user_folder):
    path = save(plain_user_folder / "secret.png", PICTURE)
    plain_user_folder.chmod(0)
    refused(path, "no permission")


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_too_many_pixels_are_an_error_and_no_warning(tmp_path, side):
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        refused(path, "pixels", "TIFF")


def test_what_pillow_warns_of_becomes_a_note(tmp_path):
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0"  # an EXIF directory that ends too early
    stream = io.BytesIO()
    Image.fromarray(PICTURE).save(stream, "JPEG", exif=exif)
    path = tmp_path / "corrupt_exif.jpg"
    path.write_bytes(stream.getvalue())
    (note,) = read_rgb(path).notes
    assert note.startswith("Pillow: ")


def test_the_measured_pictures_open(shared_data):
    paths = sorted((shared_data / "rgb").iterdir())
    assert paths
    for path in paths:
        rgb = read_rgb(path)
        assert rgb.data.shape == (482, 512, 3)
        assert (rgb.encoding, rgb.bit_depth, rgb.notes) == ("srgb", 8, ())
        with Image.open(path) as image:
            np.testing.assert_array_equal(rgb.data, np.asarray(image) / np.float32(255))
