"""`napari-gmsr models --cost`: parameters and multiply-accumulates; time and memory, measured."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

from napari_gmsr.cli.console import print_table
from napari_gmsr.errors import GMSRError, InputError

__all__ = ["show_costs"]


def show_costs(size: str, only: Sequence[str], device: str, as_json: bool) -> None:
    """Print what every network costs for a picture.

    Parameters
    ----------
    size
        Height and width in pixels, ``HxW``.
    only
        Rows of the table; none for all.
    device
        Where time and memory are measured; empty where they are not.
    as_json
        Print JSON instead of a table.

    Raises
    ------
    InputError
        Where the size, a row or the device is none.
    """
    from napari_gmsr.networks import count_cost

    height, width = _parsed(size)
    rows = _chosen(only)
    if device:
        from napari_gmsr.reconstruct import choose_device

        device = str(choose_device(device)[0])
    found = []
    for label, (name, arguments) in rows.items():
        cost = vars(count_cost(name, height, width, **arguments))
        row = {"row": label, "network": name, "arguments": arguments, **cost}
        if device:
            row["measured"] = _measured(label, name, (height, width), device, arguments)
        found.append(row)
    if as_json:
        print(json.dumps({"height": height, "width": width, "rows": found}, indent=1))
        return
    header = ["network", "parameters", "published", "GMAC, paper's counter", "GMAC in all"]
    print_table(header + ["time", "peak memory"] * bool(device), [_cells(row) for row in found])


def _parsed(size: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,5})[x×]([1-9]\d{0,5})", size)
    if found is None:
        raise InputError(
            f"no size of a picture: '{size}'", where="--size", fix="Give it as 512x482."
        )
    return int(found[1]), int(found[2])


def _chosen(only: Sequence[str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the rows asked for: what `napari_gmsr.networks.create` makes of each."""
    from napari_gmsr.networks import ABLATIONS, DEPTHS, list_networks

    rows: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in list_networks()}
    rows |= {label: ("gmsr", a) for label, a in (ABLATIONS | DEPTHS).items() if a}
    for label in only:
        if label not in rows:
            raise InputError(
                "there is no row of this name",
                where=f"--network {label!r}",
                fix=f"Choose one of: {', '.join(rows)}.",
            )
    return {label: row for label, row in rows.items() if not only or label in only}


def _measured(
    label: str, name: str, size: tuple[int, int], device: str, arguments: dict[str, Any]
) -> dict[str, Any]:
    """Measure a network; where it cannot be, say why, so that the others go on."""
    from napari_gmsr.networks import measure_cost

    print(f"measuring {label}", file=sys.stderr, flush=True)
    try:
        return vars(measure_cost(name, *size, device, **arguments))
    except GMSRError as error:
        return {"error": error.what}


def _cells(row: dict[str, Any]) -> list[str]:
    cells = [
        row["row"],
        f"{row['parameters']:,}",
        f"{row['parameters_paper']:,}",
        f"{row['macs_paper'] / 1e9:.4f}",
        f"{row['macs'] / 1e9:.4f}",
    ]
    if "measured" in row:
        measured = row["measured"]
        if "error" in measured:
            return [*cells, measured["error"], ""]
        peak = measured["peak_bytes"]
        cells.append(f"{1000 * measured['seconds']:.1f} ms")
        cells.append("" if peak is None else f"{peak / 2**20:.0f} MiB")
    return cells
