"""A driver's own keys of points and quirks, validated as all other keys of a file are.

Drivers declare them as plain dataclasses: their values live in the daemon, which has no use for
pydantic and does not load it. The models here are made from those dataclasses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import Any, ClassVar, Self, TypeAlias, get_type_hints

from pydantic import BaseModel, ConfigDict, PrivateAttr, create_model, model_validator
from pydantic import Field as Key

from drivers.contract import DriverSpec

Complete: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class DriverKeys(BaseModel):
    """Keys of a driver's dataclass; `plain` is the instance that they make."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    plain_type: ClassVar[type[Any]]
    complete: ClassVar[Complete]
    _plain: Any = PrivateAttr()

    @property
    def plain(self) -> Any:  # noqa: ANN401 - of any driver
        """The driver's own address or quirks."""
        return self._plain

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, keys: Any) -> Any:  # noqa: ANN401 - what YAML gave, unchecked
        return cls.complete(keys) if isinstance(keys, Mapping) else keys  # pyright: ignore[reportUnknownArgumentType]

    @model_validator(mode="after")
    def _made(self) -> Self:
        values = {
            str(field.alias): getattr(self, name) for name, field in type(self).model_fields.items()
        }
        self._plain = self.plain_type(**values)
        return self


def address_model(driver: DriverSpec) -> type[DriverKeys]:
    """Return the model of a point's address keys."""
    return _model(driver.address_type, driver.complete_address)


def quirks_model(driver: DriverSpec) -> type[DriverKeys]:
    """Return the model of the driver's own quirks."""
    return _model(driver.quirks_type, dict[str, Any])


@cache
def _model(plain: type[Any], complete: Complete) -> type[DriverKeys]:
    hints = get_type_hints(plain)
    keys: dict[str, Any] = {
        # The model's own name of a key must not be one that pydantic has for itself (register).
        f"{field.name}_": (hints[field.name], _key(field))
        for field in fields(plain)
    }
    model = create_model(plain.__name__, __base__=DriverKeys, __doc__=plain.__doc__, **keys)
    model.plain_type = plain
    model.complete = staticmethod(complete)
    return model


def _key(field: Field[Any]) -> Any:  # noqa: ANN401 - as pydantic declares it
    default = ... if field.default is MISSING else field.default
    return Key(default, alias=field.name, **field.metadata)
