"""One step of the recurrence: every form of it computes the same."""

import pytest
import torch
from test_reference import random_parameters

from napari_gmsr.scan import ScanParameters, elementwise, recurrence, reference


class Packed(elementwise._Compiled):
    """The compiled form with its functions written out: two channels as one complex number."""

    def __init__(self) -> None:
        pass

    def advance(
        self, h: torch.Tensor, dt: torch.Tensor, A: torch.Tensor, u: torch.Tensor, B: torch.Tensor
    ) -> torch.Tensor:
        h, dt, A, u, B = map(torch.view_as_real, (h, dt, A, u, B))
        return torch.view_as_complex(torch.exp(dt * A) * h + u * B)

    def weigh(
        self, g: torch.Tensor, dt: torch.Tensor, A: torch.Tensor, h: torch.Tensor
    ) -> torch.Tensor:
        g, dt, A, h = map(torch.view_as_real, (g, dt, A, h))
        return torch.view_as_complex(torch.exp(dt * A) * g * h * A)


@pytest.mark.parametrize("form", [elementwise._Ready, Packed])
def test_other_forms_give_what_the_cpu_gives(
    form: type[elementwise.Elementwise], monkeypatch: pytest.MonkeyPatch
) -> None:
    p = random_parameters(6, 2, torch.float64)
    x = torch.randn(2, 5, 7, 6, dtype=torch.float64)
    leaves = [t.requires_grad_() for t in (x, *p)]

    def results() -> list[torch.Tensor]:
        y = reference.selective_scan_2d(leaves[0], ScanParameters(*leaves[1:]))
        return [y.detach(), *torch.autograd.grad(y.square().sum(), leaves)]

    wanted = results()
    monkeypatch.setattr(recurrence, "elementwise", lambda A: form())
    torch.testing.assert_close(results(), wanted, rtol=1e-10, atol=1e-12)


def test_pytorch_understands_the_compiled_form() -> None:
    compiled = elementwise._Compiled()
    assert compiled.advance.kernel_name == "advance"
    assert compiled.weigh.kernel_name == "weigh"


def test_without_pytorchs_compiler_ready_operations_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing() -> None:
        raise RuntimeError("no NVRTC")

    monkeypatch.setattr(elementwise, "_Compiled", missing)
    monkeypatch.setattr(torch, "ones", lambda *_, **__: None)
    functions = elementwise._functions.__wrapped__("cuda", torch.float32, True)
    assert isinstance(functions, elementwise._Ready)
