"""Find the command and run it. Every module of `gateway.cli.verbs` is one command.

A module `explain_dialect` is the command `explain-dialect`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence
from typing import Protocol

from gateway import __version__
from gateway.cli import verbs
from gateway.cli.output import Exit, complain


class Verb(Protocol):
    """What a module of `verbs` offers."""

    HELP: str
    EXAMPLE: str

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it, and return the exit status."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run `linli`; returns the exit status."""
    arguments = _parser(sys.argv[1:] if argv is None else argv).parse_args(argv)
    verb: Verb = arguments.verb
    try:
        status = verb.run(arguments)
        sys.stdout.flush()  # here, where a reader that went away is no error
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _forget_output()  # the reader of our output went away, as `head` does
        return Exit.DONE
    except OSError as exc:
        complain(f"linli: {exc}")
        return Exit.FAILED
    return status


def _forget_output() -> None:
    """Let the interpreter flush what is left to nowhere, else it ends with status 120."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def verb_names() -> tuple[str, ...]:
    """Return the names of all commands, sorted."""
    modules = pkgutil.iter_modules(verbs.__path__)
    return tuple(sorted(module.name.replace("_", "-") for module in modules))


def load_verb(name: str) -> Verb:
    """Return the module of one command."""
    module_name = f"gateway.cli.verbs.{name.replace('-', '_')}"
    module: Verb = importlib.import_module(module_name)  # pyright: ignore[reportAssignmentType] - the tests hold every module against Verb
    return module


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="linli", description="Linli Gateway (邻里网关): field buses of a community to MQTT."
    )
    parser.add_argument("--version", action="version", version=f"linli {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    wanted = next((word for word in argv if not word.startswith("-")), None)
    for name in verb_names():
        if wanted in verb_names() and name != wanted:
            continue  # the others need not be imported, which keeps a Pi quick
        verb = load_verb(name)
        command = commands.add_parser(
            name,
            help=verb.HELP,
            description=verb.HELP,
            epilog=f"example: {verb.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.configure(command)
        command.set_defaults(verb=verb)
    return parser


if __name__ == "__main__":
    sys.exit(main())
