"""Rules of the house that no other tool knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import registry
from simulators import wires

PRODUCT = [
    file for room in ("gateway", "drivers", "simulators") for file in Path(room).rglob("*.py")
]
BULKHEADS = {
    "gateway/bus/line.py",
    "gateway/bus/session_line.py",
    "gateway/app/field/pipeline.py",
    "gateway/app/sinks/encoder.py",
}
"""Where anything may be caught: a line (of either shape), the pipeline, and encode."""


def _handlers(tree: ast.AST) -> Iterator[tuple[ast.ExceptHandler, set[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            named = ast.walk(node.type) if node.type else ()
            names = {part.id for part in named if isinstance(part, ast.Name)}
            names |= {part.attr for part in named if isinstance(part, ast.Attribute)}
            yield node, names or {"everything"}


@pytest.mark.parametrize("file", PRODUCT, ids=str)
def test_cancellation_passes_through_and_nothing_swallows_everything(file: Path) -> None:
    for handler, names in _handlers(ast.parse(file.read_text(encoding="utf-8"))):
        if names & {"CancelledError", "BaseException", "everything"}:
            raises = any(isinstance(node, ast.Raise) for node in ast.walk(handler))
            assert raises, f"{file}:{handler.lineno} swallows cancellation"
        if "Exception" in names:
            assert str(file) in BULKHEADS, f"{file}:{handler.lineno} is no bulkhead"


@pytest.mark.parametrize("file", PRODUCT, ids=str)
def test_a_module_fits_one_idea(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("name", registry.names())
def test_every_driver_has_vectors_a_page_and_a_simulator(name: str) -> None:
    assert list((Path("drivers") / name).glob("vectors.*"))
    assert (Path("docs/drivers") / f"{name}.md").exists()
    assert name == "modbus" or name in wires.names()


def test_the_tree_names_no_machine_and_no_registry() -> None:
    # Built from parts, so that this file does not match itself.
    hosts = [
        "files.python" + "hosted",
        "pypi" + ".org/",
        "deb.deb" + "ian.org",
        "registry.npm" + "js",
    ]
    pattern = re.compile("|".join(re.escape(host) for host in hosts))
    for folder in ("gateway", "drivers", "simulators", "tests", "docs", "deploy", "config"):
        for file in Path(folder).rglob("*"):
            if file.is_file() and file.suffix in {".py", ".md", ".yaml", ".json", ".sh", ".toml"}:
                found = pattern.search(file.read_text(encoding="utf-8"))
                assert found is None, f"{file}: {found}"
    assert pattern.search(Path("requirements.lock").read_text(encoding="utf-8")) is None
