"""The TLS context of a sink. `ssl` is imported by the first sink that needs it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.settings.site_sinks import Secret, Sink
from gateway.uplink.errors import UplinkDown
from gateway.uplink.pipe import TlsContext
from gateway.uplink.secrets import read_secret, secret_path

if TYPE_CHECKING:
    import ssl


NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL (x509_vfy.h), for which `ssl` has no name."""


def tls_context(sink: Sink, *, is_timeless: bool = False) -> TlsContext | None:
    """Return a context that verifies the broker and shows our certificate, None without TLS.

    Read anew for every connection, so that renewed certificates need no restart. `is_timeless`:
    the box has no time of day, so that no certificate would ever be valid; names and signatures are
    checked all the same, and `refuse_expired` does what can be done about time.

    Raises:
        UplinkDown: a file is missing or is not what it should be.
    """
    if not sink.use_tls:
        return None
    import ssl  # noqa: PLC0415 - not wanted in a process that needs no TLS

    tls = sink.tls
    path = tls.ca
    try:
        context = ssl.create_default_context(cafile=None if tls.ca is None else str(tls.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if is_timeless:
            context.verify_flags |= NO_CHECK_TIME
        path = tls.certificate
        if tls.certificate is not None:
            _load_certificate(context, tls.certificate, tls.key)
    except OSError as error:  # ssl.SSLError is one
        raise UplinkDown(f"TLS file {path}: {_reason(error)}", is_final=True) from error
    return context


def refuse_expired(certificate: dict[str, Any] | None, earliest_ms: int) -> None:
    """Refuse a certificate that had expired at the earliest time that it can be now.

    Raises:
        UplinkDown: it had.
    """
    if not certificate or "notAfter" not in certificate:
        return
    import ssl  # noqa: PLC0415 - as above

    ends_s = ssl.cert_time_to_seconds(certificate["notAfter"])
    if ends_s * 1000 < earliest_ms:
        raise UplinkDown(f"the broker's certificate expired on {certificate['notAfter']}")


def _load_certificate(
    context: ssl.SSLContext, certificate: Path, key: Path | Secret | None
) -> None:
    load = context.load_cert_chain
    key_path = key if key is None or isinstance(key, Path) else secret_path(key)
    if isinstance(key, Secret) and key_path is None:
        # OpenSSL reads keys from files only; this one exists in memory alone.
        descriptor = os.memfd_create("key", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, read_secret(key).encode())
            load(str(certificate), f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        return
    load(str(certificate), None if key_path is None else str(key_path))


def _reason(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return "certificate and key do not belong together"
    if hasattr(error, "library"):  # an ssl.SSLError
        return f"not a certificate or key in PEM form ({reason or error})"
    return error.strerror or str(error)
