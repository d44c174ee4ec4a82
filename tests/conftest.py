"""Fixtures that every room's tests share."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

NOBODY = 65534
SHARED = Path(__file__).resolve().parents[2] / "shared"

# napari's settings of nobody: a user's own do not count, and are not written to.
_SETTINGS = tempfile.TemporaryDirectory()
os.environ["NAPARI_CONFIG"] = str(Path(_SETTINGS.name) / "settings.yaml")

# A property holds however busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# A shell that starts the tests in the background lets them ignore Ctrl+C; some of them press it.
signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture
def plain_user_folder() -> Iterator[Path]:
    """A folder of a user whom permissions bind, as whom the test runs: they do not bind root."""
    if not hasattr(os, "seteuid"):
        pytest.skip("permissions are POSIX's")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = os.geteuid() == 0
        if root:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o700)
