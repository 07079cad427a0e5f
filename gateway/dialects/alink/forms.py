"""`params` of reports: what several devices say, in the form of one platform. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.dialects.alink.names import Name, Names
from gateway.dialects.alink.pack import Piece
from gateway.dialects.alink.profile import Form
from gateway.dialects.alink.text import Happening, Property, Writer
from gateway.dialects.json_text import text


class Forms:
    """Writes the params of batches and of history."""

    def __init__(self, form: Form, names: Names, writer: Writer) -> None:
        """Take the form, and who writes names and values."""
        self._form = form
        self._names = names
        self._writer = writer

    def own(self, properties: Sequence[Property]) -> str:
        """Return the params of the gateway's own values."""
        return self._writer.properties({each.name: each for each in properties})

    def pack(self, pieces: Sequence[Piece]) -> str:
        """Return the params of a batch; each name of a device stands in it once."""
        if self._form is Form.ENTRIES:
            return self._entries(pieces)
        devices = [self._device(name, of) for name, of in _by_device(pieces)]
        inside = ",".join(devices)
        if self._form is Form.ARRAY:
            return f"[{inside}]"
        return f'{{"properties":{{}},"events":{{}},"subDevices":[{inside}]}}'

    def history(self, pieces: Sequence[Piece]) -> str:
        """Return the params of history; values stand in the order in which they were taken."""
        if self._form is Form.ENTRIES:
            return self._entries(pieces)
        write = self._columns if self._form is Form.ARRAY else self._rows
        return f"[{','.join(write(name, of) for name, of in _by_device(pieces))}]"

    def _device(self, name: Name, pieces: Sequence[Piece]) -> str:
        properties = {each.name: each for piece in pieces for each in piece.properties}
        events = {each.name: each for piece in pieces for each in piece.events}
        return (
            f'{{"identity":{{{self._names.identity(name)}}},'
            f'"properties":{self._writer.properties(properties)},'
            f'"events":{self._writer.events(events)}}}'
        )

    def _rows(self, name: Name, pieces: Sequence[Piece]) -> str:
        """Alibaba's history: a list of objects, one for each moment."""
        properties = [
            self._writer.properties({each.name: each for each in piece.properties})
            for piece in pieces
            if piece.properties
        ]
        events = [
            self._writer.events({each.name: each for each in piece.events})
            for piece in pieces
            if piece.events
        ]
        return (
            f'{{"identity":{{{self._names.identity(name)}}},'
            f'"properties":[{",".join(properties)}],"events":[{",".join(events)}]}}'
        )

    def _columns(self, name: Name, pieces: Sequence[Piece]) -> str:
        """OneJSON's history: a list of values for each name."""
        properties = [each for piece in pieces for each in piece.properties]
        events = [each for piece in pieces for each in piece.events]
        return (
            f'{{"identity":{{{self._names.identity(name)}}},'
            f'"properties":{self._lists(properties)},"events":{self._lists(events)}}}'
        )

    def _lists(self, found: Sequence[Property] | Sequence[Happening]) -> str:
        columns: dict[str, list[str]] = {}
        for each in found:
            columns.setdefault(each.name, []).append(self._writer.timed(each))
        inside = ",".join(f"{text(name)}:[{','.join(of)}]" for name, of in columns.items())
        return f"{{{inside}}}"

    def _entries(self, pieces: Sequence[Piece]) -> str:
        """EnOS: an entry for each device and moment."""
        entries: list[str] = []
        for piece in pieces:
            moments: dict[int, dict[str, Property]] = {}
            for each in piece.properties:
                moments.setdefault(each.ms, {})[each.name] = each
            entries.extend(
                f'{{{self._names.identity(piece.name)},"measurepoints":'
                f'{self._writer.bare(moments[ms])},"time":{self._writer.time(ms)}}}'
                for ms in sorted(moments)
            )
        return f"[{','.join(entries)}]"


def _by_device(pieces: Sequence[Piece]) -> Iterator[tuple[Name, list[Piece]]]:
    found: dict[Name, list[Piece]] = {}
    for piece in pieces:
        found.setdefault(piece.name, []).append(piece)
    yield from found.items()
