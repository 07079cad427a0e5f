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
    """Return the products in the order of their first devices.

    The name is the kind; where one kind has several sets of points and events, the second is
    `kind~2`. Devices of which nothing comes have none.
    """
    by_shape: dict[tuple[str, tuple[object, ...]], list[Thing]] = {}
    for thing in things:
        if thing.points or thing.events:
            shape = tuple((p.id, p.type, p.unit, p.write is not None) for p in thing.points)
            shape += tuple((one.type, one.point.type) for one in thing.events)
            by_shape.setdefault((thing.device.kind, shape), []).append(thing)
    counts: dict[str, int] = {}
    products: list[Product] = []
    for (kind, _), members in by_shape.items():
        counts[kind] = counts.get(kind, 0) + 1
        name = kind if counts[kind] == 1 else f"{kind}~{counts[kind]}"
        products.append(Product(name, tuple(members)))
    return tuple(products)
