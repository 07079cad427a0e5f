"""The field types of the settings models: human notations in, plain values out.

`short(…)` names the short form that a field takes beside its mapping, for the JSON schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema

from gateway.model.ids import is_id
from gateway.model.reading import Value
from gateway.settings import durations
from gateway.settings.durations import Endpoint, LineSetting
from gateway.settings.problems import BadValue, Phrase, shown

LONGEST_TEXT = 200


class Strict(BaseModel):
    """Base of all settings models: frozen, and no key that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def short(*forms: dict[str, Any]) -> dict[str, Any]:
    """Return the mark of the short forms of a field for `schema`."""
    return {"x-short": list(forms)}


def _string(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


def an_id(value: object) -> str:
    """Return an id of the contract.

    Raises:
        BadValue: it is not one.
    """
    if isinstance(value, str) and is_id(value):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    raise BadValue("LG-VAL-02" if is_number else "LG-VAL-06", found=shown(value))


def name_text(value: object) -> str:
    """Return a display text; whole numbers are texts here, other numbers lost their digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        code = "LG-VAL-02" if isinstance(value, int | float) else "LG-VAL-01"
        raise BadValue(code, expected=Phrase("text"), found=shown(value))
    if not value.strip() or len(value) > LONGEST_TEXT or min(value) < " ":
        raise BadValue("LG-VAL-05", found=shown(value), limit=f"1..{LONGEST_TEXT}")
    return value


def titles(value: Any) -> Any:  # noqa: ANN401 - unchecked YAML
    """Return a title as a mapping by language; a plain text stands for all languages."""
    return {"en": value, "zh": value} if isinstance(value, str | int) else value


def under(key: str) -> BeforeValidator:
    """Return a validator that puts a short form under the key of its long form."""

    def put(value: Any) -> Any:  # noqa: ANN401 - unchecked YAML
        return cast("Any", value) if isinstance(value, dict) else {key: value}

    return BeforeValidator(put)


def one_or_many(value: Any) -> Any:  # noqa: ANN401 - unchecked YAML
    """Return a list, of one when it is none."""
    return cast("Any", value) if isinstance(value, list) else [value]


def exact(value: object) -> Decimal:
    """Return a number as the decimal that was written: 0.1 is one tenth."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(str(value))
    raise BadValue("LG-VAL-01", expected=Phrase("number"), found=shown(value))


def scalar(value: object) -> object:
    """Return one value of a point."""
    if isinstance(value, str | int | float):
        return value
    raise BadValue("LG-VAL-01", expected=Phrase("scalar"), found=shown(value))


def secret_name(value: object) -> object:
    """Return the mapping that names a secret; a secret itself is refused."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        raise BadValue("LG-SEC-01")
    return value


def per_device(value: object) -> str:
    """Return an address or a variable as text: numbers and templates alike."""
    if isinstance(value, bool | float) or not isinstance(value, int | str):
        code = "LG-VAL-02" if isinstance(value, float) else "LG-VAL-01"
        raise BadValue(code, expected=Phrase("text"), found=shown(value))
    return name_text(value)


_INT_OR_TEXT: dict[str, Any] = {"type": ["integer", "string"]}

Id: TypeAlias = Annotated[
    str, BeforeValidator(an_id), _string("^[a-z0-9][a-z0-9_-]{0,31}$", "meters")
]
Name: TypeAlias = Annotated[str, BeforeValidator(name_text), WithJsonSchema(_INT_OR_TEXT)]
PerDevice: TypeAlias = Annotated[str, BeforeValidator(per_device), WithJsonSchema(_INT_OR_TEXT)]
Text: TypeAlias = Annotated[str, Field(strict=True, min_length=1, max_length=2000)]
Whole: TypeAlias = Annotated[int, Field(strict=True)]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]
Number: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Exact: TypeAlias = Annotated[Decimal, BeforeValidator(exact), WithJsonSchema({"type": "number"})]
PointValue: TypeAlias = Annotated[
    Value,
    BeforeValidator(scalar),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
Seconds: TypeAlias = Annotated[
    float,
    BeforeValidator(durations.seconds),
    _string("^[0-9]{1,9}([.][0-9]{1,6})? ?(ms|s|m|h|d)$", "30s"),
]
Bytes: TypeAlias = Annotated[
    int, BeforeValidator(durations.size_bytes), _string("^[0-9]{1,9} ?(B|KB|MB|GB)$", "256MB")
]
Polls: TypeAlias = Annotated[
    int,
    BeforeValidator(durations.polls),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["3 polls"]}),
]
Setting: TypeAlias = Annotated[
    LineSetting,
    BeforeValidator(durations.line_setting),
    _string("^[0-9]{2,7} [5-8][NEO][12]$", "9600 8N1"),
]
Urls: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(one_or_many),
    Field(min_length=1, max_length=8),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 8},
            ]
        }
    ),
]
HostPort: TypeAlias = Annotated[
    Endpoint, BeforeValidator(durations.endpoint), _string("^.+:[0-9]{1,5}$", "192.168.30.20:502")
]
Numbers: TypeAlias = Annotated[
    tuple[int, ...],
    BeforeValidator(durations.whole_numbers),
    WithJsonSchema({"type": ["string", "array", "integer"], "examples": ["1..64"]}),
]
Span: TypeAlias = Annotated[
    Sequence[int],
    PlainValidator(durations.number_span),
    WithJsonSchema({"type": ["string", "array", "integer"], "examples": ["1..64"]}),
]
HexBytes: TypeAlias = Annotated[
    bytes, BeforeValidator(durations.hex_bytes), _string("^([0-9A-Fa-f]{2} *)+$", "01 03 00 00")
]
Packet: TypeAlias = Annotated[
    bytes, BeforeValidator(durations.text_or_hex), _string("^.{1,768}$", "hex:01 02")
]
Titles: TypeAlias = dict[str, Name]
"""By language; fields of this type take `BeforeValidator(titles)`."""

Title: TypeAlias = Annotated[
    Titles,
    BeforeValidator(titles),
    WithJsonSchema({"type": ["string", "object"], "additionalProperties": {"type": "string"}}),
]
