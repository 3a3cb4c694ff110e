"""What a running graph may use: given at call time, never checkpointed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from agents.advisor import Advisor
from tools.adapters.base import Adapter
from tools.adapters.connection import Connection
from tools.adapters.open import open_adapter
from tools.address import Address
from tools.clock import Clock, utc_now
from tools.detection import Detection, detect
from tools.store.open import Store
from tools.sync.turn import HEALING, Turn

Detect = Callable[[Address, Mapping[str, str] | None], Awaitable[Detection]]


@dataclass(frozen=True)
class AgentContext:
    """Tools, clock and store of one run. `holder` names this process in leases; `advisor` is None when off."""

    store: Store = field(repr=False)
    holder: str = "local"
    detect: Detect = detect
    open_adapter: Callable[[Connection], Adapter] = open_adapter
    advisor: Advisor | None = None
    clock: Clock = utc_now
    patience_seconds: float = 0.0  # how long a healing waits for a running sync to make way

    @property
    def healing_turn(self) -> Turn:
        """How a healing comes to its turn at an integration: a running sync makes way for it."""
        return Turn(HEALING, self.patience_seconds)
