"""`linli status`: how the running gateway is."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.cli.daemon import add_socket, ask_daemon
from gateway.cli.output import is_chinese, say, say_json, say_table

HELP = "show lines, devices, outbox and platforms of the running gateway"
EXAMPLE = "linli status"

MIB = 1024 * 1024
_TIME_LOST = {
    "en": (
        "THE TIME OF DAY IS NOT KNOWN: the clock of this box cannot be right. Alarms are sent, "
        "values wait until it is. Mend NTP (chronyc tracking) or the battery of the clock."
    ),
    "zh": (
        "时间未知：本机时钟不可能正确。报警照常发送，数值等到时间正确后再发送。"
        "请检查 NTP（chronyc tracking）或时钟电池。"
    ),
}
_CLOCK_SET = {
    "en": "the wall clock was set {count} times since the start",
    "zh": "启动以来系统时钟被调整过 {count} 次",
}
_CLOCK_BLAMED = "the clock of this box says"
"""Of `uplink.diagnosis`: a certificate was refused for its dates."""
_CERTIFICATE = {
    "en": (
        "A platform's certificate does not fit the time of this box. If the time that is shown is "
        "wrong, mend the clock (NTP, battery); if it is right, the platform must renew it."
    ),
    "zh": (
        "平台证书的有效期与本机时间不符。如果显示的时间不对，请修正时钟（NTP、电池）；"
        "如果时间正确，请让平台更新证书。"
    ),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the form of the answer."""
    add_socket(parser)
    parser.add_argument("--units", action="store_true", help="every unit of every line too")
    parser.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Ask and show."""
    show = say_json if arguments.json else _show
    status = ask_daemon(arguments, show, "status")
    if status == 0 and arguments.units:
        return ask_daemon(arguments, say_json if arguments.json else _show_units, "lines")
    return int(status)


def _show(status: dict[str, Any]) -> None:
    say(f"gateway {status['gateway']} of site {status['site']}, clock {status['clock']}")
    for text in status["fallback"]:
        say(f"  THE SITE FILE IS REFUSED, an older one runs: {text}")
    _show_configuration(status["configuration"])
    _show_clock(status)
    offline = status["offline"]
    say(f"devices: {status['online']} of {status['devices']} online; events: {status['events']}")
    for device, why in sorted(offline.items()):
        say(f"  offline: {device} ({why})")
    say()
    say_table(
        ("line", "up", "load %", "requests", "replies", "errors", "missed"),
        (
            (
                line["line"],
                "yes" if line["is_up"] else "no",
                f"{line['load_percent']:.1f}",
                line["requests"],
                line["replies"],
                " ".join(f"{name}={count}" for name, count in line["errors"]),
                line["missed"],
            )
            for line in status["lines"]
        ),
    )
    say()
    _show_outbox(status["outbox"])
    say()
    say_table(
        ("platform", "state", "broker", "since", "delivered", "refused", "in flight"),
        (
            (
                sink["name"],
                "connected" if sink["connected"] else sink["why"],
                sink["broker"],
                _local(sink["since"]),
                sink["delivered"],
                sink["refused"],
                sink["in_flight"],
            )
            for sink in status["sinks"]
        ),
    )
    _show_databases(status)
    for sink in status["sinks"]:
        for doubt in _doubts(sink):
            say(f"  {sink['name']}: {doubt}")


def _show_configuration(found: dict[str, Any] | None) -> None:
    """Show which site configuration runs, where it is not simply the file of this machine."""
    if found is not None and found["state"] != "local":
        version = f" version {found['version']}" if found["version"] else ""
        say(f"configuration: {found['state']}{version} {found['hash'][:16]}")


def _show_databases(status: dict[str, Any]) -> None:
    """Show historians and the local history, where the site has any."""
    if status["historians"]:
        say()
        say_table(
            ("database", "state", "address", "since", "written", "refused"),
            (
                (
                    one["name"],
                    "up" if one["up"] else one["why"],
                    one["url"],
                    _local(one["since"]),
                    one["written"],
                    one["refused"],
                )
                for one in status["historians"]
            ),
        )
    if (history := status["history"]) is not None:
        used, quota = (history["used_bytes"] or 0) / MIB, history["quota_bytes"] / MIB
        say(f"history: {history['days']} days, {used:.1f} of {quota:.0f} MB")
        if history["why"]:
            say(f"  THE HISTORY IS NOT WRITTEN: {history['why']}")


MOST_FILTERS = 5
"""Topics that are named; a broker that refuses one mostly refuses all of its kind."""
_DOUBTS: Mapping[str, str] = {
    "is_unheard": "NOBODY LISTENS to what is published",
    "dead_letters": "{dead_letters} records it will never take: linli outbox refused",
    "duplicate_client_id": "ANOTHER CLIENT uses the same client id",
}
"""What is said where the field of a sink is set."""
_PROOFS: Mapping[str, str] = {
    "impossible": "MQTT 3.1.1 without an echo: a denied message looks like a delivered one",
    "denied": "DENIED: the broker drops what we publish; it is kept",
}


def _doubts(sink: dict[str, Any]) -> Iterator[str]:
    """Yield what stands against the delivery to one platform."""
    if len(sink["brokers"]) > 1:
        yield f"brokers: {', '.join(sink['brokers'])}"
    for stream in sink["refused_streams"]:
        yield f"REFUSED {stream}; its records are kept and tried again"
    if (more := sink["refused_stream_count"] - len(sink["refused_streams"])) > 0:
        yield f"REFUSED {more} more streams"
    if refused := sink["refused_filters"]:
        yield f"REFUSED to listen: nothing comes by {', '.join(refused[:MOST_FILTERS])}"
    yield from (text.format(**sink) for field, text in _DOUBTS.items() if sink[field])
    if (proof := _PROOFS.get(sink["refusal_proof"])) is not None:
        yield proof


def _show_clock(status: dict[str, Any]) -> None:
    language = "zh" if is_chinese() else "en"
    if status["time_lost"]:
        say(f"  {_TIME_LOST[language]}")
    if status["clock_steps"]:
        say(f"  {_CLOCK_SET[language].format(count=status['clock_steps'])}")
    if any(_CLOCK_BLAMED in sink["why"] for sink in status["sinks"] if not sink["connected"]):
        say(f"  {_CERTIFICATE[language]}")


def _show_outbox(outbox: dict[str, Any]) -> None:
    used, quota = outbox["used_bytes"] / MIB, outbox["quota_bytes"] / MIB
    left = outbox["hours_left"]
    lasts = "" if left is None else f", lasts {left:.0f} h without a platform"
    say(f"outbox: {outbox['records']} records committed, {used:.1f} of {quota:.0f} MB{lasts}")
    if outbox["refusing"]:
        say(f"  THE DISK REFUSES: {outbox['refusing']}; {outbox['held']} records are in memory")
    if not outbox["is_reserve_whole"]:
        say("  THE RESERVE FOR ALARMS IS IN USE: the disk or the quota is full")
    for depth in outbox["depths"]:
        age = depth["oldest_age_s"]
        oldest = "" if age is None else f", oldest {age:.0f} s"
        say(f"  {depth['sink']} {depth['lane']}: {depth['depth']} waiting{oldest}")


def _show_units(lines: list[dict[str, Any]]) -> None:
    for line in lines:
        say()
        say(f"line {line['line']}")
        say_table(
            ("unit", "devices", "online", "requests", "errors", "response ms", "timeout ms"),
            (
                (
                    unit["unit"],
                    " ".join(unit["devices"][:3]),
                    "yes" if unit["is_online"] else "no",
                    unit["requests"],
                    unit["errors"],
                    f"{unit['response_s'] * 1000:.0f}",
                    f"{unit['timeout_s'] * 1000:.0f}",
                )
                for unit in line["units"]
            ),
        )


def _local(ms: int) -> str:
    return dt.datetime.fromtimestamp(ms / 1000).astimezone().isoformat(" ", "seconds")
