"""Our own identifiers: text, random, with a prefix that says what they name."""

from __future__ import annotations

import secrets


def new_id(prefix: str) -> str:
    """`int` becomes `int_` and twelve URL-safe characters (72 random bits)."""
    return f"{prefix}_{secrets.token_urlsafe(9)}"
