"""Memory: what is predicted, and what is done where it does not suffice all the same."""

import json
import os
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_gmsr.cube import WAVELENGTHS_NM
from napari_gmsr.errors import Cancelled, DeviceError, OutOfMemoryError
from napari_gmsr.image import RGBImage
from napari_gmsr.networks import ABLATIONS, create, network_engine
from napari_gmsr.reconstruct import Progress, api, costs, devices, plan, planning, reconstruct
from napari_gmsr.weights import Model, ModelCard

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")


class Hungry(torch.nn.Module):
    """A network without context that fits in memory up to a side of so many pixels."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        sides.append(max(rgb.shape[2:]))
        if sides[-1] > self.side:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return rgb[:, :1] * torch.linspace(0.2, 0.9, 31)[:, None, None] + rgb[:, 1:2] * 0.1


sides: list[int] = []
"""Of what the network was asked for; the network itself is copied for every run."""


@pytest.fixture(autouse=True)
def nothing_asked() -> None:
    sides.clear()


def model_of(network: torch.nn.Module) -> Model:
    bands = tuple(WAVELENGTHS_NM.tolist())
    card = ModelCard(name="hungry", network="gmsr", wavelengths_nm=bands, encoding="linear")
    return Model(network.eval().requires_grad_(False), card, "0" * 64, Path("hungry.safetensors"))


def picture(height: int, width: int) -> RGBImage:
    random = np.random.default_rng(0)
    return RGBImage(random.random((height, width, 3), np.float32), "linear", name="noise")


def expected(rgb: RGBImage) -> np.ndarray:
    network = Hungry(10**9)
    batch = torch.from_numpy(rgb.data).movedim(-1, 0)[None]
    cube: np.ndarray = network(batch)[0].clamp(0, 1).numpy()
    sides.clear()
    return cube


@pytest.mark.parametrize("ensemble", [False, True])
@pytest.mark.parametrize("shape", [(200, 170), (330, 64), (70, 40)])
def test_auto_goes_on_in_tiles_where_the_whole_does_not_fit(
    shape: tuple[int, int], ensemble: bool
) -> None:
    rgb = picture(*shape)
    truth = expected(rgb)
    seen: list[Progress] = []
    cube = reconstruct(
        rgb, model_of(Hungry(50)), ensemble=ensemble, tile=64, overlap=16, progress=seen.append
    )
    np.testing.assert_allclose(cube.data, truth, atol=2e-6)
    assert cube.provenance["mode"] == "tiled"
    assert "memory ran out" in cube.provenance["mode_reason"]
    assert any("whole picture" in note for note in cube.provenance["notes"])
    assert any("memory ran out with the whole picture" in at.message for at in seen)
    assert seen[-1].done == seen[-1].total
    assert sides.count(max(shape)) == 1


def test_tiles_that_do_not_fit_are_cut_and_finished_ones_stay() -> None:
    class Shrinking(Hungry):
        """After three tiles, others take the memory."""

        def forward(self, rgb: torch.Tensor) -> torch.Tensor:
            self.side = 100 if len(sides) < 3 else 50
            return super().forward(rgb)

    rgb = picture(150, 150)
    truth = expected(rgb)
    seen: list[Progress] = []
    cube = reconstruct(
        rgb, model_of(Shrinking(100)), "tiled", tile=64, overlap=16, progress=seen.append
    )
    np.testing.assert_allclose(cube.data, truth, atol=2e-6)
    # Three tiles, one that fails, and from there on its four parts and those of the five others.
    assert sides == [64] * 4 + [36] * 4 * 6
    assert [at.done for at in seen] == [0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9]
    assert all("memory ran out with tiles of 64 pixels" in at.message for at in seen[4:])
    assert any("tiles of 64 pixels" in note for note in cube.provenance["notes"])


def test_no_tile_below_32_pixels() -> None:
    with pytest.raises(OutOfMemoryError, match="even with 41 pixels") as caught:
        reconstruct(picture(150, 150), model_of(Hungry(30)), "tiled", tile=128, overlap=16)
    assert caught.value.fix
    assert sides == [128, 72, 41]  # half of that would be 23


@pytest.mark.parametrize("mode", ["whole", "paper"])
def test_what_was_asked_for_is_not_changed(mode: str) -> None:
    with pytest.raises(OutOfMemoryError) as caught:
        reconstruct(picture(200, 200), model_of(Hungry(100)), mode)
    assert "tiled" in caught.value.fix
    assert len(sides) == 1


def test_cancel_is_acted_on_between_parts() -> None:
    with pytest.raises(Cancelled, match="0 of 1"):
        reconstruct(
            picture(100, 100),
            model_of(Hungry(60)),
            "tiled",
            tile=128,
            cancel=lambda: len(sides) == 3,
        )


def test_what_a_failed_run_held_is_free_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[weakref.ref[torch.Tensor]] = []
    released: list[torch.device] = []

    class Holding(Hungry):
        def forward(self, rgb: torch.Tensor) -> torch.Tensor:
            features = rgb + 1
            held.append(weakref.ref(features))
            return super().forward(rgb)

    def release(device: torch.device) -> None:
        assert all(features() is None for features in held)
        released.append(device)

    monkeypatch.setattr(api, "release_memory", release)
    reconstruct(picture(150, 150), model_of(Holding(40)), device="cpu", tile=64, overlap=16)
    assert released == [CPU, CPU]  # after the whole picture, and after a tile


def test_the_gpu_gets_its_cache_back(monkeypatch: pytest.MonkeyPatch) -> None:
    emptied: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
    devices.release_memory(torch.device("cuda"))
    assert emptied == [True]


@pytest.mark.parametrize(
    "error",
    [
        getattr(torch, "AcceleratorError", RuntimeError)(
            "CUDA error: device-side assert triggered\nCompile with ..."
        ),
        RuntimeError("CUDA error: unspecified launch failure"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    ],
)
def test_a_device_that_vanishes_is_named(error: RuntimeError) -> None:
    class Vanishing(Hungry):
        def forward(self, rgb: torch.Tensor) -> torch.Tensor:
            raise error

    with pytest.raises(DeviceError, match=r"noise.*failed") as caught:
        reconstruct(picture(20, 20), model_of(Vanishing(0)))
    assert not isinstance(caught.value, RuntimeError)
    assert "\n" not in str(caught.value)
    assert "cpu" in caught.value.fix


@pytest.mark.parametrize(
    "text", ["CUDA error: out of memory", "DefaultCPUAllocator: not enough memory: 9 bytes"]
)
def test_memory_that_runs_out_under_another_name(text: str) -> None:
    class Full(Hungry):
        def forward(self, rgb: torch.Tensor) -> torch.Tensor:
            raise RuntimeError(text)

    with pytest.raises(OutOfMemoryError):
        reconstruct(picture(20, 20), model_of(Full(0)))


def test_without_visible_gpus_the_cpu_is_taken() -> None:
    code = (
        "import numpy as np\n"
        "from napari_gmsr.reconstruct import choose_device\n"
        "from napari_gmsr.errors import InputError\n"
        "print(*choose_device())\n"
        "try: choose_device('cuda')\n"
        "except InputError as error: print(error)\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = child.stdout.splitlines()
    assert first.startswith("cpu ")
    assert "'cuda'" in second


@pytest.mark.parametrize(
    ("engine", "mode"), [("cpu", "whole"), ("cpu", "tiled"), ("none", "whole")]
)
def test_memory_is_predicted_within_15_percent(engine: str, mode: str) -> None:
    script = ROOT / "benchmarks" / "memory.py"
    case = ["--engine", engine, "--mode", mode, "--size", "1024", "1024", "--threads", "1"]
    child = subprocess.run(
        [sys.executable, script, *case], capture_output=True, text=True, check=True
    )
    row = json.loads(child.stdout)
    assert row["predicted_to_measured"] == pytest.approx(1, abs=0.15), row


def test_memory_on_the_gpu_is_predicted_within_15_percent_of_the_last_benchmark() -> None:
    results = ROOT / "benchmarks" / "results"
    engines = json.loads((results / "engines.json").read_text())["engines"]
    cases = [(name, row) for name in engines for row in _evaluations(engines[name].get("network"))]
    fused = json.loads((results / "gpu_engine.json").read_text())
    for engine, row in [*cases, *(("fused", row) for row in _evaluations(fused))]:
        predicted = costs.run_bytes(row["height"] * row["width"], engine)
        measured = row["peak_gib"] * 2**30
        assert predicted == pytest.approx(measured, rel=0.15, abs=16 * 2**20), (engine, row)


def _evaluations(network: dict[str, Any] | None) -> list[dict[str, Any]]:
    return network["evaluation"] if network else []


def test_the_plan_knows_the_network() -> None:
    narrow = plan((600, 600), "whole", CPU, "cpu", network=create("gmsr", widths=[6, 12]))
    paper = plan((600, 600), "whole", CPU, "cpu", network=create("gmsr"))
    assert narrow.peak_bytes < paper.peak_bytes / 1.5
    assert paper == plan((600, 600), "whole", CPU, "cpu")
    plain = plan((600, 600), "whole", CPU, "fused", network=create("rootpoly"))
    assert plain.peak_bytes < paper.peak_bytes


def test_an_ensemble_takes_more_memory_and_eight_times_as_long() -> None:
    once, all_views = (plan((600, 600), "whole", CPU, "cpu", ensemble=e) for e in (False, True))
    assert all_views.peak_bytes - once.peak_bytes == 2 * 31 * 4 * 600 * 600
    assert once.seconds is not None
    assert all_views.seconds == pytest.approx(8 * once.seconds)


def test_seconds_grow_with_what_tiles_share() -> None:
    tiled, whole = (plan((600, 600), mode, CPU, "cpu", tile=64) for mode in ("tiled", "whole"))
    assert whole.seconds is not None
    assert tiled.seconds is not None
    assert tiled.seconds > 2 * whole.seconds


def test_no_seconds_where_nothing_was_measured() -> None:
    assert costs.run_seconds(100, "reference", torch.device("mps")) is None


def test_a_network_without_a_scan_claims_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    network = create("rootpoly")
    cube = reconstruct(picture(9, 8), model_of(network))
    assert cube.provenance["engine"] == "none"
    assert "no scan" in cube.provenance["engine_reason"]
    monkeypatch.setattr(planning, "_free_memory", lambda _: 10**6)
    assert plan((600, 600), "auto", CPU, "none", network=network).mode == "tiled"


def test_memory_of_the_compared_networks_and_ablations_is_predicted_within_15_percent() -> None:
    results = json.loads((ROOT / "benchmarks/results/network_memory.json").read_text())
    for name, sizes in results["bytes"].items():
        network = create("gmsr", **ABLATIONS[name]) if name in ABLATIONS else create(name)
        engine = network_engine(network, "cpu").name
        for side, measured in sizes.items():
            predicted = costs.run_bytes(int(side) ** 2, engine, network)
            assert predicted == pytest.approx(measured, rel=0.15), (name, side)
