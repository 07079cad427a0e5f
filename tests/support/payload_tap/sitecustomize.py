"""Every Python process of a test run that makes payloads of the native dialect writes them down.

`tests/conftest.py` puts this folder on PYTHONPATH. Each payload whose like this process has not
made before goes into a file of the folder `PAYLOAD_TAP`; at the end of the run all of them are held
against their schemas. Two payloads are alike when they differ in digits only.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from types import ModuleType
from typing import Any, cast

MODULE = "gateway.dialects.native.dialect"
MOST_SHAPES = 20_000
_DIGITS = re.compile(rb"[0-9]+")
_SAYS = ("encode", "connected", "reloaded", "echo", "goodbye", "connect_spec")


class _Tap:
    """Writes down what is new."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._seen: set[bytes] = set()
        self._file = -1
        self._pid = 0

    def take(self, topic: str, payload: bytes) -> None:
        """Take one message."""
        shape = _DIGITS.sub(b"0", payload)
        if not payload or shape in self._seen or len(self._seen) >= MOST_SHAPES:
            return
        self._seen.add(shape)
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._file = os.open(
                os.path.join(self._folder, f"{self._pid}.tap"),  # noqa: PTH118 - as light as can be
                os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC,
                0o600,
            )
        os.write(self._file, topic.encode() + b" " + payload + b"\n")


def _messages(said: Any) -> Iterator[tuple[str, bytes]]:
    """Yield topic and payload of whatever a method of a dialect returned."""
    if hasattr(said, "publications"):
        said = said.publications
    if hasattr(said, "will"):
        said = said.will
    messages = cast("tuple[Any, ...]", said if isinstance(said, tuple) else (said,))
    for one in messages:
        if one is not None:
            yield one.topic, one.payload


def _watched(method: Callable[..., Any], tap: _Tap) -> Callable[..., Any]:
    @wraps(method)
    def watched(*args: Any, **kwargs: Any) -> Any:
        said = method(*args, **kwargs)
        for topic, payload in _messages(said):
            tap.take(topic, payload)
        return said

    return watched


class _Watch(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Wraps the dialect's methods when it is imported, and nothing else."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._loader: importlib.abc.Loader | None = None

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Find the dialect's module as Python does, with ourselves as its loader."""
        if fullname != MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Leave that to the real loader."""
        return self._loader.create_module(spec) if self._loader else None

    def exec_module(self, module: ModuleType) -> None:
        """Load it, then watch what it says."""
        if self._loader is None:
            return
        self._loader.exec_module(module)
        tap = _Tap(self._folder)
        native: Any = module.__dict__["Native"]
        for name in _SAYS:
            setattr(native, name, _watched(getattr(native, name), tap))


if folder := os.environ.get("PAYLOAD_TAP"):
    sys.meta_path.insert(0, _Watch(folder))
