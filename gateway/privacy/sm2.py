"""SM2 signatures over SM3 (GB/T 32918.2-2016, on the curve of GB/T 32918.5-2017).

Here because the library that we use for SM4 has no SM2, and those that have one in pure Python take
30 ms for a signature in the thread that also polls meters; with a table of the base point it is
one. Python's integers take longer for some numbers than for others: who can measure that to
the microsecond on this machine could learn of the key, and who is on the machine can read it
anyway. Where a key must not be on the machine at all, a TLCP sidecar with a card signs instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_WINDOW = 4
_WINDOWS = 256 // _WINDOW
SIZE = 32
"""Bytes of a number."""
LONGEST_ID = 8191
"""Bytes of an ID: its length in bits has two bytes (GB/T 32918.2, 5.5)."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the curve that is not the one at infinity."""

    x: int
    y: int

    def is_on_curve(self) -> bool:
        """Whether it fulfils the equation, with both numbers in range."""
        in_range = 0 <= self.x < P and 0 <= self.y < P
        return in_range and (self.y * self.y - (self.x**3 + A * self.x + B)) % P == 0

    def encoded(self) -> bytes:
        """Return x and y, high bytes first, without the 04 in front."""
        return self.x.to_bytes(SIZE, "big") + self.y.to_bytes(SIZE, "big")


BASE = Point(
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)

_Jacobian: TypeAlias = "tuple[int, int, int]"  # (X, Y, Z) is (X/Z**2, Y/Z**3); Z = 0 is infinity
_INFINITY: _Jacobian = (1, 1, 0)


@dataclass(frozen=True, slots=True)
class Signature:
    """r and s, each 1..n-1."""

    r: int
    s: int

    def encoded(self) -> bytes:
        """Return r and s, 32 bytes each, high byte first."""
        return self.r.to_bytes(SIZE, "big") + self.s.to_bytes(SIZE, "big")


@cache
def public_key(private: int) -> Point:
    """Return the public key of a private one.

    Raises:
        ValueError: the private key is not in 1..n-2.
    """
    if not 1 <= private <= N - 2:
        raise ValueError("an SM2 private key is a number from 1 to n-2")
    return _affine(_times_base(private))


def sign(message: bytes, private: int, signer: bytes, below: Callable[[int], int]) -> Signature:
    """Return the signature of a message (GB/T 32918.2, 6.1).

    `below(n)` gives a random number from 0 to n-1 that nobody can guess: who knows one of them has
    the key.

    Raises:
        ValueError: the key is out of range, or the signer's name too long.
    """
    e = _digest(message, signer, public_key(private))
    while True:
        k = 1 + below(N - 1)
        r = (e + _affine(_times_base(k)).x) % N
        if r == 0 or r + k == N:
            continue
        s = pow(1 + private, -1, N) * (k - r * private) % N
        if s != 0:
            return Signature(r, s)


def is_genuine(signature: Signature, message: bytes, public: Point, signer: bytes) -> bool:
    """Return whether the owner of the public key signed the message (GB/T 32918.2, 7.1)."""
    r, s = signature.r, signature.s
    if not (1 <= r < N and 1 <= s < N and public.is_on_curve()):
        return False
    t = (r + s) % N
    if t == 0:
        return False
    found = _add(_times_base(s), _times(t, public))
    if found[2] == 0:
        return False
    return (_digest(message, signer, public) + _affine(found).x) % N == r


def _digest(message: bytes, signer: bytes, public: Point) -> int:
    """Return e = H(Z || M), where Z says who signs and on which curve (5.5)."""
    return int.from_bytes(hashlib.new("sm3", _z(signer, public) + message).digest(), "big")


@cache
def _z(signer: bytes, public: Point) -> bytes:
    if len(signer) > LONGEST_ID:
        raise ValueError(f"the name of a signer has at most {LONGEST_ID} bytes")
    curve = b"".join(number.to_bytes(SIZE, "big") for number in (A, B))
    told = (len(signer) * 8).to_bytes(2, "big") + signer + curve
    return hashlib.new("sm3", told + BASE.encoded() + public.encoded()).digest()


# --- the curve -------------------------------------------------------------------------------


@cache
def _table() -> tuple[tuple[Point, ...], ...]:
    """Return j * 16**i * G for i below 64 and j in 1..15: made once, about 960 points."""
    rows: list[tuple[Point, ...]] = []
    first: _Jacobian = (BASE.x, BASE.y, 1)
    for _ in range(_WINDOWS):
        step = _affine(first)
        row, at = [step], first
        for _ in range((1 << _WINDOW) - 2):
            at = _add(at, (step.x, step.y, 1))
            row.append(_affine(at))
        rows.append(tuple(row))
        first = _add(at, (step.x, step.y, 1))
    return tuple(rows)


def _times_base(k: int) -> _Jacobian:
    found = _INFINITY
    for row in _table():
        digit = k & 15
        k >>= _WINDOW
        if digit:
            point = row[digit - 1]
            found = _add(found, (point.x, point.y, 1))
    return found


def _times(k: int, point: Point) -> _Jacobian:
    found, base = _INFINITY, (point.x, point.y, 1)
    for bit in f"{k:b}":
        found = _double(found)
        if bit == "1":
            found = _add(found, base)
    return found


def _double(a: _Jacobian) -> _Jacobian:
    """Return 2a, for A = p - 3 (formulas "dbl-2001-b" of the Explicit-Formulas Database)."""
    x, y, z = a
    if z == 0 or y == 0:
        return _INFINITY
    delta, gamma = z * z % P, y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    x3 = (alpha * alpha - 8 * beta) % P
    z3 = ((y + z) ** 2 - gamma - delta) % P
    return x3, (alpha * (4 * beta - x3) - 8 * gamma * gamma) % P, z3


def _add(a: _Jacobian, b: _Jacobian) -> _Jacobian:
    """Return a + b (formulas "add-1998-cmo-2")."""
    if a[2] == 0:
        return b
    if b[2] == 0:
        return a
    za, zb = a[2] * a[2] % P, b[2] * b[2] % P
    ua, ub = a[0] * zb % P, b[0] * za % P
    sa, sb = a[1] * zb * b[2] % P, b[1] * za * a[2] % P
    h, r = (ub - ua) % P, (sb - sa) % P
    if h == 0:
        return _double(a) if r == 0 else _INFINITY
    h2 = h * h % P
    h3, v = h * h2 % P, ua * h2 % P
    x3 = (r * r - h3 - 2 * v) % P
    return x3, (r * (v - x3) - sa * h3) % P, h * a[2] * b[2] % P


def _affine(a: _Jacobian) -> Point:
    inverse = pow(a[2], -1, P)
    square = inverse * inverse % P
    return Point(a[0] * square % P, a[1] * square * inverse % P)
