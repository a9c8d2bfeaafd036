"""How the cloud's services answer: seconds, and how far their clocks are from ours, from answers that come anyway."""

from __future__ import annotations

import contextlib
import datetime
import email.utils
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..core.clock import Clock, SystemClock
from .connect import Cloud
from .rows import Row

# s. Expiries of tokens, credentials and marks are compared across clocks; they are hours, so a minute is harmless.
SKEW = 60.0
SLOW = 10.0  # s for one answer: far beyond what lists take on a healthy cloud, and a sixth of our limit for a request


@dataclass(frozen=True)
class Answer:
    """host: 'name:port' of the service; seconds: until the answer; ahead: its clock minus ours, None without a date."""

    host: str
    seconds: float
    ahead: float | None = None


@dataclass
class Pulse:
    """Collects answers while requests are made."""

    answers: list[Answer] = field(default_factory=list)

    @contextlib.contextmanager
    def taken(self, cloud: Cloud, clock: Clock | None = None) -> Iterator[None]:
        """Every answer to a request within the block is counted; nothing is asked for its sake."""
        clock = clock or SystemClock()

        def hook(answer: Any, **_: Any) -> None:
            self.answers.append(measured(answer, clock.now()))

        hooks = cloud.sdk.session.session.hooks['response']
        hooks.append(hook)
        try:
            yield
        finally:
            hooks.remove(hook)


def measured(answer: Any, now: datetime.datetime) -> Answer:
    """From an answer of requests. Its date is of when it was written, at the latest now."""
    seconds = answer.elapsed.total_seconds()
    host = urlsplit(answer.request.url).netloc
    try:
        date = email.utils.parsedate_to_datetime(answer.headers.get('Date', ''))
    except ValueError:
        return Answer(host, seconds)
    if date.tzinfo is None:
        return Answer(host, seconds)
    ahead = (date - now).total_seconds()
    # the header has whole seconds, and the answer took its time to reach us
    return Answer(host, seconds, min(ahead + 1 + seconds, 0.0) if ahead < 0 else ahead)


def rows(answers: Iterable[Answer], services: dict[str, str]) -> list[Row]:
    """A row per service with its slowest answer, and one about the clocks. services: host to name. Pure."""
    by_service: dict[str, list[Answer]] = {}
    for answer in answers:
        by_service.setdefault(services.get(answer.host, answer.host), []).append(answer)
    found = [_health(name, heard) for name, heard in sorted(by_service.items())]
    clocks = [(a.ahead, name) for name, heard in by_service.items() for a in heard if a.ahead is not None]
    return found + ([_clock(*max(clocks, key=lambda pair: abs(pair[0])))] if clocks else [])


def _health(name: str, answers: list[Answer]) -> Row:
    slowest = max(answer.seconds for answer in answers)
    middle = sorted(answer.seconds for answer in answers)[len(answers) // 2]
    slow = ', slow' if slowest > SLOW else ''
    text = f'{len(answers)} answers, in the middle after {middle:.2f} s, the slowest after {slowest:.2f} s{slow}'
    return Row('health', f'service {name}', True, text)


def _clock(ahead: float, name: str) -> Row:
    if abs(ahead) <= SKEW:
        return Row('clock', 'clock', True, f'within {SKEW:.0f} s of the services')
    text = f'{abs(ahead):.0f} s {"behind" if ahead > 0 else "ahead of"} service {name}: set it, by NTP'
    return Row('clock', 'clock', False, text, verdict='infrastructure')
