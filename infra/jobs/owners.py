"""Owners' own settings: the weight and the limits that an operator has given one, in place of everybody's.

They are looked up when a job is submitted or claimed, so a change counts at once, also for jobs that wait.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import cast

from pydantic import BaseModel, ConfigDict, Field

from infra.connections import translate
from infra.errors import BadSetting
from infra.jobs.scripts import PREFIX
from infra.jobs.writer import Writer
from infra.keys import OWNER

OWN = PREFIX + "owner_settings"

SO_MANY = 10**9
"""Bound of the whole numbers, so that nothing downstream has to think of larger ones."""


class OwnerSettings(BaseModel):
    """What one owner has of its own; None: as everybody."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    weight: float | None = Field(
        None,
        ge=0.001,
        le=1000,
        description="Share of the device time: twice as much with 2 as with 1, everybody's.",
    )
    max_queued: int | None = Field(None, ge=1, le=SO_MANY, description="Jobs that may wait at once.")
    max_running: int | None = Field(
        None, ge=0, le=SO_MANY, description="Jobs that may run at once; 0: no limit."
    )
    rate: float | None = Field(
        None, ge=0, le=1e6, description="Jobs that may be submitted a second, in the long run; 0: no limit."
    )
    burst: int | None = Field(
        None, ge=1, le=SO_MANY, description="Jobs that may be submitted at once before the rate counts."
    )

    def over(self, common: "OwnerSettings") -> "OwnerSettings":
        """These, and for what is None that of `common`."""
        return common.model_copy(update=self.own())

    def own(self) -> dict[str, float]:
        """Those that are not None."""
        return self.model_dump(exclude_none=True)


class Owners(Writer):
    """Saying it again is safe."""

    @cached_property
    def common(self) -> OwnerSettings:
        """What holds for an owner that has nothing of its own."""
        return OwnerSettings(
            weight=1.0,
            max_queued=self._limits.max_queued_per_owner,
            max_running=self._limits.max_running_per_owner,
            rate=self._limits.submit_rate_per_owner,
            burst=self._limits.submit_burst_per_owner,
        )

    def change(self, owner: str, changes: OwnerSettings) -> OwnerSettings:
        """Change those that were given to `changes`, None included: that one is as everybody's again. On
        disk when this returns. BadSetting: no owner can have such a name."""
        if not OWNER.fullmatch(owner):
            raise BadSetting("An owner is 1 to 64 of a-z, 0-9, _ and -, and begins with a letter or digit.")
        given = changes.model_dump(include=changes.model_fields_set)
        _, text, _ = self._rung(
            self._scripts.run_durably(
                "owner",
                owner=owner,
                set={name: value for name, value in given.items() if value is not None},
                unset=[name for name, value in given.items() if value is None],
            )
        )
        return _read(text)

    @translate()
    def get(self, owner: str) -> OwnerSettings:
        """What the owner has of its own."""
        return _read(cast("str | None", self._state.hget(OWN, owner)) or "{}")

    @translate()
    def all(self) -> dict[str, OwnerSettings]:
        """Every owner that has something of its own, by name."""
        return dict(_sorted(cast(Mapping[str, str], self._state.hgetall(OWN))))


def _sorted(found: Mapping[str, str]) -> Iterator[tuple[str, OwnerSettings]]:
    for owner in sorted(found):
        yield owner, _read(found[owner])


def _read(text: str) -> OwnerSettings:
    return OwnerSettings.model_validate_json(text)
