"""`linli inventory`: what stands on the site, in the form that another system reads."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from gateway.app.outward.doors import door_beside
from gateway.app.site.last_good import load_and_vet
from gateway.cli.output import Exit, complain, is_chinese, say
from gateway.inventory.contract import NATIVE
from gateway.inventory.registry import forms
from gateway.inventory.things import inventory_of
from gateway.model.ids import SinkName
from gateway.ops.paths import places

HELP = "list the site's devices in the form that a twin or a platform reads"
EXAMPLE = "linli inventory /etc/linli/gateway.yaml --for province --as ngsi_ld"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add file, sink and form."""
    parser.add_argument("file", type=Path, help="the site file")
    parser.add_argument(
        "--for",
        dest="sink",
        metavar="SINK",
        help="for this sink's platform: only what may leave through it. Default: the only sink",
    )
    parser.add_argument(
        "--as",
        dest="form",
        choices=tuple(forms()),
        default="native",
        help="; ".join(f"{name}: {form.title}" for name, form in forms().items()),
    )


def run(arguments: argparse.Namespace) -> int:
    """Print it as JSON; 78 when the file has errors."""
    result = load_and_vet(arguments.file)
    if result.site is None:
        for problem in result.problems:
            complain(problem.in_language("zh" if is_chinese() else "en").text())
        return Exit.CONFIGURATION
    site = result.site
    names = sorted(site.sinks)
    if arguments.sink is None and len(names) != 1:
        complain(f"linli inventory: say for whom: --for {' | '.join(names) or '(no sink yet)'}")
        return Exit.USAGE
    sink = site.sinks.get(SinkName(arguments.sink or names[0]))
    if sink is None:
        known = ", ".join(names)
        complain(f"linli inventory: there is no sink {arguments.sink}; there are {known}")
        return Exit.USAGE
    form = forms()[arguments.form]
    if form.needs_native and sink.dialect != NATIVE:
        text = (
            f"--as {arguments.form} names topics of native, and {sink.name} speaks {sink.dialect}"
        )
        complain(f"linli inventory: {text}")
        return Exit.USAGE
    devices = tuple(site.all_devices.values())
    inventory = inventory_of(site.gateway, sink, devices, door_beside(site, sink, places().state))
    document = form.make(inventory)
    say(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))
    return Exit.DONE
