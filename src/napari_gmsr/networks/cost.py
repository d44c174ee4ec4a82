r"""What networks cost: parameters and multiply-accumulates, counted without computing anything.

Two conventions. The *paper's*: its counter (thop 0.1.1) looks at layers alone, and its "FLOPs" are
multiply-accumulates. The *whole*: every convolution and matrix product of an evaluation as it is
done here, wherever it stands (`torch.utils.flop_counter`), and the scan. Elementwise work outside
the scan (activations, normalisation, gates) counts nowhere, but for what the paper's counter makes
of it.

The scan, for each pixel, direction and channel, with a step of rank r and 16 states:

========================================================  ==================
projections to the step, B and C; from the rank r         (r + 32) + r MACs
step: bias, softplus; times the input                     3 operations
state: step times A, its exponential; step times input    7 operations, each
times B; decay times state, added; state times C, added   of 16 states
input times D, added; sum of the directions               3 operations
========================================================  ==================

Two operations are a multiply-accumulate. (The Mamba literature counts 9 operations a state, as a
parallel scan takes them.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from napari_gmsr.errors import InputError
from napari_gmsr.networks.ablated import AblatedBlock
from napari_gmsr.networks.agdnet import AGDNet
from napari_gmsr.networks.gmsr import GMSRNet, GradientMambaBlock, Operators
from napari_gmsr.networks.hrnet import GlobalBlock
from napari_gmsr.networks.hsrnet import ChannelGate
from napari_gmsr.networks.mstpp import MultiHeadSpectralAttention
from napari_gmsr.networks.registry import create
from napari_gmsr.scan.parameters import DIRECTIONS, STATE_SIZE, ScanParameters

__all__ = ["NetworkCost", "count_cost"]

_STATE_OPERATIONS = 7
_CHANNEL_OPERATIONS = 6


@dataclass(frozen=True)
class NetworkCost:
    """What a network costs for one picture.

    Parameters
    ----------
    parameters
        That have influence; of the classical baselines, their coefficients.
    parameters_paper
        As the published implementation counts them, with those that have none.
    macs_paper
        Multiply-accumulates as the paper's counter sees the published implementation.
    macs
        Multiply-accumulates of an evaluation here, with the scan.
    states
        States that the scan updates, each with an exponential.
    """

    parameters: int
    parameters_paper: int
    macs_paper: int
    macs: int
    states: int


def count_cost(name: str, height: int = 512, width: int = 482, **arguments: Any) -> NetworkCost:
    """Count a network's parameters and multiply-accumulates.

    Nothing is computed, and no weights are made: tensors have a shape alone.

    Parameters
    ----------
    name, arguments
        See `napari_gmsr.networks.create`.
    height, width
        Of the picture, in pixels. Networks that pad a picture are counted with its padding.

    Returns
    -------
    NetworkCost

    Raises
    ------
    InputError
        Where there is no such network or picture.
    """
    if min(height, width) < 1:
        raise InputError(f"no picture of {height}x{width} pixels", fix="Give at least one pixel.")
    with torch.device("meta"):
        network = create(name, **arguments).eval()
        rgb = torch.empty(1, 3, height, width)
    seen = _seen_by_the_paper(network, rgb)
    operators = _CountingOperators("reference")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        _evaluate(network, rgb, operators)
    parameters = _parameter_count(network)
    return NetworkCost(
        parameters=parameters,
        parameters_paper=getattr(network, "reference_parameter_count", parameters),
        macs_paper=seen,
        macs=counter.get_total_flops() // 2 + operators.macs,
        states=operators.states,
    )


class _CountingOperators(Operators):
    """Operators that count the scan instead of doing it."""

    macs = 0
    states = 0

    def scan(self, x: Tensor, parameters: ScanParameters) -> Tensor:
        """Count; (N, H, W, e) -> (N, H, W, e)."""
        sequences = len(DIRECTIONS) * x.numel()  # of one channel each, in pixels
        operations = _STATE_OPERATIONS * STATE_SIZE + _CHANNEL_OPERATIONS
        self.states += sequences * STATE_SIZE
        self.macs += sequences * (2 * parameters.rank + 2 * STATE_SIZE + operations // 2)
        return torch.empty_like(x)


def _evaluate(network: nn.Module, rgb: Tensor, operators: Operators) -> None:
    if isinstance(network, GMSRNet):
        network.run(rgb, operators)
    else:
        network(rgb)


def _parameter_count(network: nn.Module) -> int:
    return sum(p.numel() for p in (*network.parameters(),) or network.buffers())


def _seen_by_the_paper(network: nn.Module, rgb: Tensor) -> int:
    """Count as the paper's counter does: by what it knows of each kind of layer."""
    counted = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal counted
        counted += next(
            rule(module, inputs[0], output)
            for kind, rule in _RULES.items()
            if isinstance(module, kind)
        )

    known = tuple(_RULES)
    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, known)]
    _evaluate(network, rgb, _CountingOperators("reference"))  # with gradients: nothing is folded
    for hook in hooks:
        hook.remove()
    # AGD-Net's layers have two names each there. Each is met twice, and each time counted twice.
    return 4 * counted if isinstance(network, AGDNet) else counted


def _convolution(layer: Any, x: Tensor, y: Tensor) -> int:
    # Also of transposed convolutions, which have a stride's square fewer.
    return int(y.numel() * (layer.in_channels // layer.groups) * math.prod(layer.kernel_size))


def _average_pooling(x: Tensor, channels: int) -> int:
    return x.numel() + len(x) * channels


def _gradient_block(block: Any, x: Tensor, y: Tensor) -> int:
    # The pooling in front of the spectral attention is a layer there; y is as large as what it
    # pools.
    return _average_pooling(y, y.shape[-1]) if block.spectral_attention is not None else 0


def _idle_gate(block: nn.Module, x: Tensor, y: Tensor) -> int:
    # HRNet's gates, whose result is thrown away: pooling, then to a quarter of the channels, a
    # quarter, and back.
    channels = x.shape[1]
    return _average_pooling(x, channels) + 9 * channels**2 // 16


_Rule = Callable[[Any, Tensor, Tensor], int]
_RULES: dict[type[nn.Module] | tuple[type[nn.Module], ...], _Rule] = {
    nn.Conv2d: _convolution,
    nn.ConvTranspose2d: _convolution,
    nn.Linear: lambda layer, _, y: int(y.numel() * layer.in_features),
    nn.BatchNorm2d: lambda _, x, y: 4 * x.numel(),
    nn.LayerNorm: lambda _, x, y: 4 * x.numel(),
    nn.PReLU: lambda _, x, y: x.numel(),
    # Layers there that are none here.
    MultiHeadSpectralAttention: lambda _, x, y: 4 * x.shape[1] * x.numel(),  # q, k, v, projection
    ChannelGate: lambda _, x, y: _average_pooling(x, x.shape[1]),
    GlobalBlock: _idle_gate,
    GradientMambaBlock: _gradient_block,
    AblatedBlock: _gradient_block,
    # It renders its last estimate once more and does not look at it.
    AGDNet: lambda network, x, y: _convolution(network.degradation["conv"], y, x),
}
