"""What rules read of a stack: objects, the class with its variables and patches, charts of others."""

from __future__ import annotations

import pytest

from scs_ci.stack.clusterclass import cluster_classes
from scs_ci.stack.objects import addon_objects, class_objects, objects
from scs_ci.stack.rule import Example, example_stack
from scs_ci.stack.subcharts import subcharts

pytestmark = pytest.mark.unit
TEMPLATE = 'cluster-class/templates/class.yaml'
CHART = 'cluster-addon/cni/Chart.yaml'
DEPENDS = (
    'name: cni\nversion: v1\ndependencies:\n'
    '  - {name: cilium, alias: net, repository: "https://helm.example/", version: 1.0.0}\n'
)
PACKED = {
    'cilium/Chart.yaml': 'name: cilium\nversion: 1.0.0\n',
    'cilium/values.yaml': '# defaults\nhubble: {enabled: true}\n',
    'cilium/values.schema.json': '{\n"type": "object"}',
}
CLASS = """\
apiVersion: cluster.x-k8s.io/{version}
kind: ClusterClass
metadata:
  name: {{{{ .Release.Name }}}}
spec:
  infrastructure:
    {ref}: {{apiVersion: i/v1, kind: CT, name: c}}
  workers:
    machineDeployments:
    - class: worker
{worker}
  variables:
  - name: flavor
    required: true
    schema:
      openAPIV3Schema:
        type: string
  - name: broken
  patches:
  - name: flavors
    enabledIf: "{{{{`{{{{ if .flavor }}}}true{{{{ end }}}}`}}}}"
    definitions:
    - selector:
        apiVersion: i/v1
        kind: MT
        matchResources:
          controlPlane: true
          machineDeploymentClass:
            names: [worker]
      jsonPatches:
      - op: replace
        path: /spec/template/spec/flavor
        valueFrom:
          variable: flavor
"""
OLD = CLASS.format(version='v1beta1', ref='ref', worker='      template:\n        bootstrap: {ref: {kind: B, name: b}}')
NEW = CLASS.format(version='v1beta2', ref='templateRef', worker='      bootstrap: {templateRef: {kind: B, name: b}}')


def rendered(template: str) -> str:
    return '# Source: x/templates/class.yaml\n' + template.replace('{{ .Release.Name }}', 'openstack-demo-1-34')


@pytest.mark.parametrize('template', [OLD, NEW], ids=['v1beta1', 'v1beta2'])
def test_the_class_is_read_with_places(template: str) -> None:
    stack = example_stack(Example({TEMPLATE: template}, {'cluster-class': rendered(template)}))

    (found,) = cluster_classes(stack)

    assert [(v.name, v.required, v.schema is not None) for v in found.variables] == [
        ('flavor', True, True),
        ('broken', False, False),
    ]
    assert [(r.role, r.kind, r.name) for r in found.references] == [
        ('infrastructure', 'CT', 'c'),
        ('machineDeployments/worker/bootstrap', 'B', 'b'),
    ]
    (patch,) = found.patches
    assert 'if .flavor' in patch.enabled_if
    (definition,) = patch.definitions
    assert (definition.control_plane, definition.infrastructure_cluster, definition.workers()) == (
        True,
        False,
        ('worker',),
    )
    (operation,) = definition.operations
    assert (operation.op, operation.variable, operation.template) == ('replace', 'flavor', '')
    line = 1 + template[: template.index('valueFrom')].count('\n')
    assert operation.value_node is not None
    place = found.object.place(stack, operation.value_node)
    assert (place.file, place.line) == (TEMPLATE, line + 1)


def test_objects_of_the_class_and_of_addons_and_of_the_matrix() -> None:
    addon = '# Source: cni/templates/a.yaml\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: a, namespace: n}\n'
    stack = example_stack(
        Example(
            rendered={'cluster-class': rendered(OLD), 'cluster-addon/cni': addon},
            variants={('values: x=true', 'cluster-addon/cni'): addon.replace('name: a', 'name: other')},
        )
    )

    (found,) = addon_objects(stack)

    assert (found.group, found.kind, found.name, found.namespace) == ('apps', 'DaemonSet', 'a', 'n')
    assert [o.title for o in class_objects(stack)] == ['ClusterClass openstack-demo-1-34']
    assert [(o.name, o.template.point) for o in objects(stack, variants=True)][-1] == ('other', 'values: x=true')


@pytest.mark.parametrize('how', ['packed', 'unpacked'])
def test_charts_of_others_have_defaults_and_schema(how: str) -> None:
    directory = {f'cluster-addon/cni/charts/{name}': text for name, text in PACKED.items()}
    files = {CHART: DEPENDS, **(directory if how == 'unpacked' else {})}
    packed = {'cluster-addon/cni/charts/cilium-1.0.0.tgz': PACKED} if how == 'packed' else {}
    stack = example_stack(Example(files, packed=packed))
    (chart,) = stack.addon_charts

    (found,) = subcharts(stack, chart)

    assert (found.key, found.archive.version) == ('net', '1.0.0')
    node = found.values.root.get('hubble', 'enabled') if found.values.root else None
    assert node is not None
    assert node.line == 2
    assert found.schema.value('type') == 'object'


def test_a_chart_that_is_not_here_is_left_out() -> None:
    stack = example_stack(Example({CHART: DEPENDS}))

    assert subcharts(stack, stack.addon_charts[0]) == ()
