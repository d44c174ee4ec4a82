import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_gmsr import errors
from napari_gmsr.cube import SpectralCube
from napari_gmsr.errors import InputError
from napari_gmsr.image import RGBImage
from napari_gmsr.jobs import Failed, Finished, Progress
from napari_gmsr.jobs.codec import from_json, to_json


def there_and_back(value, folder, **how):
    return from_json(json.loads(json.dumps(to_json(value, folder))), folder, **how)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text().filter(lambda key: not key.startswith("$")), inner)
    ),
)


@given(values)
def test_plain_values_come_back_as_they_were(value):
    assert there_and_back(value, Path()) == value


@given(hnp.arrays(dtype=hnp.scalar_dtypes(), shape=hnp.array_shapes(min_dims=0)))
def test_arrays_come_back_bit_for_bit(tmp_path_factory, array):
    folder = tmp_path_factory.mktemp("arrays")
    back = there_and_back({"deep": [array]}, folder)["deep"][0]
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


def test_a_picture_comes_back_with_its_notes(tmp_path):
    rgb = RGBImage(np.random.default_rng(0).random((3, 4, 3)), "linear", 16, "a", ("up",))
    back = there_and_back(rgb, tmp_path, mmap="r")
    assert (back.encoding, back.bit_depth, back.name, back.notes) == (
        "linear",
        16,
        "a",
        ("up",),
    )
    np.testing.assert_array_equal(back.data, rgb.data)


def test_a_cube_comes_back_with_provenance_and_spread(tmp_path):
    data = np.random.default_rng(0).random((3, 4, 5), dtype=np.float32)
    cube = SpectralCube(data, [400, 500, 650], "c", {"model": "photo", "score": math.inf}, data / 2)
    back = there_and_back(Finished(cube), tmp_path).result
    np.testing.assert_array_equal(back.data, cube.data)
    np.testing.assert_array_equal(back.spread, data / 2)
    np.testing.assert_array_equal(back.wavelengths_nm, cube.wavelengths_nm)
    assert (back.name, back.provenance) == ("c", cube.provenance)


def test_events_come_back(tmp_path):
    assert there_and_back(Progress(1, 2, "tile"), tmp_path) == Progress(1, 2, "tile")


@pytest.mark.parametrize(
    "cls",
    [cls for name in errors.__all__ if isinstance(cls := getattr(errors, name), type)],
)
def test_every_error_crosses_with_what_where_and_fix(cls, tmp_path):
    failed = there_and_back(
        Failed(cls("it is grey", where="a.png", fix="Use RGB."), "log"), tmp_path
    )
    assert type(failed.error) is cls
    assert str(failed.error) == "a.png: it is grey. Use RGB."
    assert failed.log == "log"


def test_other_types_are_refused_by_name(tmp_path):
    with pytest.raises(TypeError, match="set does not travel"):
        to_json({"deep": {1, 2}}, tmp_path)


def test_objects_in_arrays_are_not_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([InputError("x")], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        from_json({"$array": "a.npy"}, tmp_path)
