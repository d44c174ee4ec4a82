"""Checkpoints: written, read, refused."""

import errno
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.errors import CheckpointError, OutputError
from napari_gmsr.networks import GMSRNet, create
from napari_gmsr.networks.gmsr_names import to_reference_state
from napari_gmsr.weights import ModelCard, list_models, load_model, read_card, save_checkpoint

CARD = ModelCard(
    name="tiny",
    network="gmsr",
    arguments={"widths": [6, 31]},
    wavelengths_nm=tuple(WAVELENGTHS_NM.tolist()),
    encoding="linear",
)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_checkpoint(create("gmsr", widths=[6, 31]), CARD, tmp_path / "tiny.safetensors")


def test_weights_and_card_come_back(tmp_path: Path) -> None:
    network = create("gmsr", widths=[6, 31])
    path = save_checkpoint(network, CARD, tmp_path / "tiny.safetensors")
    model = load_model(path)
    assert model.card == CARD == read_card(path)
    assert not model.network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(model.network.state_dict()[name], tensor), name


def test_an_existing_checkpoint_is_kept(checkpoint: Path) -> None:
    before = checkpoint.read_bytes()
    with pytest.raises(OutputError, match="tiny"):
        save_checkpoint(create("gmsr", widths=[6, 31]), CARD, checkpoint)
    assert checkpoint.read_bytes() == before


def test_others_may_read_a_checkpoint_as_any_file(checkpoint: Path) -> None:
    other = checkpoint.with_name("other")
    other.touch()
    assert checkpoint.stat().st_mode == other.stat().st_mode


def test_a_full_disk_keeps_the_old_checkpoint(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = checkpoint.read_bytes()

    def full(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="the disk is full"):
        save_checkpoint(create("gmsr", widths=[6, 31]), CARD, checkpoint, overwrite=True)
    assert checkpoint.read_bytes() == before
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def test_a_changed_file_is_loaded_anew(checkpoint: Path) -> None:
    first = load_model(checkpoint)
    assert load_model(checkpoint) is first
    save_checkpoint(create("gmsr", widths=[6, 31]), CARD, checkpoint, overwrite=True)
    assert load_model(checkpoint).sha256 != first.sha256


@pytest.mark.parametrize("wrap", [dict, lambda s: {"state_dict": s, "epoch": 3}])
def test_a_reference_checkpoint_loads(tmp_path: Path, wrap: Callable[..., object]) -> None:
    network = GMSRNet()
    path = tmp_path / "reference.pth"
    torch.save(wrap({f"module.{k}": v for k, v in to_reference_state(network).items()}), path)
    model = load_model(path)
    for name, tensor in network.state_dict().items():
        assert torch.equal(model.network.state_dict()[name], tensor), name
    assert model.card.encoding == "linear"


@pytest.mark.parametrize("name", ["hsrnet", "agdnet", "mstpp", "repcpsi"])
def test_published_weights_of_a_compared_network_load(tmp_path: Path, name: str) -> None:
    network = create(name)
    path = tmp_path / "published.pth"
    torch.save({"state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, path)
    model = load_model(path)
    assert model.card.network == name
    for key, tensor in network.state_dict().items():
        assert torch.equal(model.network.state_dict()[key], tensor), key


def test_incomplete_published_weights_are_named(tmp_path: Path) -> None:
    state = create("hsrnet").state_dict()
    del state["conv3.1.weight"]
    torch.save(state, tmp_path / "incomplete.pth")
    with pytest.raises(CheckpointError, match=r"hsrnet.*conv3\.1\.weight") as caught:
        load_model(tmp_path / "incomplete.pth")
    assert caught.value.where.endswith("incomplete.pth")


class _Payload:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.write_text, (Path("payload-ran"), "x")


def test_a_payload_never_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": _Payload()}, tmp_path / "evil.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(_Payload()))
    for name in ("evil.pth", "plain.pth"):
        with pytest.raises(CheckpointError, match=name):
            load_model(tmp_path / name)
    assert not (tmp_path / "payload-ran").exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", b"\x80" * 64])
def test_no_checkpoint_is_named(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"other{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="other") as caught:
        load_model(path)
    assert "safetensors checkpoint" in caught.value.fix


def test_a_truncated_checkpoint_is_named(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="tiny"):
        load_model(checkpoint)


def test_a_safetensors_file_without_a_card_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bare.safetensors"
    save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="without a model card"):
        load_model(path)


def _rewrite(path: Path, **changes: object) -> None:
    card = json.loads(CARD.model_dump_json()) | changes
    save_file(load_file(path), path, metadata={"card": json.dumps(card)})


def test_another_architecture_is_named(checkpoint: Path) -> None:
    _rewrite(checkpoint, network="resnet")
    with pytest.raises(CheckpointError, match="tiny") as caught:
        load_model(checkpoint)
    assert "gmsr" in caught.value.fix


def test_weights_of_another_width_are_named(checkpoint: Path) -> None:
    _rewrite(checkpoint, arguments={"widths": [8, 31]})
    with pytest.raises(CheckpointError, match="do not fit"):
        load_model(checkpoint)


def test_another_band_count_is_named(checkpoint: Path) -> None:
    _rewrite(checkpoint, wavelengths_nm=[400.0, 500.0, 600.0])
    with pytest.raises(CheckpointError, match=r"3 wavelengths.*31 bands"):
        load_model(checkpoint)


def test_an_invalid_card_is_named(checkpoint: Path) -> None:
    _rewrite(checkpoint, encoding="rec709")
    with pytest.raises(CheckpointError, match="encoding"):
        load_model(checkpoint)


def test_an_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(CheckpointError, match="no-such-model") as caught:
        load_model("no-such-model")
    for card in list_models():
        assert card.name in caught.value.fix


def test_shipped_checkpoints_are_whole_and_light() -> None:
    cards = list_models()
    assert [card.name for card in cards] == ["photo", "ntire2020-clean"]
    for card in cards:
        model = load_model(card.name)
        assert model.path.stat().st_size <= 250_000
        assert model.network(torch.rand(1, 3, 8, 8)).shape == (1, 31, 8, 8)
        assert card.summary
        assert card.training_data
        assert card.not_for
        assert card.metrics
        assert card.seed is not None
        assert card.commit
