"""Talk to the running daemon over its control socket."""

from __future__ import annotations

import argparse
import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.cli.output import Exit, complain
from gateway.ops.control import ControlError, ask
from gateway.ops.paths import places


def add_socket(parser: argparse.ArgumentParser) -> None:
    """Let the user say which daemon is meant."""
    parser.add_argument("--socket", type=Path, help="control socket, when it is not the usual one")


def socket_of(arguments: argparse.Namespace) -> Path:
    """Return the socket that is meant."""
    return arguments.socket or places().control_socket


def ask_daemon(
    arguments: argparse.Namespace, show: Callable[[Any], None], op: str, **fields: object
) -> int:
    """Ask, and hand every result to `show`; returns the exit status."""
    path = socket_of(arguments)

    async def conversation() -> None:
        async for result in ask(path, op, **fields):
            show(result)

    try:
        asyncio.run(conversation())
    except ControlError as refused:
        complain(f"linli: {refused}")
        return Exit.FAILED
    except (FileNotFoundError, ConnectionRefusedError):
        complain(
            f"linli: no gateway listens at {path}. Is it running (systemctl status "
            "linli-gateway)? Another one is named with --socket"
        )
        return Exit.FAILED
    except PermissionError:
        complain(f"linli: no permission for {path}: join the group linli, or use sudo")
        return Exit.FAILED
    return Exit.DONE


def is_daemon_there(arguments: argparse.Namespace) -> bool:
    """Whether a daemon listens; one that was killed leaves its socket behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(socket_of(arguments)))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True  # such as no permission: asking says so
        return True
