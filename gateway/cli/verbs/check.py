"""`linli check`: everything that is wrong with a site, at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from gateway.app.site.vet import vet
from gateway.cli.output import Exit, is_chinese, say, say_json
from gateway.settings.load import load_site

HELP = "check a site file and all it uses; says every error and warning at once"
EXAMPLE = "linli check /etc/linli/gateway.yaml"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the file."""
    parser.add_argument("file", type=Path, help="the site file, or a folder with gateway.yaml")
    parser.add_argument("--json", action="store_true", help="one JSON object a problem")


def run(arguments: argparse.Namespace) -> int:
    """Check it; 78 when it has errors."""
    result = load_site(arguments.file)
    problems = list(result.problems)
    if result.site is not None:
        problems += vet(result.site)
    language = "zh" if is_chinese() else "en"
    for problem in problems:
        shown = problem.in_language(language)
        if arguments.json:
            say_json(shown.as_json())
        else:
            say(f"{shown.severity}: {shown.text()}" if shown.severity != "error" else shown.text())
    errors = sum(problem.severity == "error" for problem in problems)
    if not arguments.json:
        _say_summary(errors, len(problems) - errors)
    return Exit.CONFIGURATION if errors else Exit.DONE


def _say_summary(errors: int, warnings: int) -> None:
    if is_chinese():
        say("没有错误。" if not errors else f"{errors} 个错误，{warnings} 个警告。")
        return
    say(f"{errors} errors, {warnings} warnings" if errors or warnings else "no errors")
