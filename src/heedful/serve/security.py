"""Who may ask: names of this server, origins of pages, keys.

Headers and keys of a request come in; a RefusalError goes out where it is not to be answered.
`guard` asks before anything else of a request is looked at.
"""

__all__ = ["HEADERS", "Access", "checked_hosts", "checked_origins", "load_keys"]

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from heedful.errors import SettingError
from heedful.serve.refusal import RefusalError

HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""Of every answer."""

SHORTEST = 16
"""Characters of a key, at least."""

_PORTS = {"http": ":80", "https": ":443"}
"""What browsers leave out of an origin."""


@dataclass(frozen=True)
class Access:
    """What is asked of those who ask.

    Names protect against DNS rebinding: a page whose own name was made to point here. Such a name
    is never an address, so that addresses are always allowed.
    """

    hosts: tuple[str, ...] = ()
    """Names of this server in small letters, beside localhost and addresses."""
    origins: tuple[str, ...] = ()
    """Pages that may ask, such as https://example.org, beside this server's own."""
    keys: tuple[bytes, ...] = ()
    """SHA-256 of the keys of which one must be shown; none: nobody is asked for one."""

    def check_host(self, host: str | None) -> None:
        """Raise RefusalError unless a Host header names this server."""
        name = _name(host)
        if name is None:
            raise RefusalError(400, "the Host header is missing or cannot be read")
        if name != "localhost" and name not in self.hosts and not _is_address(name):
            raise RefusalError(421, "this server does not go by the name in the Host header")

    def check_origin(self, origin: str | None, host: str | None, scheme: str) -> None:
        """Raise RefusalError for a page of another origin that is not allowed.

        What a proxy hands on without TLS may come from a page at https and a name of this server.
        """
        if origin is None or origin == f"{scheme}://{host}" or origin in self.origins:
            return
        if origin in [f"https://{one}" for one in (*self.hosts, host) if _name(one) in self.hosts]:
            return
        raise RefusalError(403, "pages of this origin may not ask this server")

    def check_key(self, key: str | None, *, missing: int = 401) -> None:
        """Raise RefusalError unless a key is known, in a time that tells nothing about it."""
        if not self.keys:
            return
        if not key:
            raise RefusalError(missing, "an API key is needed: ask whoever runs this server")
        given = _digest(key)
        known = [hmac.compare_digest(given, one) for one in self.keys]
        if not any(known):
            raise RefusalError(missing, "Invalid API key")


def load_keys(path: Path) -> tuple[bytes, ...]:
    """Return what is known of the keys in a file, one a line; # begins a comment.

    A byte-order mark, as editors of Windows write it, is no part of the first key.
    Raises SettingError for a file that cannot be read, holds none, or one that is too short or has
    letters that no header carries as they are.
    """
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise SettingError(
            f"the file cannot be read ({reason})", where=f"--api-keys {path}"
        ) from error
    keys = []
    for number, line in enumerate(lines, start=1):
        key = line.strip()
        if not key or key.startswith("#"):
            continue
        problem = _flaw(key)
        if problem:
            fix = "make one: python3 -c 'import secrets; print(secrets.token_urlsafe())'"
            raise SettingError(problem, where=f"{path}:{number}", fix=fix)
        keys.append(_digest(key))
    if not keys:
        raise SettingError(
            "the file holds no key", where=f"--api-keys {path}", fix="write one a line"
        )
    return tuple(keys)


def _flaw(key: str) -> str:
    """Say what is wrong with a key; empty: nothing."""
    if len(key) < SHORTEST:
        return f"the key has {len(key)} characters and needs {SHORTEST} at least"
    return "" if key.isascii() else "the key has letters beyond ASCII, which headers do not carry"


def checked_hosts(hosts: Sequence[str]) -> tuple[str, ...]:
    """Return names of this server; raises SettingError for what no Host header can name."""
    for host in hosts:
        if not host.isascii():
            raise SettingError(
                "it has letters beyond ASCII, which no Host header has",
                where=f"--allow-host {host}",
                fix="write it as browsers send it, beginning with xn--",
            )
        if _name(host) != host.lower() and not _is_address(host):
            raise SettingError(
                "it is no name of a machine",
                where=f"--allow-host {host}",
                fix="leave out what is before and behind it: translate.example.org",
            )
    return tuple(host.lower() for host in hosts)


def checked_origins(origins: Sequence[str]) -> tuple[str, ...]:
    """Return origins as browsers send them; raises SettingError for what is none."""
    return tuple(map(_sent, origins))


def _sent(origin: str) -> str:
    """Return an origin in small letters, without the port that browsers leave out.

    >>> _sent("HTTPS://Example.org:443")
    'https://example.org'
    """
    scheme, _, host = origin.lower().partition("://")
    if scheme not in _PORTS or not origin.isascii() or _name(host) is None or host.endswith(":"):
        raise SettingError(
            "it is no origin",
            where=f"--allow-origin {origin}",
            fix="write it as browsers do: https://example.org",
        )
    return f"{scheme}://{host.removesuffix(_PORTS[scheme])}"


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _name(host: str | None) -> str | None:
    """Return the name or address in a Host header, without the port.

    >>> _name("[::1]:5000"), _name("Example.org:80"), _name("a@b"), _name("x:y")
    ('::1', 'example.org', None, None)
    """
    if not host or any(sign in host for sign in "/@\\?# "):
        return None
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
