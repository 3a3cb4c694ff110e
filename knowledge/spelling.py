"""How billing codes are written: spellings as data, those of a code system and those of a system that keeps codes."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from knowledge.shipped import Knowledge

CANONICAL = "canonical"  # the name of the spelling that changes nothing


def _regular(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"this is no regular expression ({error})") from None
    return pattern


Pattern = Annotated[str, AfterValidator(_regular)]


class Spelling(Knowledge):
    """One way to write the codes of a code system.

    `read` takes a whole code apart into named parts; `to` puts the canonical code together from them, `write` this
    spelling from the canonical form's parts (None: it is only read, since it says less than the canonical code or
    more). Both are templates: `{number|pad4}`; the words behind the bar are those of `mappings.code_forms`. `weight`
    is how usual it is among a code system's codes where nothing is known of the writer. A `doubtful` reading is shown
    and never taken: it may as well be another code. `examples` are written code to canonical code.
    """

    name: str
    read: Pattern
    to: str
    write: str | None = None
    weight: Annotated[float, Field(gt=0, le=1)]
    doubtful: bool = False
    examples: dict[str, str] = {}
    source: str = "assumed"


class KeptCodes(Knowledge):
    """A code system that a system keeps codes of: what it calls it itself, and how it writes its codes."""

    code_system: str
    called: tuple[str, ...] = ()  # its own words for the code system, where its rows say one
    written: str = CANONICAL  # a spelling of the code system, or one of `spellings`
    spellings: tuple[Spelling, ...] = ()
    source: str = "assumed"


class OwnCode(Knowledge):
    """A code that the system made up, and the code that it stands for."""

    code: str
    code_system: str
    means: str
    source: str = "assumed"


class BillingCodes(Knowledge):
    """Which billing codes a system keeps."""

    kept: tuple[KeptCodes, ...]
    own: tuple[OwnCode, ...] = ()
