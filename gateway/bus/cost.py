"""What line time costs: seconds of an exchange from baud rate, silence and turnaround."""

from __future__ import annotations

from dataclasses import dataclass

from drivers import registry
from drivers.contract import Job, JobDriver, LineCost, SessionDriver, WireSettings
from gateway.settings.site import Line, SerialPort

NETWORK_EXCHANGE_S = 0.005
"""Round trip charged for an exchange on a network whose devices answer at once."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of one protocol on one line, in seconds.

    Of a character, and of the silence that must pass before a request.
    """

    char_s: float
    silence_s: float


def char_s(line: Line) -> float:
    """Return the seconds of one character on the line, 0 on networks."""
    return line.link.char_s if isinstance(line.link, SerialPort) else 0.0


def timing(line: Line, wire: WireSettings, character_s: float) -> Timing:
    """Return the times of a protocol on a line whose characters take `character_s`."""
    silence_s = max(wire.silence_chars * character_s, wire.silence_min_s)
    return Timing(character_s, silence_s + line.pause_s)


def line_cost(line: Line, wire: WireSettings, character_s: float | None = None) -> LineCost:
    """Return what the read plan has to pay on this line for this protocol."""
    a_char_s = char_s(line) if character_s is None else character_s
    times = timing(line, wire, a_char_s)
    turnaround_s = line.turnaround_s
    if a_char_s == 0 and wire.has_reply_ids:
        turnaround_s = min(turnaround_s, NETWORK_EXCHANGE_S)
    return LineCost(a_char_s, times.silence_s + turnaround_s)


def job_s(job: Job, cost: LineCost, pause_s: float = 0.0) -> float:
    """Return the seconds that one run of the job takes of the line when all goes well."""
    characters = job.request_chars + job.reply_chars
    return characters * cost.char_s + job.exchanges * (cost.exchange_s + pause_s)


def load_percent(busy_s: float, period_s: float) -> float:
    """Return how much of the line something takes that needs `busy_s` every `period_s`."""
    return 100.0 * busy_s / period_s if period_s > 0 else float("inf")


def driver_of(protocol: str) -> JobDriver:
    """Return the driver object that speaks a protocol.

    Raises:
        LookupError: nobody speaks it, or its devices speak by themselves.
    """
    driver = registry.driver_of_protocol(protocol).protocols.get(protocol)
    if driver is None:
        raise LookupError(f"devices of {protocol} speak by themselves: they cannot be asked")
    return driver


def session_driver_of(protocol: str) -> SessionDriver | None:
    """Return the driver object of a protocol whose devices speak by themselves; None for others.

    Raises:
        LookupError: nobody speaks it.
    """
    return registry.driver_of_protocol(protocol).sessions.get(protocol)
