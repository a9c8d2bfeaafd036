"""The Kubernetes version of a release can be reached from that of the release before."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..model import Stack
from ..rule import BASE, Example, Hit, Rule

CONFIG, CLASS = 'csctl.yaml', 'cluster-class/Chart.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    before, now = stack.before.version if stack.before else None, stack.version
    if before is None or now is None:
        return
    old, new, place = (before.major, before.minor), (now.major, now.minor), stack.kubernetes
    if (*new, now.patch or 0) < (*old, before.patch or 0) and None not in (now.patch, before.patch):
        message = f'the release before has {before}: kubeadm lets no cluster go back to {now}; declare a newer one'
        yield Hit(place.file, place.line, message, seen=str(now), wanted=f'{before} or newer')
    elif new[0] == old[0] and new[1] - old[1] > 1:
        message = (
            f'the release before has {before}: clusters go through every minor; release v{old[0]}.{old[1] + 1} between'
        )
        yield Hit(
            place.file, place.line, message, seen=str(now), wanted=f'v{old[0]}.{old[1] + 1}', severity=Severity.WARNING
        )
    if stack.before is not None and (stack.before.provider.text, stack.before.name.text) != (
        stack.provider.text,
        stack.name.text,
    ):
        message = (
            'the release before has another provider or name: it is another stack for the operator; clusters of it '
        )
        yield Hit(stack.name.file, stack.name.line, message + 'stay there', stack.name.text, stack.before.name.text)


def _at(version: str) -> Example:
    minor = '-'.join(version.split('.')[:2])
    return Example(
        {CONFIG: BASE[CONFIG].replace('1.34.7', version), CLASS: BASE[CLASS].replace('1-34', minor)},
    )


RULE = Rule(
    id='upgrade-version',
    severity=Severity.ERROR,
    title='the version can be reached from the release before',
    motivation='Kubernetes is upgraded minor by minor and never back; a release that skips one leaves clusters behind.',
    check=check,
    bad=(
        Example(before=_at('1.34.8'), hits=((CONFIG, 4),)),
        Example(before=_at('1.32.5'), hits=((CONFIG, 4),)),
        Example({CONFIG: BASE[CONFIG].replace('demo', 'other')}, before=Example(), hits=((CONFIG, 3),)),
    ),
    good=(Example(before=_at('1.33.9')), Example(before=_at('1.34.7'))),
)
