"""Sets of variables that a class is tried with, and the way from answers back to lines."""

from __future__ import annotations

import pytest

from scs_ci.stack.clusterclass import cluster_classes
from scs_ci.stack.objects import class_objects, text_of
from scs_ci.stack.paths import find, segments, text_line
from scs_ci.stack.points import Point, points, variants
from scs_ci.stack.rule import Example, example_stack
from scs_ci.stack.units import errors
from scs_ci.stack.yamltext import Node, parse

pytestmark = pytest.mark.unit
CLASS = """\
apiVersion: cluster.x-k8s.io/v1beta1
kind: ClusterClass
metadata: {name: x}
spec:
  variables:
    - {name: disks, schema: {openAPIV3Schema: {type: integer, minimum: 0, example: 25}}}
    - {name: balancer, required: true, schema: {openAPIV3Schema: {type: string, default: ovn}}}
    - {name: public, schema: {openAPIV3Schema: {type: boolean}}}
  patches:
    - name: amphora
      enabledIf: '{{ and .public (eq .balancer "amphora") }}'
      definitions: []
"""


def node(text: str) -> Node:
    root = parse(text)[0].root
    assert root is not None
    return root


def made() -> dict[str, Point]:
    stack = example_stack(Example(rendered={'cluster-class': '# Source: x/templates/class.yaml\n' + CLASS}))
    return {point.name: point for point in points(cluster_classes(stack)[0])}


def test_every_form_of_every_variable_is_tried_beside_required_ones() -> None:
    found = made()

    assert next(iter(found.values())).values == {'balancer': 'amphora'}
    assert [p.values['disks'] for p in found.values() if p.variable == 'disks'] == [25, 0]
    assert [p.values['public'] for p in found.values() if p.variable == 'public'] == [True, False]
    assert all('balancer' in point.values for point in found.values())


def test_texts_that_templates_compare_with_are_tried_too() -> None:
    text = CLASS.replace(', required: true', '')
    stack = example_stack(Example(rendered={'cluster-class': '# Source: x/templates/class.yaml\n' + text}))
    found = {point.name: point for point in points(cluster_classes(stack)[0])}

    assert {'balancer: "ovn"', 'balancer: "amphora"'} <= set(found)
    assert found['patch amphora switched on'].values == {'balancer': 'amphora', 'public': True}
    assert not found['patch amphora switched on'].guessed


@pytest.mark.parametrize(
    ('schema', 'values'),
    [
        ('{type: string, enum: [a, b]}', ['a', 'b']),
        ('{type: boolean, default: true}', [True, False]),
        ('{type: string, example: e, default: d}', ['e', 'd']),
        ('{type: string, format: uuid}', ['3adf4e92-bb33-4e44-8ad3-afda9dfe8ec3']),
        ('{type: string, pattern: "^x$"}', []),
        ('{type: string, minLength: 8}', ['samplexx']),
        ('{type: integer, minimum: 3, maximum: 5}', [3, 5]),
        ('{type: array, items: {type: string}}', [['sample'], ['sample', 'sample-2'], []]),
        ('{type: array, minItems: 1, items: {type: boolean}}', [[True], [False]]),
        ('{type: object, additionalProperties: {type: integer}}', [{'sample': 1}, {}]),
        (
            '{type: object, required: [a], properties: {a: {type: boolean}, b: {type: integer, example: 2}}}',
            [{'a': True, 'b': 2}, {'a': True}, {'a': False}, {'a': True, 'b': 2}, {'a': True}],
        ),
    ],
)
def test_forms_of_a_value(schema: str, values: list[object]) -> None:
    # two forms may be equal: points are made distinct, values are not
    found = [value.content for value in variants(node(schema))]

    assert [v for i, v in enumerate(found) if v not in found[:i]] == [
        v for i, v in enumerate(values) if v not in values[:i]
    ]


def test_made_up_values_are_marked() -> None:
    assert [v.guessed for v in variants(node('{type: string}'))] == [True]
    assert [v.guessed for v in variants(node('{type: string, default: ""}'))] == [False, True]


def test_paths_lead_to_the_line_of_their_key() -> None:
    root = node(
        'spec:\n  variables:\n    - name: a\n      schema: {type: x}\n    - name: b\n      default:\n        c: 1\n'
    )

    assert segments('spec.variables[b].default["c"]')[:4] == ('spec', 'variables', 'b', 'default')
    assert find(root, 'spec.variables[b].default.c').line == 7
    assert find(root, 'spec.variables[0].schema').line == 4
    # the deepest that there is
    assert find(root, 'spec.variables[b].example.x').line == 5
    assert find(root, '').line == 1


def test_lines_of_a_block_are_counted_after_its_indicator() -> None:
    root = node('a: |\n  one\n  two: x\nb: two\n')
    block, flow = root.get('a'), root.get('b')
    assert block is not None
    assert flow is not None

    assert text_line(block, 'two') == 3
    assert text_line(block, 'none') == 1
    assert text_line(flow, 'two') == 4


def test_an_object_is_its_document() -> None:
    text = '# Source: x/templates/class.yaml\n# first\na: 1\n---\nb: 2\n--- # end\nc: 3\n'
    stack = example_stack(Example(rendered={'cluster-class': text}))

    assert [text_of(found).split() for found in class_objects(stack)] == [
        ['#', 'first', 'a:', '1'],
        ['b:', '2'],
        ['c:', '3'],
    ]


@pytest.mark.parametrize(
    ('path', 'content', 'lines'),
    [
        ('/etc/systemd/system/a.service', '[Unit]\nA=1\n[Service]\nB=\\\n no setting\n[Install]\nC=2', []),
        ('/etc/systemd/system/a.service', '[Timer]\nA=1', [1]),
        ('/etc/systemd/system/a.timer', '[Timer]\nA=1\n[X-Mine]\nb=c', []),
        ('/etc/systemd/system/a.service', 'A=1', [1]),
        ('/etc/systemd/system/kubelet.service.d/10.conf', '[Service]\nnot', [2]),
        ('/etc/systemd/network/a.network.d/b.conf', '[Network]\nDNS=192.0.2.1', []),
    ],
)
def test_units(path: str, content: str, lines: list[int]) -> None:
    assert [line for line, _ in errors(path, content)] == lines
