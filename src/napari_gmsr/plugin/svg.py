"""SVG as Qt writes it, made fit for every program that reads SVG."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

__all__ = ["bake_transforms"]

_NAMESPACE = "http://www.w3.org/2000/svg"
_NUMBER = r"-?[\d.]+(?:e[-+]?\d+)?"
_POINT = re.compile(f"({_NUMBER}),({_NUMBER})")


def bake_transforms(svg: bytes) -> bytes:
    """Write lines of constant width in the coordinates of the page.

    Qt keeps the width of such lines by ``vector-effect="non-scaling-stroke"``, which belongs to SVG
    1.2 Tiny and 2; programs that do not know it (librsvg, ImageMagick) stretch the lines as a plot
    stretches its axes, until they cover the page.

    Parameters
    ----------
    svg
        What ``QSvgGenerator`` wrote.

    Returns
    -------
    bytes
        The same picture without scaled lines.
    """
    ElementTree.register_namespace("", _NAMESPACE)
    root = ElementTree.fromstring(svg)
    for group in root.iter(f"{{{_NAMESPACE}}}g"):
        matrix = group.get("transform", "")
        if not matrix.startswith("matrix(") or not all(map(_keeps_its_width, group)):
            continue
        del group.attrib["transform"]
        for line in group:
            del line.attrib["vector-effect"]
            for name in {"d", "points"} & line.attrib.keys():
                line.set(name, _POINT.sub(_mapped(matrix), line.attrib[name]))
    baked: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return baked


def _keeps_its_width(shape: ElementTree.Element) -> bool:
    return "vector-effect" in shape.attrib and bool({"d", "points"} & shape.attrib.keys())


def _mapped(matrix: str) -> Callable[[re.Match[str]], str]:
    """Return what writes a point as the matrix maps it."""
    a, b, c, d, e, f = map(float, matrix.removeprefix("matrix(").rstrip(")").split(","))

    def write(point: re.Match[str]) -> str:
        x, y = float(point[1]), float(point[2])
        return f"{a * x + c * y + e:.6g},{b * x + d * y + f:.6g}"

    return write
