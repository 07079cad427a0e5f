"""The one error of this room."""

from __future__ import annotations


class UplinkDown(Exception):
    """There is no connection to the platform; the text says why, for the person on the ladder.

    `is_final` marks what no retry mends (a missing certificate file): the back-off is longest.
    """

    def __init__(self, why: str, *, is_final: bool = False) -> None:
        super().__init__(why)
        self.is_final = is_final
