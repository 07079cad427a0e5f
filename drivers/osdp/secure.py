"""The secure channel: session keys from the key of the device, cryptograms, MACs, encryption.

As goToMain/libosdp does it, against which it is tested: the standard's text was not at hand. AES
comes from the Python package `cryptography`, an extra.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from drivers.contract import DriverError, Fault, FrameError
from drivers.osdp.codec import MAC, Frame, before_mac

BLOCK = 16
NONCE = 8
DEFAULT_KEY = bytes(range(0x30, 0x40))
"""SCBK-D, the well-known key with which devices come from the factory."""


@dataclass(slots=True, repr=False)  # its fields are keys
class Channel:
    """Keys and chained MACs of one session with one device; the same code for both ends."""

    enc: bytes
    mac1: bytes
    mac2: bytes
    command_mac: bytes = bytes(BLOCK)
    reply_mac: bytes = bytes(BLOCK)

    def client_cryptogram(self, rnd_a: bytes, rnd_b: bytes) -> bytes:
        """Return what shows that the device has the key."""
        return encrypt_block(self.enc, rnd_a + rnd_b)

    def server_cryptogram(self, rnd_a: bytes, rnd_b: bytes) -> bytes:
        """Return what shows that the control panel has the key."""
        return encrypt_block(self.enc, rnd_b + rnd_a)

    def first_mac(self, server_cryptogram: bytes) -> bytes:
        """Return the MAC with which the chain begins (RMAC_I)."""
        return encrypt_block(self.mac2, encrypt_block(self.mac1, server_cryptogram))

    def seal(self, frame: Frame) -> Frame:
        """Return the frame encrypted, with its MAC; the chain goes on from it."""
        scs = (0x16 if frame.is_reply else 0x15) + (2 if frame.content else 0)
        content = frame.content
        if content:
            filled = content + b"\x80" + bytes(-(len(content) + 1) % BLOCK)
            content = _cbc(self.enc, self._iv(frame), filled, is_encrypting=True)
        sealed = replace(frame, scb=bytes((2, scs)), content=content, mac=bytes(MAC))
        return replace(sealed, mac=self._chain(sealed)[:MAC])

    def unseal(self, frame: Frame) -> Frame:
        """Return the frame in plain text; the chain goes on from it.

        Raises:
            FrameError: its MAC is wrong, and the chain stays as it was; or its filling is.
        """
        before = self.command_mac, self.reply_mac
        iv = self._iv(frame)
        if self._chain(frame)[:MAC] != frame.mac:
            self.command_mac, self.reply_mac = before
            raise FrameError(Fault.CRC, "its MAC is wrong")
        if not frame.content or frame.scs not in {0x17, 0x18}:
            return frame
        if len(frame.content) % BLOCK:
            raise FrameError(Fault.SHORT, "its encrypted content is not whole blocks")
        plain = _cbc(self.enc, iv, frame.content, is_encrypting=False).rstrip(b"\0")
        if not plain.endswith(b"\x80"):
            raise FrameError(Fault.SHORT, "its encrypted content has no end mark")
        return replace(frame, content=plain[:-1])

    def _iv(self, frame: Frame) -> bytes:
        """Return the one's complement of the other direction's last MAC."""
        last = self.command_mac if frame.is_reply else self.reply_mac
        return bytes(octet ^ 0xFF for octet in last)

    def _chain(self, frame: Frame) -> bytes:
        octets = before_mac(frame)
        if len(octets) % BLOCK:
            octets += b"\x80"
            octets += bytes(-len(octets) % BLOCK)
        iv = self.command_mac if frame.is_reply else self.reply_mac
        if len(octets) > BLOCK:
            iv = _cbc(self.mac1, iv, octets[:-BLOCK], is_encrypting=True)[-BLOCK:]
        mac = _cbc(self.mac2, iv, octets[-BLOCK:], is_encrypting=True)
        if frame.is_reply:
            self.reply_mac = mac
        else:
            self.command_mac = mac
        return mac


def derive(key: bytes, rnd_a: bytes) -> Channel:
    """Return the channel whose session keys follow from the device's key and our nonce.

    Raises:
        DriverError: the key is not 16 bytes, or AES is not there.
    """
    if len(key) != BLOCK:
        raise DriverError(f"the key of a reader has {BLOCK} bytes, not {len(key)}")
    tail = rnd_a[:6] + bytes(8)
    enc, mac1, mac2 = (
        encrypt_block(key, bytes((1, purpose)) + tail) for purpose in (0x82, 0x01, 0x02)
    )
    return Channel(enc, mac1, mac2)


def encrypt_block(key: bytes, octets: bytes) -> bytes:
    """Return one or more blocks under AES-CBC with an initial value of zero.

    OSDP takes its cryptograms of two nonces, one block, so that ECB and CBC are the same.
    """
    return _cbc(key, bytes(BLOCK), octets, is_encrypting=True)


def _cbc(key: bytes, iv: bytes, octets: bytes, *, is_encrypting: bool) -> bytes:
    try:
        # An extra: only who encrypts needs it.
        from cryptography.hazmat.primitives.ciphers import (  # noqa: PLC0415
            Cipher,
            algorithms,
            modes,
        )
    except ImportError:
        raise DriverError("a secure channel needs the Python package cryptography") from None
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv))
    work = cipher.encryptor() if is_encrypting else cipher.decryptor()
    return work.update(octets) + work.finalize()
