"""What a load gives; light to import, for those who only read it."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.settings.problems import Problem
from gateway.settings.site import Site


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The site, or None when there are errors; `problems` has the warnings in any case."""

    site: Site | None
    problems: tuple[Problem, ...]
