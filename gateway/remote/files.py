"""The files of a configuration: their names, and the hash that stands for all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

MOST_FILES = 64
MOST_BYTES = 128 * 1024
"""Of all files together; a site of 500 devices in tables has 40 kB."""
MAIN = "gateway.yaml"
_PLAIN = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
_NAME = re.compile(rf"gateway\.yaml|conf\.d/{_PLAIN}\.yaml|(?:{_PLAIN}/){{0,3}}{_PLAIN}\.csv")


def is_bundle_name(name: str) -> bool:
    """Whether a file of this name may be in a configuration.

    Profiles are not: what a register means, and how private it is, is installed at the site.
    """
    return _NAME.fullmatch(name) is not None and ".." not in name


def hash_of(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256, in hex, over name, NUL, length, NUL and content of all files by name."""
    hashed = sha256()
    for name in sorted(files):
        hashed.update(f"{name}\0{len(files[name])}\0".encode())
        hashed.update(files[name])
    return hashed.hexdigest()
