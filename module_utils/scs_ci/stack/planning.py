"""From the stacks that were found to the plan of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..core.errors import UsageProblem
from ..core.records import RUN_STAGES, VERSION_STAGES, Plan, PlannedVersion
from .discover import key
from .model import Stack

# What the management plane of a run can create machines with.
PLANE_PROVIDERS = frozenset({'openstack'})
# On top of the tier, where it is asked for: it needs a cluster of real machines.
CONFORMANCE = 'conformance'
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
    conformance: bool = False,
) -> Plan:
    """The plan for these stacks. reasons: path of the stack -> why it is in the plan. conformance: plan that, too.

    UsageProblem for an unknown tier, for no stack at all and for two directories that declare the same version.
    """
    if tier not in TIERS:
        raise UsageProblem('cannot plan', f'tier {tier!r}', f'known are {", ".join(TIERS)}', 'use one of them')
    if not stacks:
        raise UsageProblem('cannot plan', 'a run', 'no version was chosen', 'name stacks or an older reference')
    version_stages, run_stages = TIERS[tier]
    if conformance:
        version_stages = (*version_stages, *_conformance(tier, version_stages))
    versions = tuple(_planned(stack, reasons[stack.path], version_stages, providers) for stack in stacks)
    _demand_unique(versions)
    return Plan(versions, run_stages)


def _conformance(tier: str, stages: Sequence[str]) -> tuple[str, ...]:
    if 'deploy' not in stages:
        raise UsageProblem('cannot plan', 'conformance', f'tier {tier!r} creates no cluster', 'choose a larger tier')
    return (CONFORMANCE,)


def _planned(stack: Stack, reason: str, stages: Sequence[str], providers: frozenset[str]) -> PlannedVersion:
    provider = stack.provider.text
    foreign = provider not in providers and bool(provider)
    reason_of_skip = f'this plane has no infrastructure provider {provider!r}'
    skipped = {stage: reason_of_skip for stage in stages if foreign and stage in ('deploy', CONFORMANCE)}
    return PlannedVersion(
        key=key(stack),
        path=stack.path,
        provider=provider,
        name=stack.name.text,
        kubernetes=str(stack.version or stack.kubernetes.text),
        layout=stack.layout,
        reason=reason,
        stages=tuple(stage for stage in stages if stage not in skipped),
        skipped=skipped,
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
