"""Files with a key of our own: whole or not there, and readable by nobody else."""

from __future__ import annotations

import os
from pathlib import Path


def write_key(file: Path, content: bytes) -> None:
    """Write a key so that neither a power cut nor a reader finds half of it.

    Raises:
        OSError: the disk does not take it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as to:
        to.write(content)
        to.flush()
        os.fsync(to.fileno())
    fresh.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # else a power cut may take the key and leave what was made with it
    finally:
        os.close(folder)
