"""What `linli explain` says of a derived point: what it is made of, when, and of how many."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.privacy.derive import recipe_of
from gateway.settings.site import Device, Point
from gateway.settings.site_derived import Op, Recipe

MOST_NAMED = 12


def derived_facts(device: Device, point: Point) -> Iterator[tuple[str, str]]:
    """Yield the facts that take the place of line, address and exchange."""
    recipe = recipe_of(point)
    where = f"[{device.where.file}:{device.where.line}]"
    yield "device", f"{device.id} ({device.kind}, derived) {where}"
    yield "point", f"{point.id} [{point.where.file}:{point.where.line}]"
    yield "made of", _inputs(recipe)
    yield "made as", _made(recipe)
    if recipe.op is not Op.BIN:
        yield "group", _group(recipe)
    if recipe.step is not None:
        yield "rounded", f"to multiples of {recipe.step:g}"
    yield "value", f"{point.type}, in {point.unit}" if point.unit else str(point.type)


def _inputs(recipe: Recipe) -> str:
    names = [str(one) for one in recipe.inputs]
    shown = ", ".join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _made(recipe: Recipe) -> str:
    what = str(recipe.op) if recipe.op is not Op.BIN else "one point made coarser"
    if recipe.equals is not None:
        what += f" of those that equal {recipe.equals}"
    if recipe.every_s is None:
        return f"{what}, whenever an input changes; an input is good for {recipe.fresh_s:g} s"
    return f"{what}, {recipe.take} of each, at the mark every {recipe.every_s:g} s"


def _group(recipe: Recipe) -> str:
    text = f"at least {recipe.min_group} of {len(recipe.inputs)} members"
    if recipe.coverage:
        text += f", and {recipe.coverage * 100:g} % of them"
    if recipe.is_guarded:
        text += "; values in a row are of the same members, or of sets as far apart"
    return text
