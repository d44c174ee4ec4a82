"""`napari-gmsr models`: list, show, import, export."""

import json
from pathlib import Path

import pytest
import torch

from napari_gmsr.networks import GMSRNet
from napari_gmsr.networks.gmsr_names import to_reference_state


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "user" / "models"
    monkeypatch.setattr("napari_gmsr.weights.models.models_folder", lambda: folder)
    monkeypatch.setattr("napari_gmsr.weights.exchange.models_folder", lambda: folder)
    return folder


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    path = tmp_path / "official.pth"
    torch.save(to_reference_state(GMSRNet([31])), path)
    return path


def test_in_and_out_again(command, reference, tmp_path):
    code, out, _ = command("models", "import", reference, "--name", "lab", "--encoding", "srgb")
    assert code == 0
    assert "lab.safetensors" in out
    assert "lab" in command("models")[1]
    assert json.loads(command("models", "lab")[1])["encoding"] == "srgb"
    assert command("models", "show", "lab")[1] == command("models", "lab")[1]
    theirs = tmp_path / "back.pth"
    assert command("models", "export", "lab", "-o", theirs)[0] == 0
    state, before = (torch.load(path, weights_only=True) for path in (theirs, reference))
    assert all(torch.equal(state[name], tensor) for name, tensor in before.items())


def test_mistakes_are_one_line(refused, reference, tmp_path):
    assert "cut.pth" in refused("models", "import", tmp_path / "cut.pth")
    (tmp_path / "cut.pth").write_bytes(reference.read_bytes()[:100])
    assert "cut.pth" in refused("models", "import", tmp_path / "cut.pth")
    assert "camera" in refused("models", "import", reference, "--camera", "no such")
    assert "shipped" in refused("models", "import", reference, "--name", "photo")
    assert "out" in refused("models", "export", "photo")
    assert "nobody" in refused("models", "export", "nobody", "-o", tmp_path / "a.pth")
    assert "nobody" in refused("models", "nobody")


def test_a_file_is_shown_as_a_name_is(command, checkpoint):
    assert json.loads(command("models", checkpoint)[1])["name"] == "tiny"
