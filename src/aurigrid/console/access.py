"""Who may ask: tokens, sessions, roles, and which hosts a request may name; `aurigrid.console.gate` asks it.

A start-up token is random and stands in the link that `aurigrid serve` prints. Opening the link exchanges it for a
session cookie that scripts of a page cannot read. Scripts of a user may send the token itself as a bearer token.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Role = Literal["viewer", "operator"]

MAX_SESSIONS = 256


@dataclass
class Access:
    """Tokens of this start, and the sessions opened with them.

    Attributes:
        host: the address that the server is bound to.
        port: its port; part of the cookie's name, so that two consoles on one machine do not sign each other out.
        secure: whether the server speaks TLS.
        tokens: token of each role.
    """

    host: str = "127.0.0.1"
    port: int = 0
    secure: bool = False
    tokens: dict[Role, str] = field(
        default_factory=lambda: {"operator": secrets.token_urlsafe(24), "viewer": secrets.token_urlsafe(24)}
    )
    sessions: dict[str, Role] = field(default_factory=dict)

    @property
    def cookie(self) -> str:
        """Name of the session cookie."""
        return f"aurigrid_{self.port}"

    def role_of_token(self, given: str) -> Role | None:
        """The role that a token gives, compared in constant time."""
        found: Role | None = None
        for role, token in self.tokens.items():
            if hmac.compare_digest(token.encode(), given.encode("utf-8", "replace")):
                found = role
        return found

    def open(self, role: Role) -> str:
        """Start a session; the oldest one ends where there are too many."""
        while len(self.sessions) >= MAX_SESSIONS:
            self.sessions.pop(next(iter(self.sessions)))
        session = secrets.token_urlsafe(32)
        self.sessions[session] = role
        return session

    def role(self, headers: Mapping[str, str]) -> Role | None:
        """The role that a request has, by its bearer token or its cookie."""
        given = headers.get("authorization", "")
        if given:
            return self.role_of_token(given[7:]) if given[:7].lower() == "bearer " else None
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self.cookie and value in self.sessions:
                return self.sessions[value]
        return None

    def host_allowed(self, given: str) -> bool:
        """Whether a Host header names this machine.

        A foreign name that resolves here (DNS rebinding) is refused; an address cannot be rebound.
        """
        name = _host_of(given)
        if name is None:
            return False
        local = {"localhost", self.host.lower()}
        if not is_loopback(self.host):
            local |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        if name in local:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback if is_loopback(self.host) else True


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _host_of(given: str) -> str | None:
    try:
        return (urlsplit(f"//{given}").hostname or "").lower() or None
    except ValueError:
        return None
