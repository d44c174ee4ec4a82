"""`napari-gmsr models --cost`."""

import json

from napari_gmsr.networks import ABLATIONS, DEPTHS, list_networks


def test_a_row_for_every_network_and_configuration(command):
    code, out, _ = command("models", "--cost", "--size", "48x32")
    assert code == 0
    head, *rows = (line.split() for line in out.splitlines())
    assert "parameters" in head
    labels = [row[0] for row in rows]
    assert labels == [*list_networks(), *(n for n in ABLATIONS if n != "GMSR-Net"), *DEPTHS]
    assert {len(row) for row in rows} == {5}


def test_json_says_what_the_paper_says(command):
    code, out, _ = command("models", "--cost", "--network", "hrnet", "--network", "n=2", "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["height"], found["width"]) == (512, 482)
    hrnet, two = found["rows"]
    assert hrnet["parameters_paper"] - hrnet["parameters"] == 195_840
    assert two["arguments"] == {"widths": [15, 31]}
    assert two["macs_paper"] == 3_160_320_694
    assert "measured" not in two


def test_measured_on_the_device_at_hand(command):
    call = ("models", "--cost", "--size", "96x64", "--network", "wiener", "--measure")
    code, out, err = command(*call, "--device", "cpu", "--json")
    assert code == 0
    assert "wiener" in err
    measured = json.loads(out)["rows"][0]["measured"]
    assert measured["seconds"] > 0
    assert measured["engine"] == "none"
    assert measured["device"].startswith("cpu")


def test_a_network_that_cannot_be_measured_does_not_stop_the_others(command, monkeypatch):
    from napari_gmsr.errors import OutOfMemoryError
    from napari_gmsr.networks import MeasuredCost

    def measure_cost(name, *_, **__):
        if name == "wiener":
            raise OutOfMemoryError("the device's memory ran out")
        return MeasuredCost(0.002, 3 << 20, 5, "cpu", "none")

    monkeypatch.setattr("napari_gmsr.networks.measure_cost", measure_cost)
    rows = ("--network", "wiener", "--network", "rootpoly")
    code, out, _ = command("models", "--cost", "--size", "8x8", *rows, "--measure")
    assert code == 0
    assert "memory ran out" in out
    assert "2.0 ms" in out
    assert "3 MiB" in out


def test_mistakes_are_one_line(refused):
    assert "lots" in refused("models", "--cost", "--size", "lots")
    assert "nobody" in refused("models", "--cost", "--network", "nobody")
    assert "npu" in refused("models", "--cost", "--measure", "--device", "npu")
    assert "--measure" in refused("models", "--cost", "--device", "cpu")
    assert "--cost" in refused("models", "--size", "8x8")
    assert "--cost" in refused("models", "--cost", "show", "photo")
