"""The spread over turns and checkpoints, and how often the truth lies within."""

import weakref
from importlib import import_module

import numpy as np
import pytest

from napari_gmsr.cube import WAVELENGTHS_NM, SpectralCube
from napari_gmsr.errors import Cancelled, InputError
from napari_gmsr.reconstruct import reconstruct
from napari_gmsr.trust import calibrate, measured_factor, uncertainty, widen

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (10, 14, 3), dtype=np.uint8)


def test_turns_are_the_self_ensemble(tiny):
    model = tiny()
    found, expected = uncertainty(PHOTO, [model]), reconstruct(PHOTO, model, ensemble=True)
    np.testing.assert_array_equal(found.data, expected.data)
    np.testing.assert_array_equal(found.spread, expected.spread)
    assert found.provenance["spread_over"] == {"checkpoints": 1, "turns": 8}


def test_the_spread_over_checkpoints_is_the_standard_deviation(tiny):
    models = [tiny(seed) for seed in range(3)]
    cubes = np.stack([reconstruct(PHOTO, model).data for model in models])
    found = uncertainty(PHOTO, models, turns=False)
    np.testing.assert_allclose(found.data, cubes.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.spread, cubes.std(axis=0), atol=1e-6)
    assert found.spread.max() > 0.01
    assert found.provenance["model"] == "tiny0, tiny1, tiny2"


def test_both_are_the_standard_deviation_over_all_members(tiny):
    models = [tiny(seed) for seed in range(2)]
    members = []
    for model in models:
        for k in range(4):
            for flip in (False, True):
                view = np.rot90(PHOTO[:, ::-1] if flip else PHOTO, k)
                cube = np.rot90(reconstruct(view.copy(), model).data, -k, axes=(1, 2))
                members.append(cube[:, :, ::-1] if flip else cube)
    found = uncertainty(PHOTO, models)
    # The ensemble clips its mean to [0, 1], and not its members.
    inside = ((np.array(members) > 0) & (np.array(members) < 1)).all(axis=0)
    assert inside.sum() > 100
    np.testing.assert_allclose(found.spread[inside], np.std(members, axis=0)[inside], atol=1e-5)


def test_members_are_not_kept(tiny, monkeypatch):
    made = []

    def remembered(*args, **options):
        alive = [reference for reference in made if reference() is not None]
        assert len(alive) <= 2  # the first, which says where all comes from, and the last
        cube = reconstruct(*args, **options)
        made.append(weakref.ref(cube))
        return cube

    module = import_module("napari_gmsr.trust.uncertainty")
    monkeypatch.setattr(module, "reconstruct", remembered)
    uncertainty(PHOTO, [tiny(seed) for seed in range(5)], turns=False)
    assert len(made) == 5


def test_progress_counts_every_tile_once(tiny):
    seen = []
    uncertainty(PHOTO, [tiny(0), tiny(1)], progress=seen.append)
    assert [at.done for at in seen] == sorted(at.done for at in seen)
    assert {at.total for at in seen} == {16}
    assert seen[-1].done == 16
    assert seen[-1].message.startswith("tiny1: ")


def test_cancel_stops_it(tiny):
    with pytest.raises(Cancelled):
        uncertainty(PHOTO, [tiny()], cancel=lambda: True)


def test_what_has_no_spread_is_refused(tiny):
    with pytest.raises(InputError, match="no spread"):
        uncertainty(PHOTO, [tiny()], turns=False)
    with pytest.raises(InputError, match="differ in their bands"):
        uncertainty(PHOTO, [tiny(), tiny(1, WAVELENGTHS_NM + 5)])
    with pytest.raises(InputError, match="no spread"):
        calibrate(SpectralCube(np.ones((31, 2, 2))), np.ones((31, 2, 2)))


def test_a_right_spread_is_calibrated():
    truth = RNG.uniform(0.2, 0.8, (31, 40, 50)).astype(np.float32)
    spread = RNG.uniform(0.001, 0.1, truth.shape).astype(np.float32)
    cube = SpectralCube(truth + spread * RNG.standard_normal(truth.shape), spread=spread)
    found = calibrate(cube, truth)
    assert found.within[1] == pytest.approx(0.683, abs=0.01)
    assert found.within[2] == pytest.approx(0.954, abs=0.01)
    assert found.scale == pytest.approx(1, abs=0.02)
    assert found.rank_correlation > 0.3
    narrow = SpectralCube(cube.data, spread=spread / 4)
    assert calibrate(narrow, truth).scale == pytest.approx(4, abs=0.1)
    assert calibrate(narrow, truth).within[1] < 0.3
    assert calibrate(narrow, truth, scale=4).within[1] == pytest.approx(0.683, abs=0.01)


def test_a_spread_of_zero_covers_only_what_is_exact():
    cube = SpectralCube(np.full((31, 2, 2), 0.5), spread=np.zeros((31, 2, 2), np.float32))
    truth = np.full((31, 2, 2), 0.5)
    truth[:, 0] = 0.6
    found = calibrate(cube, truth)
    assert found.within == {1: 0.5, 2: 0.5, 3: 0.5}
    assert found.rank_correlation == 0


def test_a_measured_factor_widens_the_spread():
    assert 15 < measured_factor("photo") < 30
    assert measured_factor("mine") is None
    cube = SpectralCube(np.ones((31, 2, 2)), spread=np.full((31, 2, 2), 0.01, np.float32))
    wide = widen(cube, 20.0)
    np.testing.assert_allclose(wide.spread, 0.2)
    assert wide.provenance["spread_factor"] == 20
    assert "multiplied by 20" in wide.provenance["notes"][-1]
    with pytest.raises(InputError, match="factor"):
        widen(cube, 0)
    with pytest.raises(InputError, match="no spread"):
        widen(SpectralCube(cube.data), 2)
