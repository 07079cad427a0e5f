"""The command line under libfaketime; its children see the true time.

    python -m tests.support.faked_gateway run -c site.yaml

The library takes absolute sleeps on the monotonic clock for sleeps until a time of day, so that
`time.sleep`, with which `subprocess` waits for its child, might last until the true year.
"""

from __future__ import annotations

import os
import select
import sys
import time

from gateway.cli.main import main


def _sleep(seconds: float) -> None:
    select.select((), (), (), seconds)


if __name__ == "__main__":
    time.sleep = _sleep
    os.environ.pop("LD_PRELOAD", None)
    sys.exit(main())
