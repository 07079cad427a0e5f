"""A dialect whose payloads are sealed on their way out, and opened on their way in."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from gateway.dialects.contract import Birth, Dialect, Dropped, Encoded, Now, Received
from gateway.model.ids import DeviceId
from gateway.model.publication import Arrival, ConnectSpec, Publication
from gateway.model.record import Committed
from gateway.privacy import sm2
from gateway.privacy.sealing import (
    KEY_BYTES,
    Cipher,
    NotSealed,
    Randomness,
    Seal,
    Signer,
    opened,
    sealed,
)
from gateway.settings.problems import SettingsError, make_problem
from gateway.settings.secret_name import Secret
from gateway.settings.site_privacy import Payload
from gateway.settings.where import Where

SIGN_KEY_BYTES = 32
CONTENT_TYPE = "application/vnd.linli.sealed+json"


def in_seal(dialect: Dialect, payload: Payload, read: Callable[[Secret], str]) -> Dialect:
    """Return the dialect, sealed as the sink says; itself where it says nothing."""
    return Sealed(dialect, payload, read) if payload.is_sealed else dialect


class Sealed:
    """Takes the place of a dialect, and keeps its contract.

    With sm4-gcm the platform seals what it sends too: what is not sealed with the key for its own
    topic is dropped, so that a broker cannot forge a command. Otherwise arrivals are as they came.
    """

    def __init__(self, dialect: Dialect, payload: Payload, read: Callable[[Secret], str]) -> None:
        """Take the dialect, what the sink says, and who reads secrets."""
        self._dialect = dialect
        self._payload = payload
        self._read = read
        self._seal = Seal(None, None, Randomness(secrets.token_bytes, secrets.randbelow))

    def connect_spec(self, now: Now) -> ConnectSpec:
        """Return how to connect, the will sealed; keys are read anew at every attempt.

        Raises:
            SettingsError: a key is not there, or is none.
        """
        self._seal = replace(self._seal, cipher=self._cipher(), signer=self._signer())
        spec = self._dialect.connect_spec(now)
        if spec.will is None:
            return spec
        will = replace(spec.will, payload=sealed(spec.will.topic, spec.will.payload, self._seal))
        return replace(spec, will=will)

    def connected(
        self, births: Sequence[Birth], gone: Sequence[DeviceId], now: Now
    ) -> tuple[Publication, ...]:
        """Return what is said first."""
        return self._all(self._dialect.connected(births, gone, now))

    def reloaded(self, births: Sequence[Birth], now: Now) -> tuple[Publication, ...]:
        """Return what changed."""
        return self._all(self._dialect.reloaded(births, now))

    def encode(self, batch: Sequence[Committed], now: Now, *, is_backfill: bool) -> Encoded:
        """Return the messages."""
        encoded = self._dialect.encode(batch, now, is_backfill=is_backfill)
        return replace(encoded, publications=self._all(encoded.publications))

    def is_ready(self, now: Now) -> bool:
        """Return whether records may be handed out."""
        return self._dialect.is_ready(now)

    def tick(self, now: Now) -> tuple[Publication, ...]:
        """Return what is due by time."""
        return self._all(self._dialect.tick(now))

    def echo(self, now: Now) -> Publication:
        """Return what comes back."""
        return self._one(self._dialect.echo(now))

    def received(self, arrival: Arrival, now: Now) -> Received:
        """Return what a message means; one that is not sealed as agreed means nothing."""
        cipher = self._seal.cipher
        if cipher is not None and cipher.name == "sm4-gcm":
            try:
                payload = opened(arrival.topic, arrival.payload, cipher)
            except NotSealed as exc:
                return Received(dropped=(Dropped(arrival.topic, f"not sealed: {exc}"),))
            arrival = replace(arrival, payload=payload)
        received = self._dialect.received(arrival, now)
        return replace(received, publications=self._all(received.publications))

    def goodbye(self, now: Now) -> tuple[Publication, ...]:
        """Return the last words."""
        return self._all(self._dialect.goodbye(now))

    def _all(self, publications: Iterable[Publication]) -> tuple[Publication, ...]:
        return tuple(self._one(publication) for publication in publications)

    def _one(self, publication: Publication) -> Publication:
        payload = sealed(publication.topic, publication.payload, self._seal)
        return replace(publication, payload=payload, content_type=CONTENT_TYPE)

    def _cipher(self) -> Cipher | None:
        if self._payload.cipher is None or self._payload.key is None:
            return None
        return Cipher(self._payload.cipher, _key(self._read, self._payload.key, KEY_BYTES))

    def _signer(self) -> Signer | None:
        if self._payload.sign_key is None:
            return None
        secret = self._payload.sign_key
        private = int.from_bytes(_key(self._read, secret, SIGN_KEY_BYTES), "big")
        try:
            sm2.public_key(private)
        except ValueError:
            raise _no_key(secret, SIGN_KEY_BYTES) from None
        return Signer(private, self._payload.signer)


def _key(read: Callable[[Secret], str], secret: Secret, size: int) -> bytes:
    try:
        key = bytes.fromhex(read(secret))
    except ValueError:
        key = b""
    if len(key) != size:
        raise _no_key(secret, size)
    return key


def _no_key(secret: Secret, size: int) -> SettingsError:
    facts = {"name": secret.name, "digits": size * 2}
    return SettingsError((make_problem("LG-PRIV-09", Where("", 0, 0), "payload", facts),))
