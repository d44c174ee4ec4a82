"""What holds for every command: help, models, doctor, and how errors look."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import napari_gmsr
from napari_gmsr.cli import doctor
from napari_gmsr.weights import list_models, load_model

COMMANDS = ("reconstruct", "evaluate", "models", "doctor")


def test_the_installed_command_runs():
    program = Path(sys.executable).with_name("napari-gmsr")
    process = subprocess.run(
        [program, "--version"], capture_output=True, text=True, timeout=120, check=True
    )
    assert process.stdout.strip() == f"napari-gmsr {napari_gmsr.__version__}"


def test_without_arguments_it_says_what_there_is(command):
    code, printed, _ = command()
    assert code == 0
    assert all(name in printed for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(command, name):
    code, printed, err = command(name, "--help")
    assert (code, err) == (0, "")
    assert "--verbose" in printed


@pytest.mark.parametrize(
    "arguments",
    [
        ("paint",),
        ("reconstruct",),
        ("reconstruct", "photo.png"),
        ("reconstruct", "photo.png", "-o", "out", "--mode", "sideways"),
        ("evaluate", "a.npz", "b.npz", "--scale", "large"),
        ("models", "a", "b"),
    ],
)
def test_a_mistyped_command_is_told_in_one_line(refused, arguments):
    assert "--help" in refused(*arguments)


def test_verbose_shows_the_traceback(command, tmp_path):
    missing = tmp_path / "missing.npz"
    code, _, err = command("evaluate", missing, missing, "--verbose")
    assert code == 2
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith(f"napari-gmsr: {missing}")


def test_a_fault_of_ours_is_told_as_such(command, monkeypatch):
    def broken():
        raise RuntimeError("of our own\nmaking")

    monkeypatch.setattr(doctor, "examine", broken)
    code, _, err = command("doctor")
    assert code == 1
    assert "RuntimeError: of our own making" in err
    assert "Traceback" not in err
    assert err.count("\n") == 1


def test_an_interruption_is_no_fault(command, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "examine", interrupted)
    code, _, err = command("doctor")
    assert code == 130
    assert err.count("\n") == 1


def test_models_are_listed(command):
    code, printed, _ = command("models")
    assert code == 0
    cards = list_models()
    assert cards
    for card, line in zip(cards, printed.splitlines(), strict=True):
        assert line.startswith(card.name)
        assert line.endswith(card.summary)


def test_a_model_s_card(command, checkpoint):
    code, printed, _ = command("models", checkpoint)
    assert code == 0
    model = load_model(checkpoint)
    assert json.loads(printed) == {**model.card.model_dump(mode="json"), "sha256": model.sha256}


def test_a_model_that_is_none(refused, tmp_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"0")
    assert str(path) in refused("models", path)


def test_doctor_tells_what_there_is(command):
    code, printed, _ = command("doctor")
    assert code == 0
    for word in ("python", "torch", "memory", "reference on cpu", "NVIDIA driver", "cache"):
        assert word in printed
    code, as_json, _ = command("doctor", "--json")
    assert code == 0
    report = json.loads(as_json)
    assert report["engines"]["reference on cpu"].startswith("yes: ")
    assert all(isinstance(v, str) for section in report.values() for v in section.values())


def test_doctor_copes_with_a_pytorch_that_cannot_be_loaded(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    report = doctor.examine()
    assert "PyTorch cannot be imported" in report["devices"]["none"]
    assert report["engines"] == {}


def test_doctor_tells_where_compiled_code_cannot_be_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    assert str(tmp_path / "cache") in doctor.examine()["kernel cache"]["folder"]
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    assert "set NUMBA_CACHE_DIR" in doctor.examine()["kernel cache"]["folder"]
