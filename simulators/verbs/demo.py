"""The verb `linli-sim demo`: the whole main job on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from simulators.demo.run import DemoOptions, run_demo

HELP = "community, gateway, broker and platform on this machine"
EXAMPLE = "linli-sim demo --duration 20 --json"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--duration", type=float, help="seconds, else until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="the last line is the result as JSON")
    parser.add_argument("--embedded-broker", action="store_true", help="do not look for mosquitto")
    parser.add_argument("--keep", type=Path, help="folder for logs and state, kept afterwards")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb; return its exit status."""
    return run_demo(
        DemoOptions(
            duration_s=arguments.duration,
            is_json=arguments.json,
            is_embedded=arguments.embedded_broker,
            keep=arguments.keep,
        )
    )
