"""Where the store lies and what it is sealed with: the environment's `PATCHBAY_…` variables."""

from __future__ import annotations

import re
from pathlib import Path

from platformdirs import user_data_path
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from knowledge.errors import BadInput

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


def _default_home() -> Path:
    return user_data_path("patchbay")


def tenant_named(place: str, name: str) -> str:
    """The name, if a tenant may have it. Raises `BadInput`, which says at which `place` it stood."""
    if not _TENANT.fullmatch(name):
        raise BadInput(place, f"{name!r} is no name of a tenant.", "Use up to 64 letters, digits, _ . and -.")
    return name


class Settings(BaseSettings):
    """`home` holds database and key; `database_url` (`postgresql://…`, `sqlite:///…`) puts the database elsewhere.

    `tenant` is whose data the command line works on. `key` is the master key, 32 bytes in base64; without it one is made in `home/master.key`, readable by its owner only.
    `allowed_networks` (CIDR) and `allowed_folders`, by commas: where the service may go beyond the public internet.
    `breaker_failures` faults in a row open an integration's circuit for `breaker_seconds`; static data (rooms, people,
    codes) is kept `cache_seconds`, and what became of a webhook message `webhook_days`. `advisor_tokens` and
    `advisor_seconds` are what the optional advisor may use in one job.
    """

    model_config = SettingsConfigDict(env_prefix="PATCHBAY_", frozen=True, extra="ignore", env_ignore_empty=True)

    home: Path = Field(default_factory=_default_home)
    database_url: str | None = Field(default=None, repr=False)
    tenant: str = "local"
    key: str | None = Field(default=None, repr=False)
    allowed_networks: str | None = None
    allowed_folders: str | None = None
    breaker_failures: int = Field(default=5, ge=1)
    breaker_seconds: float = Field(default=30.0, gt=0)
    cache_seconds: float = Field(default=600.0, gt=0)
    webhook_days: int = Field(default=30, ge=1)
    advisor_url: str | None = None
    advisor_key: str | None = Field(default=None, repr=False)
    advisor_model: str | None = None
    advisor_tokens: int = Field(default=50_000, ge=1)
    advisor_seconds: float = Field(default=30.0, gt=0)

    @field_validator("tenant")
    @classmethod
    def _is_a_name(cls, tenant: str) -> str:
        return tenant_named("PATCHBAY_TENANT", tenant)

    @property
    def key_file(self) -> Path:
        """Where the master key lies when the environment gives none."""
        return self.home / "master.key"
