"""The Kubernetes minor of a stack still gets patches on the day of the check."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from ...core.records import Severity
from ..model import Facts, Stack
from ..rule import BASE, Example, Hit, Rule

# Last day of patch releases of each minor, as the project publishes it.
ENDS = {
    (1, 23): datetime.date(2023, 2, 28),
    (1, 24): datetime.date(2023, 7, 28),
    (1, 25): datetime.date(2023, 10, 28),
    (1, 26): datetime.date(2024, 2, 28),
    (1, 27): datetime.date(2024, 6, 28),
    (1, 28): datetime.date(2024, 10, 28),
    (1, 29): datetime.date(2025, 2, 28),
    (1, 30): datetime.date(2025, 6, 28),
    (1, 31): datetime.date(2025, 10, 28),
    (1, 32): datetime.date(2026, 2, 28),
    (1, 33): datetime.date(2026, 6, 28),
    (1, 34): datetime.date(2026, 10, 27),
    (1, 35): datetime.date(2027, 2, 28),
    (1, 36): datetime.date(2027, 6, 28),
}
# A new minor of a stack takes weeks from the first image to its users.
SOON = datetime.timedelta(days=60)


def check(stack: Stack) -> Iterable[Hit]:
    version, today, place = stack.version, stack.facts.today, stack.kubernetes
    if version is None or today is None:
        return
    minor = (version.major, version.minor)
    end = ENDS.get(minor, ENDS[min(ENDS)] if minor < min(ENDS) else None)
    if end is None:
        return
    if today > end:
        message = (
            f'Kubernetes {version.major}.{version.minor} gets no patches since {end}: clusters of this stack fail '
        )
        message += 'the version policy of SCS; move the stack to a newer minor'
        yield Hit(place.file, place.line, message, seen=str(version))
    elif today > end - SOON:
        message = f'Kubernetes {version.major}.{version.minor} gets no patches after {end}: prepare the next minor'
        yield Hit(place.file, place.line, message, seen=str(version), severity=Severity.NOTICE)


def _facts(year: int, month: int, day: int) -> Facts:
    return Facts(today=datetime.date(year, month, day))


RULE = Rule(
    id='kubernetes-eol',
    severity=Severity.WARNING,
    title='the Kubernetes minor is maintained',
    motivation='The compliance test of SCS fails for a minor on the day after its end (scs-0210).',
    check=check,
    bad=(
        Example(facts=_facts(2026, 10, 28), hits=(('csctl.yaml', 4),)),
        Example(facts=_facts(2026, 10, 1), hits=(('csctl.yaml', 4),)),
        Example(
            {
                'csctl.yaml': BASE['csctl.yaml'].replace('1.34.7', '1.20.1'),
                'cluster-class/Chart.yaml': BASE['cluster-class/Chart.yaml'].replace('1-34', '1-20'),
            },
            facts=_facts(2024, 1, 1),
            hits=(('csctl.yaml', 4),),
        ),
    ),
    good=(Example(facts=_facts(2026, 5, 4)), Example()),
)
