"""The configuration: what presets have, what is refused, what comes back from its file."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gmsr.errors import InputError
from napari_gmsr.training import (
    PRESETS,
    SELECT,
    DatasetSettings,
    LossSettings,
    OptimiserSettings,
    TrainingConfig,
    preset,
    read_config,
)


def test_the_paper_preset_has_what_the_paper_says() -> None:
    config = preset("paper")
    adam = config.optimiser
    assert (adam.name, adam.learning_rate, adam.beta1, adam.beta2) == ("adam", 1e-4, 0.9, 0.99)
    assert (adam.eps, adam.weight_decay) == (1e-8, 0)
    assert (config.batch, config.patch, config.stride, config.epochs) == (20, 128, 64, 100)
    assert (config.schedule, config.warm_up) == ("polynomial", 0)
    assert config.loss == LossSettings(l1=1)
    assert (config.network, config.network_arguments) == ("gmsr", {})
    assert (config.order, config.flips, config.exposure) == ("grid", False, None)
    assert (config.ema, config.clip_norm) == (None, None)
    assert (config.select, config.validation) == ("paper.psnr_db", "validation")


def test_the_official_preset_differs_as_the_implementation_does() -> None:
    paper, official = (preset(name).model_dump() for name in ("paper", "official"))
    different = {key for key in paper if paper[key] != official[key]}
    assert different == {"preset", "optimiser", "schedule", "validation"}
    assert official["optimiser"] == {**paper["optimiser"], "beta2": 0.999}
    assert official["schedule"] == "constant"
    assert official["validation"] == "test-patches"


def test_the_recommended_preset_is_the_default() -> None:
    config = preset()
    assert config == TrainingConfig(preset="recommended")
    assert (config.validation, config.flips, config.schedule) == ("validation", True, "cosine")
    assert config.exposure is not None
    assert config.ema is not None
    assert config.warm_up > 0


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("length", [{"steps": 3}, {"epochs": 0.5}, {"minutes": 30}])
def test_a_length_replaces_the_presets(name: Any, length: dict[str, float]) -> None:
    config = preset(name, **length)
    lengths = {key: getattr(config, key) for key in ("epochs", "steps", "minutes")}
    assert {key: value for key, value in lengths.items() if value is not None} == length


def test_a_part_of_a_table_keeps_the_rest() -> None:
    config = preset("paper", optimiser={"learning_rate": 1e-3})
    assert config.optimiser.learning_rate == 1e-3
    assert config.optimiser.beta2 == 0.99


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"learning_rate": 1e-3}, "learning_rate"),
        ({"optimiser": {"momentum": 0.9}}, "optimiser.momentum"),
        ({"steps": 3, "minutes": 2}, "steps and minutes"),
        ({"steps": 0}, "steps"),
        ({"batch": 0}, "batch"),
        ({"patch": 4}, "patch"),
        ({"exposure": (0.5, 0.2)}, "exposure"),
        ({"exposure": (0.0, 1.0)}, "exposure"),
        ({"loss": {"l1": 0}}, "every weight is 0"),
        ({"dataset": {"name": "cave"}}, "folder"),
        ({"select": "paper.beauty"}, "select"),
        ({"optimiser": {"learning_rate": float("nan")}}, "learning_rate"),
        ({"name": "a/b"}, "name"),
        ({"version": 2}, "version"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        preset(**changes)
    assert caught.value.fix


def test_an_unknown_preset() -> None:
    with pytest.raises(InputError, match="recommended, paper, official"):
        preset("fast")  # type: ignore[arg-type]


fractions = st.floats(0, 1, exclude_min=True, exclude_max=True)
lengths = st.sampled_from(["epochs", "minutes"]).flatmap(
    lambda name: st.fixed_dictionaries({name: st.floats(0, 1e6, exclude_min=True)})
) | st.fixed_dictionaries({"steps": st.integers(1, 10**9)})
ranges = st.tuples(fractions, fractions).map(lambda pair: (min(pair), max(pair)))
configs = st.builds(
    lambda length, **values: TrainingConfig(**values, **length),
    length=lengths,
    name=st.from_regex(r"[^/\\\x00-\x1f]{0,20}", fullmatch=True),
    dataset=st.builds(
        DatasetSettings,
        name=st.sampled_from(["cave", "pairs", "simulated"]),
        folder=st.just(Path("data")),
        encoding=st.sampled_from([None, "srgb", "linear"]),
    ),
    network_arguments=st.dictionaries(st.text(max_size=5), st.lists(st.integers()), max_size=2),
    exposure=st.none() | ranges,
    loss=st.builds(LossSettings, sam=fractions, mrae=fractions),
    optimiser=st.builds(OptimiserSettings, beta1=fractions, learning_rate=fractions),
    ema=st.none() | fractions,
    select=st.sampled_from(SELECT),
    probes=st.lists(st.tuples(st.text(), st.integers(0), st.integers(0)), max_size=3).map(tuple),
    seed=st.integers(0, 2**31 - 1),
)


@settings(max_examples=40, deadline=None)
@given(configs)
def test_a_configuration_comes_back_from_its_json(config: TrainingConfig) -> None:
    assert TrainingConfig.model_validate_json(config.model_dump_json()) == config
    assert TrainingConfig.model_validate(config.model_dump()) == config


def test_a_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    with pytest.raises(InputError, match="cannot be read"):
        read_config(file)
    for content in (b"", b"{", b"[]", b'{"batch": "many"}', b"\xff\xfe", b'{"steps": 1, "x": 1}'):
        file.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_config(file)
        assert "config.json" in caught.value.where


def test_a_title_can_be_a_files_name() -> None:
    assert preset(start_from="runs/a/best.safetensors").title.count("/") == 0
    assert preset(name="mine").title == "mine"
