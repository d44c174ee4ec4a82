"""Which engine is chosen, and what is said about it."""

import pytest
import torch

from napari_gmsr.errors import EngineError
from napari_gmsr.scan import choose_engine, list_engines


def test_a_cpu_gets_the_compiled_engine_and_training_the_plain_one() -> None:
    assert choose_engine("cpu").name == "cpu"
    assert choose_engine("cpu", gradients=True).name == "reference"


def test_every_engine_has_a_reason() -> None:
    for engine in list_engines(torch.device("cpu")):
        assert engine.reason, engine


def test_the_reference_runs_everywhere() -> None:
    for device in ("cpu", "cuda", "mps", "xpu"):
        assert choose_engine(device, "reference").available


@pytest.mark.parametrize("name", ["fused", "no-such-engine"])
def test_a_forced_engine_that_cannot_run_is_named_with_all_reasons(name: str) -> None:
    with pytest.raises(EngineError, match=name) as caught:
        choose_engine("cpu", name)
    for engine in ("fused: no", "cpu: yes", "reference: yes"):
        assert engine in caught.value.fix
