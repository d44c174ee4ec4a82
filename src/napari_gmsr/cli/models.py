"""`napari-gmsr models`: checkpoints by name, their cards, in and out; what networks cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from napari_gmsr.cli.console import Verbose
from napari_gmsr.cli.network_costs import show_costs
from napari_gmsr.cli.reconstruct import Encoding

__all__ = ["app"]


class _ModelsOrName(TyperGroup):
    """Subcommands, where a word that is none of them is the name of a model to show."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=_ModelsOrName, subcommand_metavar="[NAME | COMMAND [ARGS]...]")


@app.callback(invoke_without_command=True)
def _list(
    context: typer.Context,
    cost: Annotated[
        bool, typer.Option("--cost", help="What every network costs, trained or not.")
    ] = False,
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="With --cost: the picture; 512x482.")
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(metavar="ROW", help="With --cost: only this row of the table; repeatable."),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="With --cost: also time and memory, measured here.")
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(help="With --measure: auto, cpu, cuda (also with an index), mps."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --cost: print JSON.")] = False,
    verbose: Verbose = False,
) -> None:
    """List the models that have a name, print one's card, import and export; what they cost."""
    if cost and context.invoked_subcommand is None:
        if device is not None and not measure:
            raise typer.BadParameter("--device belongs to --measure")
        show_costs(size or "512x482", network or (), (device or "auto") if measure else "", as_json)
        return
    if cost or size or network or measure or device or as_json:
        raise typer.BadParameter("these options belong to --cost, and --cost to no other command")
    if context.invoked_subcommand is not None:
        return
    from napari_gmsr.weights import list_models

    cards = list_models()
    width = max((len(card.name) for card in cards), default=0)
    for card in cards:
        print(f"{card.name:{width}}  {card.summary}")


@app.command("show")
def _show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model or a checkpoint file.")],
    verbose: Verbose = False,
) -> None:
    """Print a model's card."""
    import json

    from napari_gmsr.weights import load_model

    model = load_model(name)
    print(json.dumps({**model.card.model_dump(mode="json"), "sha256": model.sha256}, indent=2))


@app.command("import")
def _import(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .pth of the reference GMSR-Net.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="A .safetensors file; by default among `models`."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Its name; the file's by default.")] = None,
    encoding: Annotated[
        Encoding, typer.Option(help="How the pictures that it was trained on relate to light.")
    ] = Encoding.linear,
    camera: Annotated[
        str, typer.Option(help="The camera response of these pictures.")
    ] = "cie_1964",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing checkpoint.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Make a checkpoint of ours from a .pth of the reference implementation."""
    from napari_gmsr.weights import import_reference

    written = import_reference(
        file, out, name=name, encoding=encoding.value, camera=camera, overwrite=overwrite
    )
    print(f"{file} -> {written}")


@app.command("export")
def _export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model or a checkpoint file.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="A .pth file.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Write a model as the .pth that the reference implementation loads."""
    from napari_gmsr.weights import export_reference

    print(f"{name} -> {export_reference(name, out, overwrite=overwrite)}")
