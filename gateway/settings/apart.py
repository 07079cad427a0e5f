"""The same load in a process of its own, for the daemon.

YAML, models and trees are needed for a moment and would stay in the daemon's memory for months
(measured: 10 MB of 45), and a reload of 500 devices would hold its event loop for a third of a
second. The child ends, and only the frozen site comes back.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.settings.result import LoadResult

LONGEST_S = 60.0
_CHECKOUT = Path(__file__).resolve().parents[2]


def load_site_apart(path: Path, *, profile_dirs: Sequence[Path] | None = None) -> LoadResult:
    """Return what `load_site` gives; loads here when no child can be had. Blocks: up to 60 s."""
    folders = [str(folder) for folder in profile_dirs or ()]
    command = [sys.executable, "-m", "gateway.settings.apart", str(path), *folders]
    paths = [str(_CHECKOUT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, env=environment, capture_output=True, check=True, timeout=LONGEST_S
        )
        result = pickle.loads(child.stdout)  # noqa: S301 - from our own child
    except (OSError, subprocess.SubprocessError, pickle.UnpicklingError, EOFError):
        return _load_here(path, profile_dirs)
    return result if isinstance(result, LoadResult) else _load_here(path, profile_dirs)


def _load_here(path: Path, profile_dirs: Sequence[Path] | None) -> LoadResult:
    from gateway.settings.load import load_site  # noqa: PLC0415 - heavy, and not needed as a rule

    return load_site(path, profile_dirs=profile_dirs)


def main() -> None:
    """Load the site named on the command line and write the result to stdout."""
    folders = [Path(folder) for folder in sys.argv[2:]]
    result = _load_here(Path(sys.argv[1]), folders or None)
    sys.stdout.buffer.write(pickle.dumps(result, protocol=pickle.HIGHEST_PROTOCOL))


if __name__ == "__main__":
    main()
