"""The tool's configuration declares provider, name and Kubernetes version in the form that csctl and CSO accept."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...core.records import Severity
from ..model import CLASS_DIR, LAYOUT_A, LAYOUT_B, LAYOUT_HISTORIC, TOOL_CONFIG, Stack, Stated, stated
from ..rule import BASE, Example, Hit, Rule

FULL = re.compile(r'v\d+\.\d+\.\d+')
# Layout B omits the v, and the patch when the newest one is meant.
LOOSE = re.compile(r'v?\d+\.\d+(\.\d+)?')
NAME = re.compile(r'[a-z0-9]+')
CHART = 'cluster-class/Chart.yaml'
API = 'csctl.clusterstack.x-k8s.io/v1alpha1'


def check(stack: Stack) -> Iterable[Hit]:
    config = TOOL_CONFIG[stack.layout]
    file = stack.yaml.get(config)
    if stack.class_chart is None:
        yield Hit(
            config, 1, f'there is no {CLASS_DIR}/Chart.yaml, so no class can be made', wanted=f'{CLASS_DIR}/Chart.yaml'
        )
    if stack.layout == LAYOUT_HISTORIC:
        message = (
            'there is no csctl.yaml: provider and name are taken from the name of the class chart, csctl builds nothing'
        )
        yield Hit(stack.name.file, 1, message, wanted='csctl.yaml', severity=Severity.WARNING)
    elif file is None:
        yield Hit(config, 1, f'there is no {config}', wanted=config)
        return
    if file is not None and file.broken:
        return  # rule yaml-parses tells it
    for what, value in (('provider', stack.provider), ('clusterStackName', stack.name)):
        yield from _name(what, value)
    yield from _version(stack)
    api = stated(file, 'apiVersion') if file is not None else None
    if stack.layout == LAYOUT_A and api is not None and api.text != API:
        yield Hit(api.file, api.line, 'wrong apiVersion of the tool configuration', seen=api.text, wanted=API)


def _name(what: str, value: Stated) -> Iterable[Hit]:
    if not value.text:
        yield Hit(value.file, value.line, f'no {what} is stated', wanted=what)
    elif not NAME.fullmatch(value.text):
        message = f'{what} {value.text!r} must be lower-case letters and digits: tags are split at dashes'
        yield Hit(value.file, value.line, message, seen=value.text, wanted='[a-z0-9]+')


def _version(stack: Stack) -> Iterable[Hit]:
    value = stack.kubernetes
    form = FULL if stack.layout == LAYOUT_A else LOOSE
    if not value.text:
        yield Hit(value.file, value.line, 'no kubernetesVersion is stated', wanted='kubernetesVersion')
    elif not form.fullmatch(value.text):
        wanted = 'vX.Y.Z' if stack.layout == LAYOUT_A else 'X.Y.Z or X.Y'
        message = f'kubernetesVersion {value.text!r} does not have the form {wanted}'
        yield Hit(value.file, value.line, message, seen=value.text, wanted=wanted)


RULE = Rule(
    id='declaration',
    severity=Severity.ERROR,
    title='csctl.yaml or stack.yaml declares provider, name and version',
    motivation='csctl refuses other forms; with a dash in a name nobody can take the tag of the release apart again.',
    check=check,
    bad=(
        Example({'csctl.yaml': BASE['csctl.yaml'].replace('v1.34.7', 'v1.34')}, hits=(('csctl.yaml', 4),)),
        Example({'csctl.yaml': BASE['csctl.yaml'].replace('demo', 'my-demo')}, hits=(('csctl.yaml', 3),)),
        Example({'csctl.yaml': BASE['csctl.yaml'].replace('    type: openstack\n', '')}, hits=(('csctl.yaml', 6),)),
        Example({'cluster-class/Chart.yaml': None}, hits=(('csctl.yaml', 1),)),
        Example({'csctl.yaml': None}, hits=(('csctl.yaml', 1),)),
        Example({'csctl.yaml': None}, hits=((CHART, 1),), layout=LAYOUT_HISTORIC),
    ),
    good=(
        Example(),
        Example(
            {
                'stack.yaml': 'provider: openstack\nclusterStackName: demo\nkubernetesVersion: 1.30\n',
                'csctl.yaml': None,
            },
            layout=LAYOUT_B,
        ),
    ),
)
