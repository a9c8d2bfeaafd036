"""Default flavors exist on every SCS cloud, and those without a disk come with a root volume."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ...core.records import Severity
from ..defaults import Default, defaults
from ..images import node_images
from ..model import Stack
from ..rule import CLASS_HEAD, Example, Hit, Rule, printed_class

# Standard scs-0103, version 1.2.
MANDATORY = (
    *('SCS-1V-4', 'SCS-2V-8', 'SCS-4V-16', 'SCS-4V-16-100s', 'SCS-8V-32', 'SCS-1V-2', 'SCS-2V-4', 'SCS-2V-4-20s'),
    *('SCS-4V-8', 'SCS-8V-16', 'SCS-16V-32', 'SCS-1V-8', 'SCS-2V-16', 'SCS-4V-32', 'SCS-1L-1'),
)
# Standard scs-0100: CPUs, memory, disks; extensions for hypervisors and the like follow.
NAME = re.compile(r'SCS-(?P<cpus>\d+)[LVTC]i?-\d+(?:\.5)?u?o?(?P<disk>-(?:\d+x)?\d*[nhsp]?)?(?:_.+)?')
# What the checks before `kubeadm init` demand.
LEAST_CPUS = 2
PLACEHOLDERS = ('', 'x', 'overridden-by-patch', 'set-by-patch')


def check(stack: Stack) -> Iterable[Hit]:
    found = defaults(stack)
    flavors = [d for d in found if 'flavor' in d.name.lower() and d.text not in PLACEHOLDERS and '{{' not in d.text]
    variables = {d.name for d in found if d.of == 'variable' and 'flavor' in d.name.lower()}
    for flavor in flavors:
        replaced = flavor.name in variables if flavor.of == 'values' else flavor.of == 'template' and bool(variables)
        yield from _mandatory(flavor, replaced)
        yield from _control_plane(flavor)
        if flavor.of == 'variable':
            yield from _root_disk(stack, flavor, found)


def _mandatory(flavor: Default, replaced: bool) -> Iterator[Hit]:
    name = flavor.text.replace(':', '-')
    if name in MANDATORY:
        return
    kind = 'not mandatory in SCS' if NAME.fullmatch(name) else 'no name of the SCS standard'
    message = (
        f'{flavor.name} is {flavor.text} by default, which is {kind}: clouds may not have it; take a mandatory one'
    )
    if replaced:
        message += ' (a class variable replaces it)'
    yield Hit(
        flavor.file,
        flavor.line,
        message,
        seen=flavor.text,
        wanted=_alternative(name),
        severity=Severity.WARNING if replaced else None,
    )


def _control_plane(flavor: Default) -> Iterator[Hit]:
    """kubeadm itself refuses to make a control plane on a machine with less."""
    match = NAME.fullmatch(flavor.text.replace(':', '-'))
    if match and 'control' in _plain(flavor.name) and int(match['cpus'][:4]) < LEAST_CPUS:
        message = (
            f'{flavor.name} is {flavor.text} by default, with {match["cpus"]} CPU: kubeadm makes no control plane with '
            f'less than {LEAST_CPUS}'
        )
        yield Hit(flavor.file, flavor.line, message, seen=flavor.text, wanted='SCS-2V-4-20s')


def _alternative(name: str) -> str | None:
    """The mandatory flavor with as many CPUs and as much memory, with a disk if there was one."""
    head = '-'.join(name.split('-')[:3])
    same = sorted(f for f in MANDATORY if f == head or f.startswith(f'{head}-'))
    return ' or '.join(same) or None


def _root_disk(stack: Stack, flavor: Default, found: Sequence[Default]) -> Iterator[Hit]:
    match = NAME.fullmatch(flavor.text.replace(':', '-'))
    if match is None or match['disk']:
        return
    disks = [
        d for d in found if d.of == 'variable' and _plain(d.name) == _plain(flavor.name).replace('flavor', 'rootdisk')
    ]
    size = int(disks[0].text) if disks and disks[0].text.isdecimal() else 0
    smallest = _smallest(stack)
    if size <= 0:
        message = (
            f'{flavor.name} is {flavor.text} by default, a flavor without disk, and no variable gives a root volume: '
        )
        yield Hit(flavor.file, flavor.line, message + 'servers cannot boot; give its root disk a default', flavor.text)
    elif size < smallest:
        message = f'{disks[0].name} is {size} GiB by default, the node image needs {smallest} GiB: servers cannot boot'
        yield Hit(disks[0].file, disks[0].line, message, seen=str(size), wanted=str(smallest))


def _plain(name: str) -> str:
    return re.sub(r'[-_]', '', name).lower()


def _smallest(stack: Stack) -> int:
    """The largest of the minimal disks that the node images of the stack state, in GiB."""
    stated = [
        i.properties['smallest disk in GiB'].text for i in node_images(stack) if 'smallest disk in GiB' in i.properties
    ]
    return max((int(text) for text in stated if text.isdecimal()), default=0)


def _class(variables: dict[str, str]) -> str:
    listed = ''.join(
        f'    - name: {name}\n      schema:\n        openAPIV3Schema:\n          default: {default}\n'
        for name, default in variables.items()
    )
    return f'{CLASS_HEAD}  variables:\n{listed}'


def _example(variables: dict[str, str], *lines: int, files: dict[str, str] | None = None) -> Example:
    return printed_class(_class(variables), *lines, files=files)


def _machine(flavor: str, *lines: int) -> Example:
    text = (
        'apiVersion: infrastructure.cluster.x-k8s.io/v1beta1\nkind: OpenStackMachineTemplate\nmetadata:\n  name: x\n'
        f'spec:\n  template:\n    spec:\n      flavor: {flavor}\n'
    )
    return printed_class(text, *lines)


_VALUES = 'cluster-class/values.yaml'
_IMAGE = 'kind: Image\nspec:\n  resource:\n    properties:\n      minDiskGB: 20\n'

RULE = Rule(
    id='flavors',
    severity=Severity.ERROR,
    title='default flavors are mandatory in SCS, and diskless ones come with a root volume',
    motivation='The default SCS-2V-4-20 is not mandatory: on clouds that only have what they must no cluster came up.',
    check=check,
    bad=(
        _example({'controller_flavor': 'SCS-2V-4-20'}, 10),
        _example({'workerFlavor': 'm1.small'}, 10),
        _example({'workerFlavor': 'SCS-2V-4', 'workerRootDisk': '0'}, 10),
        _example({'workerFlavor': 'SCS-2V-4', 'workerRootDisk': '10'}, 14, files={'image.yaml': _IMAGE}),
        Example({_VALUES: 'worker_flavor: SCS-2V-4-20\n'}, hits=((_VALUES, 1),)),
        _machine('SCS-2V-4-20', 8),
        _example({'controlPlaneFlavor': 'SCS-1V-4', 'controlPlaneRootDisk': '50'}, 10),
    ),
    good=(
        _example({'workerFlavor': 'SCS-2V-4', 'workerRootDisk': '25'}, files={'image.yaml': _IMAGE}),
        _example({'controller_flavor': 'SCS-2V-4-20s'}),
        Example({_VALUES: 'worker_flavor: overridden-by-patch\n'}),
        _machine('overridden-by-patch'),
    ),
)
