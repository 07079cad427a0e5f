"""`linli support`: the support bundle of the running gateway, as a platform may ask for it."""

from __future__ import annotations

import argparse
from base64 import b64decode
from pathlib import Path
from typing import Any

from gateway.cli.daemon import add_socket, ask_daemon
from gateway.cli.output import Exit, say

HELP = "write what helps a far-away person to a zip file: no secrets, names, places or values"
EXAMPLE = "linli support support.zip"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the file."""
    add_socket(parser)
    parser.add_argument("file", type=Path, help="the zip file to write")


def run(arguments: argparse.Namespace) -> int:
    """Ask, and write the file."""
    answers: list[dict[str, Any]] = []
    status = ask_daemon(arguments, answers.append, "support")
    if status != Exit.DONE:
        return status
    content = b64decode(answers[0]["base64"])
    arguments.file.write_bytes(content)
    say(f"{arguments.file}: {len(content)} bytes")
    return Exit.DONE
