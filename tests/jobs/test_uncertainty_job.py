"""The spread of several reconstructions as a job."""

import numpy as np

from napari_gmsr.errors import InputError
from napari_gmsr.image import RGBImage
from napari_gmsr.jobs import (
    Failed,
    Finished,
    InlineExecutor,
    Progress,
    UncertaintyRequest,
    start_seams,
    start_uncertainty,
)

RGB = RGBImage(np.random.default_rng(0).uniform(0, 1, (6, 7, 3)).astype(np.float32))


def test_the_cube_comes_back_with_its_spread():
    seen = []
    job = start_uncertainty(UncertaintyRequest(lambda: RGB), seen.append, InlineExecutor())
    cube = job.result()
    assert cube.spread.shape == cube.shape == (31, 6, 7)
    assert isinstance(seen[-1], Finished)
    assert [e.done for e in seen if isinstance(e, Progress)] == list(range(9))


def test_it_fails_like_any_job():
    request = UncertaintyRequest(RGB, turns=False)
    end = start_uncertainty(request, lambda event: None, InlineExecutor()).end
    assert isinstance(end, Failed)
    assert isinstance(end.error, InputError)


def test_seams_come_back_as_a_map():
    wide = RGBImage(np.random.default_rng(0).uniform(0, 1, (4, 300, 3)).astype(np.float32))
    seams = start_seams(lambda: wide, "photo", lambda event: None, InlineExecutor()).result()
    assert seams.shape == (4, 300)
    assert seams.any()
