"""Sign a letter: a site configuration, or a question for the log or a support bundle.

    python letter.py SITE GATEWAY log --key remote.pem
    python letter.py SITE GATEWAY config --key remote.pem --base HASH gateway.yaml conf.d/b3.yaml

HASH is `cfg.hash` of the gateway's newest birth. Files are named as below the folder in which you
stand. `--key` is an Ed25519 private key (PEM, needs cryptography); `--secret` a file with a shared
secret. The letter is printed: publish it on `fc/1/SITE/GATEWAY/dn/cfg/_`, QoS 1, not retained.
"""
# ruff: noqa: INP001, T201 - a sample to run, which prints

import argparse
import hashlib
import hmac
import json
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

GOOD_FOR_S = 600
"""Until then it is obeyed; a letter that waits at the broker for longer is not."""


def base64url(octets: bytes) -> str:
    """Return base64url without padding (RFC 7515, 2)."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def hash_of(files: Mapping[str, str]) -> str:
    """Return the hash that stands for all files, as remote.md says it."""
    hashed = hashlib.sha256()
    for name in sorted(files):
        content = files[name].encode()
        hashed.update(f"{name}\0{len(content)}\0".encode() + content)
    return hashed.hexdigest()


def order_of(site: str, gateway: str, do: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return an order with an id and a number that nobody used, and a moment at which it ends."""
    now_ms = time.time_ns() // 1_000_000
    return {
        "rid": uuid.uuid4().hex,
        "do": do,
        "gw": gateway,
        "site": site,
        "n": now_ms,
        "exp": now_ms + GOOD_FOR_S * 1000,
        **more,
    }


def configuration(files: Mapping[str, str], base: str) -> dict[str, Any]:
    """Return the fields of an order to run these files in place of what has the hash `base`."""
    return {"files": dict(files), "hash": hash_of(files), "base": base}


def letter(order: Mapping[str, Any], algorithm: str, sign: Callable[[bytes], bytes]) -> str:
    """Return the order as a flattened JWS; `sign` gives the signature of some bytes."""
    header = json.dumps({"alg": algorithm, "typ": "linli-cfg"}, separators=(",", ":"))
    protected, payload = base64url(header.encode()), base64url(json.dumps(order).encode())
    signature = base64url(sign(f"{protected}.{payload}".encode()))
    return json.dumps({"protected": protected, "payload": payload, "signature": signature})


def signer(key: Path | None, secret: Path | None) -> tuple[str, Callable[[bytes], bytes]]:
    """Return the algorithm, and what signs."""
    if secret is not None:
        shared = secret.read_text(encoding="utf-8").removesuffix("\n").encode()
        return "HS256", lambda text: hmac.digest(shared, text, "sha256")
    if key is None:
        raise SystemExit("one of --key and --secret is needed")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - not for secrets
        Ed25519PrivateKey,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - not for secrets
        load_pem_private_key,
    )

    private = load_pem_private_key(key.read_bytes(), None)
    if not isinstance(private, Ed25519PrivateKey):
        raise SystemExit(f"{key} is no Ed25519 key")
    return "EdDSA", private.sign


def main() -> None:
    """Print the letter."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("site")
    parser.add_argument("gateway")
    parser.add_argument("do", choices=("config", "log", "bundle"))
    parser.add_argument("files", nargs="*", type=Path, help="of the configuration, all of them")
    parser.add_argument("--base", help="hash of the configuration that is to be replaced")
    parser.add_argument("--key", type=Path, help="Ed25519 private key, PEM")
    parser.add_argument("--secret", type=Path, help="file with a shared secret")
    given = parser.parse_intermixed_args()
    said = {bool(given.files), bool(given.base)}
    if said != {given.do == "config"}:
        parser.error("`config`, and nothing else, needs files and --base")
    more: dict[str, Any] = {}
    if given.do == "config":
        files = {path.as_posix(): path.read_bytes().decode() for path in given.files}
        more = configuration(files, given.base)
    order = order_of(given.site, given.gateway, given.do, **more)
    print(letter(order, *signer(given.key, given.secret)))


if __name__ == "__main__":
    main()
