"""Fixtures that every room's tests share."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of measured data; the test skips where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("the measured data is not at ../shared/data")
    return folder


@pytest.fixture(scope="session")
def conformance() -> Path:
    """The folder of conformance vectors; the test skips where it is absent."""
    folder = SHARED / "conformance"
    if not folder.is_dir():
        pytest.skip("the conformance vectors are not at ../shared/conformance")
    return folder
