"""The official kernel as an engine: what is said where it is not there, and that it agrees."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_reference import random_parameters

from napari_gmsr.errors import EngineError
from napari_gmsr.networks.gmsr_names import from_reference_state
from napari_gmsr.scan import ScanParameters, choose_engine, list_engines, reference
from napari_gmsr.scan import mamba_ssm as engine

gpu = pytest.mark.gpu


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder of modules that is searched first, on a machine with a CUDA device."""
    for name in [n for n in sys.modules if n.split(".")[0] in ("mamba_ssm", "selective_scan_cuda")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("napari_gmsr.scan.fused.status", lambda: (False, "too old a card"))
    engine._kernel.cache_clear()
    yield tmp_path
    engine._kernel.cache_clear()
    for name in [n for n in sys.modules if n.split(".")[0] in ("mamba_ssm", "selective_scan_cuda")]:
        del sys.modules[name]


def write(folder: Path, interface: str, extension: str | None) -> None:
    package = folder / "mamba_ssm" / "ops"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "selective_scan_interface.py").write_text(interface)
    if extension is not None:
        (folder / "selective_scan_cuda.py").write_text(extension)
    importlib.invalidate_caches()


USUAL = "import selective_scan_cuda\ndef selective_scan_fn(): pass\n"
SILENT = "def selective_scan_fn(): pass\n"
UNDEFINED = "raise ImportError('selective_scan_cuda.so: undefined symbol: _ZN3c104cuda9SetDevice')"


@pytest.mark.parametrize(
    ("interface", "extension", "said"),
    [
        (USUAL, None, "without its compiled extension"),
        (SILENT, None, "without its compiled extension"),
        (USUAL, UNDEFINED, "another PyTorch.*undefined symbol"),
        (SILENT, UNDEFINED, "another PyTorch.*undefined symbol"),
        (USUAL, "raise OSError('libcudart.so.11.0: cannot open shared object file')", "libcudart"),
        ("import a_module_that_is_not_there", "", "needs the module a_module_that_is_not_there"),
        ("", "", "selective_scan_fn"),
    ],
)
def test_a_package_that_cannot_run_is_named_and_passed_over(
    installed: Path, interface: str, extension: str | None, said: str
) -> None:
    write(installed, interface, extension)
    available, reason = engine.status("cuda")
    assert not available
    with pytest.raises(EngineError, match=said):
        engine.selective_scan_2d(torch.zeros(1, 2, 2, 4), random_parameters(4, 1, torch.float32))
    listed = {e.name: e for e in list_engines("cuda")}
    assert listed["mamba_ssm"].reason == reason
    assert choose_engine("cuda").name == "reference"
    with pytest.raises(EngineError, match=said):
        choose_engine("cuda", "mamba_ssm")


def test_a_package_that_is_not_installed(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = [folder for folder in sys.path if not (Path(folder) / "mamba_ssm").is_dir()]
    monkeypatch.setattr(sys, "path", without)
    assert engine.status() == (False, "the package mamba-ssm is not installed")


def test_a_package_that_is_there_comes_after_the_fused_engine(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(installed, USUAL, "")
    assert choose_engine("cuda").name == "mamba_ssm"
    assert choose_engine("cuda", "mamba_ssm", gradients=True).available
    monkeypatch.setattr("napari_gmsr.scan.fused.status", lambda: (True, "a new card"))
    assert choose_engine("cuda").name == "fused"


def test_the_package_is_imported_only_when_asked_for(installed: Path) -> None:
    write(installed, "raise SystemExit('imported')", "")
    assert choose_engine("cpu").name == "cpu"
    assert [e.available for e in list_engines("cpu") if e.name == "mamba_ssm"] == [False]
    assert choose_engine("cuda", "reference").available
    assert engine.status("cpu") == (False, "needs a CUDA device, and the device is cpu")


@pytest.mark.parametrize("tensor", [torch.zeros(1, 2, 2, 4), torch.zeros(1, 2, 2, 4).double()])
def test_other_tensors_are_refused(installed: Path, tensor: torch.Tensor) -> None:
    write(installed, USUAL, "")
    with pytest.raises(EngineError, match="cpu"):
        engine.selective_scan_2d(tensor, random_parameters(4, 1, torch.float32))


def documented(
    u: torch.Tensor,
    delta: torch.Tensor,
    A: torch.Tensor,
    B: torch.Tensor,
    C: torch.Tensor,
    D: torch.Tensor,
    *,
    delta_bias: torch.Tensor,
    delta_softplus: bool,
) -> torch.Tensor:
    """What the kernel's documentation says that it computes, one step at a time."""
    assert delta_softplus
    dt = F.softplus(delta + delta_bias[:, None])
    B, C = (t.repeat_interleave(u.shape[1] // t.shape[1], dim=1) for t in (B, C))
    state = u.new_zeros(*u.shape[:2], A.shape[1])
    y = []
    for t in range(u.shape[2]):
        decay = torch.exp(dt[..., t, None] * A)
        state = decay * state + (dt * u)[..., t, None] * B[..., t]
        y.append((state * C[..., t]).sum(-1))
    return torch.stack(y, dim=-1) + D[:, None] * u


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 7), (3, 5, 4)])
def test_directions_are_arranged_for_the_kernel(shape: tuple[int, int, int]) -> None:
    p = random_parameters(6, 2, torch.float64)
    x = torch.randn(*shape, 6, dtype=torch.float64)
    leaves = [t.requires_grad_() for t in (x, *p)]
    wanted = reference.selective_scan_2d(x, p)
    got = engine.scan(documented, x, p)
    assert got.is_contiguous()
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-10)
    weight = torch.randn_like(got)
    torch.testing.assert_close(
        torch.autograd.grad(got, leaves, weight),
        torch.autograd.grad(wanted, leaves, weight),
        rtol=1e-8,
        atol=1e-9,
    )


@pytest.fixture
def built() -> None:
    available, reason = engine.status()
    if not available:
        pytest.skip(reason)


@gpu
@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 7), (3, 37, 53), (1, 129, 127)])
@pytest.mark.parametrize(("channels", "rank"), [(20, 1), (62, 2)])
def test_the_kernel_and_its_gradients_agree(
    channels: int, rank: int, shape: tuple[int, int, int]
) -> None:
    p = random_parameters(channels, rank, torch.float32)
    x, weight = torch.randn(*shape, channels), torch.randn(*shape, channels)
    results = []
    for scan, dtype in (
        (engine.selective_scan_2d, torch.float32),
        (reference.selective_scan_2d, torch.float64),
    ):
        leaves = [t.to("cuda", dtype).requires_grad_() for t in (x, *p)]
        y = scan(leaves[0], ScanParameters(*leaves[1:]))
        results.append((y, *torch.autograd.grad(y, leaves, weight.to(y))))
    for got, wanted in zip(*results, strict=True):
        assert (got.double() - wanted).norm() <= 1e-4 * wanted.norm().clamp_min(1e-3)


@gpu
@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("case", ["a", "b", "c"])
def test_the_network_agrees_with_the_vectors(conformance: Path, case: str) -> None:
    with np.load(conformance / "gmsr_official_mamba_ssm_h100.npz") as vectors:
        state = {n[6:]: torch.from_numpy(vectors[n]) for n in vectors if n.startswith("state/")}
        rgb, cube = (torch.from_numpy(vectors[f"{part}/{case}"]) for part in ("in", "out"))
    network = from_reference_state(state).cuda()
    network.engine = "mamba_ssm"
    with torch.inference_mode():
        assert (network(rgb.cuda()).cpu() - cube).abs().max() <= 2e-6
