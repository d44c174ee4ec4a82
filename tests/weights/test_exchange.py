"""The reference implementation's checkpoints: in, out, and the names that models have."""

from pathlib import Path

import pytest
import torch

from napari_gmsr.errors import CheckpointError, InputError, OutputError
from napari_gmsr.networks import GMSRNet, create
from napari_gmsr.networks.gmsr_names import to_reference_state
from napari_gmsr.weights import (
    export_reference,
    import_reference,
    list_models,
    load_model,
    read_card,
    save_checkpoint,
)


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "user" / "models"
    monkeypatch.setattr("napari_gmsr.weights.models.models_folder", lambda: folder)
    monkeypatch.setattr("napari_gmsr.weights.exchange.models_folder", lambda: folder)
    return folder


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "net_10epoch.pth"
    torch.save({"state_dict": to_reference_state(GMSRNet([6, 31]))}, path)
    return path


def test_a_round_trip_keeps_every_bit(reference: Path, tmp_path: Path) -> None:
    imported = import_reference(reference, tmp_path / "ours.safetensors")
    exported = export_reference(imported, tmp_path / "theirs.pth")
    before = torch.load(reference, weights_only=True)["state_dict"]
    after = torch.load(exported, weights_only=True)
    assert set(after) == set(before)
    assert {"VSS1.skip_scale", "VSS1.skip_scale2"} <= set(after)
    for name, tensor in before.items():
        assert after[name].dtype == tensor.dtype
        assert torch.equal(after[name], tensor), name


def test_an_imported_model_has_a_name(reference: Path, own_models: Path) -> None:
    path = import_reference(reference, name="lab", encoding="srgb", camera="srgb")
    assert path.parent == own_models
    card = list_models()[-1]
    assert (card.name, card.encoding, card.camera) == ("lab", "srgb", "srgb")
    assert load_model("lab").card == card
    assert list_models()[0].name == "photo"


def test_its_name_is_the_files_by_default(reference: Path) -> None:
    import_reference(reference)
    assert load_model("net_10epoch").card.encoding == "linear"


def test_a_shipped_name_is_not_taken(reference: Path, own_models: Path) -> None:
    with pytest.raises(InputError, match="shipped"):
        import_reference(reference, name="photo")
    own_models.mkdir(parents=True)
    import_reference(reference, own_models / "photo.safetensors")
    assert load_model("photo").card.arguments.get("widths") != [6, 31]
    assert [card.name for card in list_models()].count("photo") == 1


def test_a_damaged_file_hides_no_other_model(reference: Path, own_models: Path) -> None:
    import_reference(reference, name="whole")
    (own_models / "cut.safetensors").write_bytes(b"half")
    names = [card.name for card in list_models()]
    assert "whole" in names
    assert "cut" not in names
    with pytest.raises(CheckpointError, match="cut"):
        load_model("cut")


@pytest.mark.parametrize("name", ["", "a/b", "..", "a:b"])
def test_a_name_that_is_no_files_is_refused(reference: Path, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        import_reference(reference, name=name)


def test_what_is_there_stays(reference: Path, tmp_path: Path) -> None:
    imported = import_reference(reference, name="lab")
    before = imported.read_bytes()
    with pytest.raises(OutputError):
        import_reference(reference, name="lab")
    assert imported.read_bytes() == before
    import_reference(reference, name="lab", camera="srgb", overwrite=True)
    assert read_card(imported).camera == "srgb"
    with pytest.raises(OutputError):
        export_reference("lab", reference)


def test_other_files_are_refused(reference: Path, tmp_path: Path) -> None:
    ours = import_reference(reference, tmp_path / "ours.safetensors")
    with pytest.raises(CheckpointError, match="needs no import"):
        import_reference(ours)
    with pytest.raises(OutputError, match="safetensors"):
        import_reference(reference, tmp_path / "ours.pth")
    with pytest.raises(OutputError, match="pth"):
        export_reference(ours, tmp_path / "theirs.onnx")
    with pytest.raises(InputError, match="camera"):
        import_reference(reference, camera="no such camera")


def test_another_network_cannot_be_exported(reference: Path, tmp_path: Path) -> None:
    card = read_card(import_reference(reference, tmp_path / "a.safetensors"))
    path = tmp_path / "rootpoly.safetensors"
    card = card.model_copy(update={"network": "rootpoly", "arguments": {}})
    save_checkpoint(create("rootpoly"), card, path)
    with pytest.raises(CheckpointError, match="rootpoly"):
        export_reference(path, tmp_path / "theirs.pth")
    assert not (tmp_path / "theirs.pth").exists()
