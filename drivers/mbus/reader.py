"""Takes bytes off a telegram, and says where it ends too early."""

from __future__ import annotations

from dataclasses import dataclass


class Broken(Exception):
    """The bytes end, or cannot be understood from here on; the text says where and why."""


@dataclass(slots=True)
class Reader:
    """Bytes with a position."""

    octets: bytes
    at: int = 0

    @property
    def left(self) -> int:
        """Bytes that are not taken yet."""
        return len(self.octets) - self.at

    def take(self, count: int) -> bytes:
        """Return the next bytes.

        Raises:
            Broken: there are not so many.
        """
        if count > self.left:
            raise Broken(f"{count} bytes needed at byte {self.at}, {self.left} are left")
        taken = self.octets[self.at : self.at + count]
        self.at += count
        return taken

    def byte(self) -> int:
        """Return the next byte.

        Raises:
            Broken: there is none.
        """
        return self.take(1)[0]
