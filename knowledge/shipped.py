"""What every shipped data file is validated by."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Knowledge(BaseModel):
    """Shipped data: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
