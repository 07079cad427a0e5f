"""The command `linli-sim`: what stands around a gateway, for work without hardware."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from simulators import verbs


class Verb(Protocol):
    """What a module of `simulators.verbs` has."""

    HELP: str
    EXAMPLE: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    arguments = _parser(words).parse_args(words)
    verb: Verb = arguments.verb
    return verb.run(arguments)


def verb_names() -> tuple[str, ...]:
    """Return the names of all verbs."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(verbs.__path__)))


def load_verb(name: str) -> Verb:
    """Return the module of one verb."""
    module: Verb = importlib.import_module(f"simulators.verbs.{name}")  # pyright: ignore[reportAssignmentType] - a test holds every module against Verb
    return module


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="linli-sim", description="Simulated devices, gateways, brokers' trials and platforms."
    )
    commands = parser.add_subparsers(metavar="VERB", required=True)
    wanted = next((word for word in words if not word.startswith("-")), None)
    for name in verb_names():
        if wanted in verb_names() and name != wanted:
            continue  # what the others need takes a second to import
        verb = load_verb(name)
        command = commands.add_parser(
            name, help=verb.HELP, description=verb.HELP, epilog=f"example: {verb.EXAMPLE}"
        )
        verb.configure(command)
        command.set_defaults(verb=verb)
    return parser


if __name__ == "__main__":
    sys.exit(main())
