"""From the stacks that were found to the plan of a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..core.errors import UsageProblem
from ..core.records import RUN_STAGES, VERSION_STAGES, Plan, PlannedVersion
from .discover import key
from .model import Stack

# What the management plane of a run can create machines with.
PLANE_PROVIDERS = frozenset({'openstack'})
# On top of the tier, where they are asked for, in order: they need a cluster of real machines.
MORE_STAGES = ('conformance', 'upgrade')
# Tier: (stages of a version, stages of the run). `check` needs neither a cloud nor a registry.
TIERS = {
    'check': (('check', 'build'), ('discover',)),
    'e2e': (VERSION_STAGES, RUN_STAGES),
    'nightly': (VERSION_STAGES, RUN_STAGES),
}


def make_plan(
    stacks: Sequence[Stack],
    reasons: Mapping[str, str],
    tier: str,
    providers: frozenset[str] = PLANE_PROVIDERS,
    more: Collection[str] = (),
    upgraded: Mapping[str, str] = {},
) -> Plan:
    """The plan for these stacks. reasons: path of the stack -> why it is in the plan. more: of MORE_STAGES, what
    is asked for. upgraded: path of the stack -> Kubernetes of its cluster after the upgrade, where that is known.

    UsageProblem for an unknown tier, for no stack at all and for two directories that declare the same version.
    """
    if tier not in TIERS:
        raise UsageProblem('cannot plan', f'tier {tier!r}', f'known are {", ".join(TIERS)}', 'use one of them')
    if not stacks:
        raise UsageProblem('cannot plan', 'a run', 'no version was chosen', 'name stacks or an older reference')
    version_stages, run_stages = TIERS[tier]
    version_stages = (*version_stages, *_more(tier, version_stages, more))
    versions = tuple(
        _planned(stack, reasons[stack.path], version_stages, providers, upgraded.get(stack.path, ''))
        for stack in stacks
    )
    _demand_unique(versions)
    return Plan(versions, run_stages)


def _more(tier: str, stages: Sequence[str], asked: Collection[str]) -> tuple[str, ...]:
    found = tuple(stage for stage in MORE_STAGES if stage in asked)
    if found and 'deploy' not in stages:
        raise UsageProblem('cannot plan', found[0], f'tier {tier!r} creates no cluster', 'choose a larger tier')
    return found


def _planned(
    stack: Stack, reason: str, stages: Sequence[str], providers: frozenset[str], upgraded: str
) -> PlannedVersion:
    provider = stack.provider.text
    foreign = provider not in providers and bool(provider)
    reason_of_skip = f'this plane has no infrastructure provider {provider!r}'
    skipped = {stage: reason_of_skip for stage in stages if foreign and stage in ('deploy', *MORE_STAGES)}
    left = tuple(stage for stage in stages if stage not in skipped)
    return PlannedVersion(
        key=key(stack),
        path=stack.path,
        provider=provider,
        name=stack.name.text,
        kubernetes=str(stack.version or stack.kubernetes.text),
        layout=stack.layout,
        reason=reason,
        stages=left,
        skipped=skipped,
        upgraded=upgraded if 'upgrade' in left else '',
    )


def _demand_unique(versions: Sequence[PlannedVersion]) -> None:
    first: dict[str, str] = {}
    for version in versions:
        if version.key in first:
            raise UsageProblem(
                'cannot plan',
                f'version {version.key}',
                f'{first[version.key]} and {version.path} both declare it',
                'correct one of them or choose with --stacks',
            )
        first[version.key] = version.path
