import os
from pathlib import Path

import pytest

from napari_gmsr.jobs import ProcessExecutor

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def executor():
    """One child process for a module's tests, that finds the tasks of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
        patch.setenv("PYTHONPATH", path)
        with ProcessExecutor(grace_s=0.5) as executor:
            yield executor
