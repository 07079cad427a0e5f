"""`linli reload`: apply the changed site file without touching what did not change."""

from __future__ import annotations

import argparse
from typing import Any

from gateway.cli.daemon import add_socket, ask_daemon
from gateway.cli.output import Exit, complain, say, say_json

HELP = "let the running gateway apply its changed site file"
EXAMPLE = "linli reload"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the form of the answer."""
    add_socket(parser)
    parser.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Ask; 78 when the file is refused and the old site runs on."""
    answers: list[dict[str, Any]] = []
    status = ask_daemon(arguments, answers.append, "reload")
    if status != Exit.DONE:
        return status
    (answer,) = answers
    if arguments.json:
        say_json(answer)
    elif answer["applied"]:
        say(f"applied: {answer['changes']}")
    else:
        for one in answer["problems"]:
            place = f"{one['file']}:{one['line']}:{one['col']}"
            complain(f"{place}: {one['path']}: {one['message']}. {one['remedy']} [{one['code']}]")
        complain("refused: the old site goes on")
    return Exit.DONE if answer["applied"] else Exit.CONFIGURATION
