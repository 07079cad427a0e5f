"""docs/reference/commands.md: the commands of `linli` with their arguments."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

from docs.generate.markdown import code, page, table
from gateway.cli.main import load_verb, verb_names
from gateway.cli.output import Exit

_ABOUT = """\
Results go to stdout, logs and complaints to stderr. Problems of settings are told in Chinese under
a `zh` locale. `linli --help` and `linli COMMAND --help` say the same as this page;
`linli --version` says which version runs."""
_STATUS = {
    Exit.DONE: "done",
    Exit.FAILED: "failed at run time, or the result is a bad one (a frame that is not good)",
    Exit.USAGE: "wrong usage",
    Exit.CONFIGURATION: "the configuration is refused",
    Exit.INTERRUPTED: "interrupted by Ctrl-C",
}


def commands_page() -> str:
    """Return the page."""
    status = table(("exit status", "means"), ((int(k), v) for k, v in _STATUS.items()))
    return page("Commands", _ABOUT, status, *(_verb(name) for name in verb_names()))


def _verb(name: str) -> str:
    verb = load_verb(name)
    parser = argparse.ArgumentParser(prog=f"linli {name}")
    verb.configure(parser)
    parts = [
        f"## linli {name}",
        f"{verb.HELP[0].upper()}{verb.HELP[1:]}.",
        f"```sh\n{verb.EXAMPLE}\n```",
    ]
    return "\n\n".join((*parts, *_arguments(parser)))


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    # argparse shows a parser's arguments only as help text, whose form changes between versions.
    actions: list[argparse.Action] = vars(parser)["_actions"]
    shown = [action for action in actions if action.dest != "help"]
    plain = [action for action in shown if action.nargs != argparse.PARSER]
    if plain:
        yield table(("argument", "what it says"), ((_name(a), _says(a)) for a in plain))
    for action in shown:
        if action.nargs == argparse.PARSER:
            children: Mapping[str, argparse.ArgumentParser] = vars(action)["choices"]
            for child in children.values():
                yield f"### {child.prog}"
                yield from _arguments(child)


def _name(action: argparse.Action) -> str:
    value = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    words = ", ".join(action.option_strings)
    if not action.option_strings:
        word = str(value) + (" …" if action.nargs in ("+", "*") else "")
        return code(f"[{word}]" if action.nargs in ("?", "*") else word)
    return code(words if action.nargs == 0 else f"{words} {value}")


def _says(action: argparse.Action) -> str:
    text = action.help or ("the result as JSON" if action.dest == "json" else "")
    if action.choices is not None:
        text += f" ({', '.join(str(choice) for choice in action.choices)})"
    is_told = isinstance(action.default, bool | None) or "default" in text
    if not is_told:
        text += f"; default {action.default}"
    return text.strip().removeprefix("; ")
