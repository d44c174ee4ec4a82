"""`napari-gmsr models`: the shipped checkpoints and their cards."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_gmsr.cli.console import Verbose

__all__ = ["models"]


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A shipped model or a checkpoint file.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """List the shipped models, or print one model's card."""
    import json

    from napari_gmsr.weights import list_models, load_model

    if name is None:
        cards = list_models()
        width = max((len(card.name) for card in cards), default=0)
        for card in cards:
            print(f"{card.name:{width}}  {card.summary}")
        return

    model = load_model(name)
    print(json.dumps({**model.card.model_dump(mode="json"), "sha256": model.sha256}, indent=2))
