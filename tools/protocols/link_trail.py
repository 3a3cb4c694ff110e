"""Notices that links lead in a circle, however long, while remembering one of them (Brent, BIT 20 (1980) 176-184).

A trail is a text small enough for a cursor, empty at the beginning: stride, steps and the one link that is kept. After
twice as many steps as before the present link takes its place. Meeting the kept one again is a circle; in a circle of n
links it is met within 4n steps.
"""

from __future__ import annotations


def lengthened(trail: str, link: str) -> str | None:
    """The trail once this link is taken; None where the links lead back."""
    stride, steps, kept = trail.split(" ", 2) if trail else ("1", "0", "")
    if trail and link == kept:
        return None
    if trail and int(steps) + 1 < int(stride):
        return f"{stride} {int(steps) + 1} {kept}"
    return f"{int(stride) * 2} 0 {link}"
