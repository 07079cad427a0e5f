"""Where the gateway keeps things: what systemd says, else the XDG places of an ordinary user."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NAME = "linli"


@dataclass(frozen=True, slots=True)
class Places:
    """Folders of one installation."""

    state: Path
    runtime: Path
    configuration: Path

    @property
    def control_socket(self) -> Path:
        """The socket on which the daemon listens to the command line."""
        return self.runtime / "control.sock"

    @property
    def site_file(self) -> Path:
        """The site file when none is named."""
        return self.configuration / "gateway.yaml"


def places(environment: Mapping[str, str] = os.environ, *, is_root: bool | None = None) -> Places:
    """Return the folders: of systemd where it sets them, of root, or of the user (XDG)."""
    root = os.geteuid() == 0 if is_root is None else is_root
    home = Path(environment.get("HOME", "/"))
    if root:
        state, runtime, configuration = Path("/var/lib"), Path("/run"), Path("/etc")
    else:
        state = Path(environment.get("XDG_STATE_HOME", home / ".local/state"))
        runtime = Path(environment.get("XDG_RUNTIME_DIR", state))
        configuration = Path(environment.get("XDG_CONFIG_HOME", home / ".config"))
    return Places(
        Path(environment.get("STATE_DIRECTORY", state / NAME)),
        Path(environment.get("RUNTIME_DIRECTORY", runtime / NAME)),
        Path(environment.get("CONFIGURATION_DIRECTORY", configuration / NAME)),
    )
