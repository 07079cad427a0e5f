"""Devices of one kind and with equal points are one product, as platforms call it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.inventory.contract import Thing


@dataclass(frozen=True, slots=True)
class Product:
    """One product with its devices; there is at least one."""

    name: str
    things: tuple[Thing, ...]


def products_of(things: Iterable[Thing]) -> tuple[Product, ...]:
    """Return the products in the order of their first devices; devices without points have none.

    The name is the kind; where one kind has several sets of points, the second is `kind~2`.
    """
    by_points: dict[tuple[str, tuple[object, ...]], list[Thing]] = {}
    for thing in things:
        if thing.points:
            shape = tuple((p.id, p.type, p.unit, p.write is not None) for p in thing.points)
            by_points.setdefault((thing.device.kind, shape), []).append(thing)
    counts: dict[str, int] = {}
    products: list[Product] = []
    for (kind, _), members in by_points.items():
        counts[kind] = counts.get(kind, 0) + 1
        name = kind if counts[kind] == 1 else f"{kind}~{counts[kind]}"
        products.append(Product(name, tuple(members)))
    return tuple(products)
