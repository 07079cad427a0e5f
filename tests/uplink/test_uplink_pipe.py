"""The pipe below paho: what reading from it leaves behind."""

import gc
import socket
from contextlib import suppress

from gateway.uplink.pipe import Pipe


def test_nothing_to_read_leaves_no_ring_for_the_collector() -> None:
    # It happens once a packet. An error that refers to itself keeps its frames until the collector
    # runs: megabytes at full rate.
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        pipe = Pipe(near)
        gc.disable()
        try:
            with suppress(BlockingIOError):
                pipe.recv(1)
            rings = [each for each in gc.get_objects() if isinstance(each, BlockingIOError)]
        finally:
            gc.enable()
    assert rings == []
