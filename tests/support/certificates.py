"""Certificates for tests, made by the `openssl` program: a CA, servers, clients, expired ones."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, both PEM files."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        """Make its key and its own certificate."""
        self._folder = folder / name
        self._folder.mkdir(parents=True)
        self.certificate = self._folder / "ca.pem"
        self._key = self._folder / "ca.key"
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "3650", "-subj", f"/CN={name}"),
            *("-keyout", str(self._key), "-out", str(self.certificate)),
        )

    def issue(self, name: str, *, not_before: str = "", not_after: str = "") -> Pair:
        """Return a certificate for a host name or address; dates are YYYYMMDDHHMMSSZ."""
        key, request = self._folder / f"{name}.key", self._folder / f"{name}.csr"
        certificate, extension = self._folder / f"{name}.pem", self._folder / f"{name}.ext"
        _openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request)),
        )
        kind = "IP" if name[0].isdigit() else "DNS"
        extension.write_text(f"[v]\nsubjectAltName={kind}:{name}\n", encoding="utf-8")
        if not_before:
            self._sign_with_dates(request, certificate, extension, (not_before, not_after))
        else:
            _openssl(
                *("x509", "-req", "-in", str(request), "-out", str(certificate), "-days", "3650"),
                *("-CA", str(self.certificate), "-CAkey", str(self._key), "-CAcreateserial"),
                *("-extfile", str(extension), "-extensions", "v"),
            )
        return Pair(certificate, key)

    def _sign_with_dates(
        self, request: Path, certificate: Path, extension: Path, dates: tuple[str, str]
    ) -> None:
        """Only `openssl ca` can date a certificate freely; it wants a small database."""
        database, serial = self._folder / "index.txt", self._folder / "serial"
        database.write_text("", encoding="utf-8")
        serial.write_text("1000\n", encoding="utf-8")
        config = self._folder / "ca.conf"
        config.write_text(
            "[ca]\ndefault_ca=d\n[d]\n"
            f"database={database}\nserial={serial}\nnew_certs_dir={self._folder}\n"
            "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n",
            encoding="utf-8",
        )
        _openssl(
            *("ca", "-batch", "-notext", "-config", str(config), "-in", str(request)),
            *("-out", str(certificate), "-cert", str(self.certificate), "-keyfile", str(self._key)),
            *("-startdate", dates[0], "-enddate", dates[1]),
            *("-extfile", str(extension), "-extensions", "v"),
        )


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
