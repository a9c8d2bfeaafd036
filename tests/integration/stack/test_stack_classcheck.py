"""What Cluster API's own code says, through classcheck: each kind of defect, found at its line of the example."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from stack_tools import EXAMPLE

from scs_ci.core.records import Severity
from scs_ci.stack import discover
from scs_ci.stack.asking import COMPONENTS, PROGRAM, shell
from scs_ci.stack.charts import ChartSource
from scs_ci.stack.check import run_rules
from scs_ci.stack.clusterclass import cluster_classes
from scs_ci.stack.helm import Helm
from scs_ci.stack.objects import addon_objects, class_objects
from scs_ci.stack.points import points
from scs_ci.stack.render import render_stack

pytestmark = pytest.mark.integration
STACK = 'providers/openstack/example'
PLACE = discover.Place(STACK, 'A')
CLASS = 'cluster-class/templates/cluster-class.yaml'
OPENSTACK = 'cluster-class/templates/openstack.yaml'
KUBEADM = 'cluster-class/templates/kubeadm.yaml'
UNIT = """\
        files:
          - path: /etc/systemd/system/x.service
            content: |
              [Service]
              ExecStart /bin/true
        clusterConfiguration:
"""
PROXY = UNIT.replace('/etc/systemd/system/x.service', '/etc/p.yaml').replace(
    '[Service]\n              ExecStart /bin/true',
    'apiVersion: kubeproxy.config.k8s.io/v1alpha1\n              kind: KubeProxyConfiguration\n              mod: ipvs',
)
SCRIPT = UNIT.replace('/etc/systemd/system/x.service', '/x.sh').replace(
    '[Service]\n              ExecStart /bin/true', '#!/bin/bash\n              if true; then echo; done'
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / 'checkout'))


@pytest.mark.parametrize(
    ('file', 'old', 'new', 'after', 'rule'),
    [
        # variables
        (CLASS, 'default: octavia-ovn', 'default: octavia', 0, 'class-accepted'),
        (CLASS, 'minimum: 0', 'minimum: 5', 1, 'class-accepted'),
        (CLASS, '- name: workerRootDisk', '- name: workerRootDiscs', 0, 'class-variables'),
        (CLASS, 'if .workerRootDisk', 'if .workerRootDiscs', 0, 'class-variables'),
        # patches: conditions, values, paths, results
        (CLASS, 'if .workerRootDisk }}true', 'iff .workerRootDisk }}true', 0, 'class-accepted'),
        (CLASS, 'variable: workerFlavor', 'variable: workersFlavor', 0, 'class-accepted'),
        (CLASS, 'path: /spec/template/spec/flavor', 'path: /spec/template/spec/a/flavor', 0, 'class-patches'),
        (CLASS, '- cidr: 10.8.0.0/20', '- cidr: [10.8.0.0/20', -1, 'class-patches'),
        (CLASS, 'sizeGiB: {{ .controlPlaneRootDisk }}', 'diskSize: {{ .controlPlaneRootDisk }}', 0, 'class-results'),
        (CLASS, '- cidr: 10.8.0.0/20', '- cdir: 10.8.0.0/20', 0, 'class-results'),
        (CLASS, 'sizeGiB: {{ .workerRootDisk }}', 'sizeGiB: "{{ .workerRootDisk }}"', 0, 'class-results'),
        # references and templates
        (CLASS, '-default-worker\n          infra', '-default-workers\n          infra', 0, 'class-references'),
        (OPENSTACK, 'enabled: false', 'enable: false', 0, 'object-schema'),
        (OPENSTACK, 'enabled: false', 'enabled: "no"', 0, 'object-schema'),
        (KUBEADM, 'apiServer: {}', 'apiServer: {extraArg: {}}', 0, 'object-schema'),
        # what machines get
        (KUBEADM, '        clusterConfiguration:\n', UNIT, 4, 'embedded-syntax'),
        (KUBEADM, '        clusterConfiguration:\n', SCRIPT, 4, 'embedded-syntax'),
        (KUBEADM, '        clusterConfiguration:\n', PROXY, 5, 'embedded-config'),
        # addons
        ('cluster-addon/ccm/overwrite.yaml', '.Cluster.metadata.name', '"kubernetes"', None, 'addon-unique'),
    ],
)
def test_a_defect_of_the_class_is_found(
    helm: Helm, checkout: Path, file: str, old: str, new: str, after: int | None, rule: str
) -> None:
    path = checkout / STACK / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    line = text[: text.index(old)].count('\n') + 1

    found = run_rules(render_stack(discover.load(checkout, PLACE), helm, ChartSource(checkout)))

    errors = [f for f in found if f.severity is Severity.ERROR and f.rule == rule]
    assert errors, found
    if after is not None:
        assert (errors[0].file, errors[0].line - line) == (f'{STACK}/{file}', after), errors


def test_conditions_of_addons_are_compiled(helm: Helm, checkout: Path) -> None:
    condition = (
        '      waitForPostCondition:\n'
        '        objects: [{key: d, apiVersion: apps/v1, kind: Deployment, name: x, namespace: kube-system}]\n'
        '        conditions: "%s"\n'
    )
    path = checkout / STACK / 'clusteraddon.yaml'
    text = path.read_text()
    marker = '      action: apply\n'

    def said(expression: str) -> list[str]:
        path.write_text(text.replace(marker, marker + condition % expression, 1))
        stack = render_stack(discover.load(checkout, PLACE), helm, ChartSource(checkout))
        return [f.message for f in run_rules(stack) if f.rule == 'addon-conditions']

    assert said('d.status.readyReplicas == 1') == []
    assert 'undeclared reference' in said('e.status.readyReplicas == 1')[0]
    assert 'not a bool' in said('1 + 1')[0]


def test_everything_that_was_asked_is_answered(helm: Helm, tmp_path: Path) -> None:
    stack = render_stack(discover.load(EXAMPLE, PLACE), helm, ChartSource(tmp_path))
    (view,) = cluster_classes(stack)

    assert len(stack.answers.class_objects) == len(list(class_objects(stack))) == 6
    assert len(stack.answers.addon_objects) == len(list(addon_objects(stack)))
    assert len(points(view)) > len(view.variables)
    assert {use.variable for use in stack.answers.uses} >= {variable.name for variable in view.variables}
    assert stack.answers.failures == stack.answers.refused == ()


def ask(helm: Helm, **question: Any) -> dict[str, Any]:
    directory = helm.program.parent
    definitions = [str(directory.parent / 'manifests-src' / name) for name in COMPONENTS]
    done = subprocess.run(
        [directory / PROGRAM],
        input=json.dumps({'definitions': definitions, **question}),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ('document', 'kinds'),
    [
        ('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n', []),
        ('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndatas: {a: b}\n', ['unknown-field']),
        ('apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: two}\n', ['invalid']),
        ('apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: a}\n', ['removed']),
        ('apiVersion: extensions/v1\nkind: Deployment\nmetadata: {name: a}\n', ['no-version']),
        ('apiVersion: v1\nkind: Endpoints\nmetadata: {name: a}\n', ['deprecated']),
        ('apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: a}\n', ['no-definition']),
        ('no object\n', []),
    ],
)
def test_objects_of_kubernetes(helm: Helm, document: str, kinds: list[str]) -> None:
    answer = ask(helm, kubernetes='v1.34.7', addons=[document])

    assert [problem['kind'] for problem in answer['addons'][0]] == kinds


def test_definitions_of_addons_judge_their_own_resources(helm: Helm) -> None:
    definition = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec:
  group: example.org
  names: {kind: Thing, plural: things}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {a: {type: string}}}}}}
"""
    thing = 'apiVersion: example.org/{}\nkind: Thing\nmetadata: {{name: a}}\nspec: {}\n'

    documents = [definition, thing.format('v1', '{a: x}'), thing.format('v1', '{b: x}'), thing.format('v2', '{}')]
    answer = ask(helm, kubernetes='v1.34.7', addons=documents)

    assert [[p['kind'] for p in problems] for problems in answer['addons']] == [
        [],
        [],
        ['unknown-field'],
        ['no-version'],
    ]


def test_bash_reads_and_runs_nothing(tmp_path: Path) -> None:
    assert shell('bash', f'touch {tmp_path}/x\n') == ''
    assert not (tmp_path / 'x').exists()
    assert 'syntax error' in shell('sh', 'if true; then\n')
    assert shell('bash', 'a=(1 2)\n') == ''
