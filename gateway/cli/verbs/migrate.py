"""`linli migrate`: rewrite a site file of an older version in today's format."""

from __future__ import annotations

import argparse
from pathlib import Path

from gateway.cli.output import Exit, complain, say
from gateway.settings.migrate import CURRENT, NotMigrated, migrate_file

HELP = "rewrite a site file of an older version in today's format, with a backup beside it"
EXAMPLE = "linli migrate /etc/linli/gateway.yaml"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the file."""
    parser.add_argument("file", type=Path)


def run(arguments: argparse.Namespace) -> int:
    """Rewrite it whole or not at all; 78 when its version is not known."""
    try:
        backup = migrate_file(arguments.file)
    except NotMigrated as why:
        complain(f"linli: {why}")
        return Exit.CONFIGURATION
    if backup is None:
        say(f"{arguments.file} is of version {CURRENT} already")
    else:
        say(f"{arguments.file} is of version {CURRENT} now; the old one is {backup}")
    return Exit.DONE
