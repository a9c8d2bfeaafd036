"""Is an upgrade done? One pure predicate over everything that changes while it goes on.

It takes {cluster, plane, deployments, machines, count, old, replaced, settled, minor, lost} of `upgrade.py` and, like
all predicates, says in a few words where it stands.
"""

from __future__ import annotations

from .kinds import Object, name_of, status
from .readiness import State, topology
from .usable import control_plane, group, machine_deployments, machines


def upgraded(obj: Object | None) -> State:
    """Every machine is of the new release, as many as wanted, none of the old ones left, and the topology agrees."""
    if obj is None:
        return State(False, 'absent')
    if obj['lost']:
        return State(False, obj['lost'], failed=True)
    left = [name for name in map(name_of, obj['machines']) if name in obj['old']]
    if obj['replaced'] and left:
        new = len(obj['machines']) - len(left)
        return State(False, f'{new} new machines, {len(left)} old ones left')
    parts = (
        machines(group('Machines', name_of(obj), obj['machines'], obj['count'])),
        _minors(obj),
        control_plane(obj['plane']),
        machine_deployments(group('MachineDeployments', name_of(obj), obj['deployments'])),
        topology(obj['cluster']),
    )
    waiting = [part.text for part in parts if not part.ready]
    if not waiting and not obj['settled']:
        return State(False, 'nothing to replace so far')
    return State(False, waiting[0]) if waiting else State(True, f'{len(obj["machines"])} machines of the new release')


def _minors(obj: Object) -> State:
    """Kubelets of the minor of the release, as the nodes tell Cluster API. Patches are the image's matter."""
    kubelets = {name_of(o): str((status(o).get('nodeInfo') or {}).get('kubeletVersion') or '') for o in obj['machines']}
    wrong = [f'{name} {seen or "unknown"}' for name, seen in kubelets.items() if minor(seen) != obj['minor']]
    return State(not wrong, f'kubelet of {", ".join(wrong)}, {obj["minor"]} wanted' if wrong else 'kubelets as wanted')


def minor(version: str) -> str:
    """'1.34' of 'v1.34.10'."""
    return '.'.join(version.removeprefix('v').split('.')[:2])


PREDICATES = {'Upgrade': upgraded}
