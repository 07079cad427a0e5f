"""Who a device says it is: functions 43/14 and 17 (V1.1b3, 6.21 and 6.13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from drivers.contract import Job, Steps
from drivers.modbus.framing import Framing, Prepared
from drivers.modbus.jobs import SingleJob
from drivers.modbus.pdu import identification_request, server_id_request

OBJECT_NAMES = {
    0: "VendorName",
    1: "ProductCode",
    2: "MajorMinorRevision",
    3: "VendorUrl",
    4: "ProductName",
    5: "ModelName",
    6: "UserApplicationName",
}
_FIRST_PRIVATE = 0x80
_LAST_OBJECT = 0xFF
_MORE_FOLLOWS = 0xFF
_RUNNING = 0xFF
_HEADER = 4  # conformity, more follows, next object, number of objects


class Access(IntEnum):
    """How much is asked for: objects 0-2, 0-6, or 0-6 and the private ones 128-255."""

    BASIC = 1
    REGULAR = 2
    EXTENDED = 3


_OBJECTS = {
    Access.BASIC: tuple(range(3)),
    Access.REGULAR: tuple(range(7)),
    Access.EXTENDED: (*range(7), *range(_FIRST_PRIVATE, _LAST_OBJECT + 1)),
}


@dataclass(frozen=True, slots=True)
class Identification:
    """One reply to 43/14: texts by object id, and the object to ask for next, if any."""

    conformity: int
    next_object: int | None
    objects: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class IdentifyJob:
    """Reads all identification objects of an access level, in as many exchanges as they take.

    Its keys are object ids; the value of one that the device does not have is None.
    """

    framing: Framing
    unit: int
    access: Access

    @property
    def keys(self) -> tuple[int, ...]:
        """Object ids of the level."""
        return _OBJECTS[self.access]

    @property
    def request_chars(self) -> int:
        """Characters of one request."""
        return self._prepared(0).request_chars

    @property
    def reply_chars(self) -> int:
        """Characters of a usual reply; only the device knows its texts."""
        return self._prepared(0).reply_chars

    @property
    def exchanges(self) -> int:
        """One, unless the device says that more follows."""
        return 1

    def steps(self) -> Steps:
        """Ask until nothing more follows; a device that does not move on is left."""
        found: dict[int, str] = {}
        next_object: int | None = 0
        while next_object is not None:
            asked = next_object
            reply = read_identification((yield self._prepared(asked).exchange()))
            found.update(reply.objects)
            following = reply.next_object
            next_object = following if following is not None and following > asked else None
        return [found.get(key) for key in self.keys]

    def split(self) -> tuple[Job, ...]:
        """Return (): it has no addresses."""
        return ()

    def describe(self) -> str:
        """Return function and access level."""
        return f"function 43/14: device identification, {self.access.name.lower()}"

    def _prepared(self, first_object: int) -> Prepared:
        return self.framing.prepare(self.unit, identification_request(self.access, first_object))


def server_id_job(framing: Framing, unit: int) -> SingleJob:
    """Return the job of function 17: key 0 is the device's own bytes, key 1 whether it runs."""
    prepared = framing.prepare(unit, server_id_request())
    return SingleJob(prepared, "function 17: server id", (0, 1), read_server_id)


def read_identification(payload: bytes) -> Identification:
    """Return what a reply to 43/14 says, from its conformity level on.

    Its lengths were checked when the reply was recognised.
    """
    conformity, more, following, count = payload[:_HEADER]
    objects: dict[int, str] = {}
    at = _HEADER
    for _ in range(count):
        number, length = payload[at : at + 2]
        at += 2 + length
        objects[number] = payload[at - length : at].decode("utf-8", errors="replace")
    return Identification(conformity, following if more == _MORE_FOLLOWS else None, objects)


def read_server_id(payload: bytes) -> tuple[bytes, bool | None]:
    """Return the device's own bytes, and whether the run indicator after them says that it runs.

    `payload` begins at the byte count. Which bytes are there is the vendor's choice; an indicator
    other than 00 and FF is taken as one of them.
    """
    octets = payload[1:]
    if octets and octets[-1] in {0, _RUNNING}:
        return octets[:-1], octets[-1] == _RUNNING
    return octets, None
