"""What networks cost: the digits of the paper's Tables I and III, and the whole."""

import json
import time
from pathlib import Path

import pytest
import torch

from napari_gmsr.errors import EngineError, InputError
from napari_gmsr.networks import ABLATIONS, DEPTHS, count_cost, measure_cost, measure_work

PIXELS = 512 * 482

# Width counted at; parameters in M and multiply-accumulates in G as the paper prints them; exactly,
# by its counter; and of these the convolutions and matrix products alone that are done here.
TABLE_I = {
    "mscnn": (480, "26.6866", "155.4068", 26_686_592, 155_406_827_520, 154_927_104_000),
    # the paper prints 3.1705 M
    "hrnet": (482, "31.7049", "624.5023", 31_704_863, 624_502_276_288, 624_472_096_768),
    "hsrnet": (482, "0.6826", "160.5390", 682_610, 160_538_976_816, 160_416_571_456),
    "agdnet": (482, "0.3861", "387.2278", 386_136, 387_227_787_264, 96_600_388_608),
    "mstpp": (482, "1.6196", "88.8684", 1_619_625, 88_868_407_296, 84_604_489_728),
    # with 16 times 80^3 * 9 for folding
    "repcpsi": (
        482,
        "2.0778",
        "511.6173",
        2_077_831,
        511_617_299_200,
        233_481_859_840 + 73_728_000,
    ),
}
TABLE_III = {
    "n=1": ("0.0251", "2.4187", 25_053, 2_418_733_859),
    "n=2": ("0.0346", "3.1603", 34_620, 3_160_320_694),
    "n=3": ("0.0450", "3.9940", 44_980, 3_993_958_161),  # the paper prints 3.9910
    "n=4": ("0.0578", "5.1415", 57_840, 5_141_505_363),
    "n=5": ("0.0657", "5.7160", 65_694, 5_716_019_263),  # the paper prints 5.7161
}


@pytest.mark.parametrize("name", TABLE_I)
def test_table_i(name: str) -> None:
    width, millions, billions, parameters, seen, products = TABLE_I[name]
    cost = count_cost(name, 512, width)
    assert (cost.parameters_paper, cost.macs_paper, cost.macs) == (parameters, seen, products)
    assert f"{cost.parameters_paper / 1e6:.4f}" == millions
    assert f"{cost.macs_paper / 1e9:.4f}" == billions
    assert cost.parameters == parameters - (195_840 if name == "hrnet" else 0)


@pytest.mark.parametrize("row", TABLE_III)
def test_table_iii(row: str) -> None:
    millions, billions, parameters, seen = TABLE_III[row]
    cost = count_cost("gmsr", **DEPTHS[row])
    assert (cost.parameters_paper, cost.macs_paper) == (parameters, seen)
    assert f"{cost.parameters_paper / 1e6:.4f}" == millions
    assert f"{cost.macs_paper / 1e9:.4f}" == billions
    assert cost.parameters == parameters - 2 * sum(DEPTHS[row]["widths"])


def test_the_scan_is_counted_by_the_documented_formula() -> None:
    cost = count_cost("gmsr")
    # Without the scan, flop_counter sees the products of the plain form, but for the first block's
    # step, of rank one.
    products = 8_074_531_540 + PIXELS * 4 * 20
    scan = sum(PIXELS * 4 * 2 * c * (7 * 16 + 6) // 2 for c in (10, 20, 31))
    assert cost.macs == products + scan
    assert cost.states == PIXELS * 4 * 16 * 2 * (10 + 20 + 31)


def test_classical_baselines() -> None:
    assert count_cost("rootpoly").parameters == 31 * 13
    assert count_cost("wiener", 10, 10).macs == 100 * 31 * 3


def test_cost_grows_with_the_picture_and_pads_as_the_network_does() -> None:
    assert count_cost("mscnn", 16, 16) == count_cost("mscnn", 3, 1)
    assert 4 * count_cost("wiener", 8, 8).macs == count_cost("wiener", 16, 16).macs


def test_ablations_cost_less_where_parts_are_missing() -> None:
    costs = {name: count_cost("gmsr", 64, 64, **a) for name, a in ABLATIONS.items()}
    whole = costs.pop("GMSR-Net")
    for name in ("Mamba+Gspa", "Mamba+Gspe", "Mamba", "Gspa+Gspe"):
        assert costs[name].macs < whole.macs
        assert costs[name].macs_paper < whole.macs_paper
    assert costs["Mamba+CBAM"] == whole
    assert costs["CNN+GG"].states == costs["Gspa+Gspe"].states == 0


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match="0x5"):
        count_cost("gmsr", 0, 5)
    with pytest.raises(InputError, match="resnet"):
        count_cost("resnet")


def test_measuring_says_what_is_wrong() -> None:
    with pytest.raises(EngineError, match="fused"):
        measure_cost("gmsr", 8, 8, "cpu", engine="fused")
    with pytest.raises(InputError, match="abacus"):
        measure_cost("gmsr", 8, 8, "abacus")


def test_memory_is_what_a_piece_of_work_holds_at_most() -> None:
    def work() -> None:
        torch.zeros(64 << 20, dtype=torch.uint8).add_(1)
        time.sleep(0.02)

    seconds, peak, runs = measure_work(work, torch.device("cpu"), 3)
    assert runs == 3
    assert seconds >= 0.02
    assert peak is not None
    assert 60 << 20 <= peak <= 200 << 20


def test_the_committed_table_is_what_is_counted() -> None:
    results = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "cost.json"
    table = json.loads(results.read_text())
    size = table["height"], table["width"]
    for row in table["rows"]:
        cost = vars(count_cost(row["network"], *size, **row["arguments"]))
        assert cost == {key: row[key] for key in cost}, row["row"]
