"""`linli schema`: JSON Schemas of what people write and platforms read."""

from __future__ import annotations

import argparse

from gateway.cli.output import Exit, complain, say
from gateway.settings.catalogue import shipped_config

HELP = "print the JSON Schema of a site file, a profile, or the payloads"
EXAMPLE = "linli schema site > site.schema.json"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add what to print."""
    parser.add_argument("what", choices=("site", "profile", "kind", "payload"))
    parser.add_argument(
        "payload_class", nargs="?", help="for payload: prop, event, birth, ... (default: envelope)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the schema that is shipped; the tests hold it against the models."""
    folder = shipped_config() / "schema"
    name = f"{arguments.what}.json"
    if arguments.what == "payload":
        folder, name = folder / "payload", f"{arguments.payload_class or 'envelope'}.json"
    file = folder / name
    if not file.exists():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.json")))
        complain(f"linli schema: there is no schema {name}; there are: {known}")
        return Exit.USAGE
    say(file.read_text(encoding="utf-8").rstrip())
    return Exit.DONE
