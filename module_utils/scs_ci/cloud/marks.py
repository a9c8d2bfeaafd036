"""Ownership marks: who made an object, for which run, until when.

Written in the creating POST, so no crash leaves an orphan.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..core.errors import UsageProblem
from ..core.naming import RUN_ID

OWNER, RUN, EXPIRES = 'scs_ci_owner', 'scs_ci_run', 'scs_ci_expires'
OWNER_PATTERN = re.compile(r'[A-Za-z0-9][A-Za-z0-9@._+/-]{0,62}')
TIME_PATTERN = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ')
DESCRIPTION = re.compile(
    rf'scs-ci run=({RUN_ID.pattern}) owner=({OWNER_PATTERN.pattern}) expires=({TIME_PATTERN.pattern})'
)


def is_time(text: str) -> bool:
    """Whether this is a time as marks have it: ISO 8601, UTC, whole seconds."""
    try:
        return bool(TIME_PATTERN.fullmatch(text) and datetime.datetime.fromisoformat(text))
    except ValueError:  # the thirtieth of February
        return False


@dataclass(frozen=True)
class Mark:
    """run: its id; owner: person or system; expires: ISO 8601, UTC, after which a janitor may delete the object."""

    run: str
    owner: str
    expires: str

    def __post_init__(self) -> None:
        checks = (
            (self.run, RUN_ID, 'run id'),
            (self.owner, OWNER_PATTERN, 'owner'),
            (self.expires, TIME_PATTERN, 'expiry'),
        )
        for value, pattern, what in checks:
            if not pattern.fullmatch(value):
                raise UsageProblem(
                    f'cannot use {what}', repr(value), f'it must match {pattern.pattern}', 'choose another one'
                )
        if not is_time(self.expires):
            raise UsageProblem('cannot use expiry', repr(self.expires), 'there is no such time', 'choose another one')

    def metadata(self) -> dict[str, str]:
        """For servers, volumes, snapshots and images."""
        return {OWNER: self.owner, RUN: self.run, EXPIRES: self.expires}

    def description(self) -> str:
        """For network objects and load balancers, which have no metadata."""
        return f'scs-ci run={self.run} owner={self.owner} expires={self.expires}'

    def expired(self, now: datetime.datetime) -> bool:
        return datetime.datetime.fromisoformat(self.expires) <= now


def from_metadata(metadata: Mapping[str, str]) -> Mark | None:
    """The mark in an object's metadata, or None; a half or damaged mark is no mark."""
    return _mark(metadata.get(RUN, ''), metadata.get(OWNER, ''), metadata.get(EXPIRES, ''))


def from_description(description: str) -> Mark | None:
    """The mark that is the whole description, or None: a text that merely quotes a mark owns nothing."""
    found = DESCRIPTION.fullmatch(description)
    return _mark(*found.groups()) if found else None


def _mark(run: str, owner: str, expires: str) -> Mark | None:
    try:
        return Mark(run, owner, expires)
    except UsageProblem:
        return None
