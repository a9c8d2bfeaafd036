"""Senseless objects: whatever charts print and classcheck answers, rules say something or nothing, and end.

As in test_stack_bad_input.py, HYPOTHESIS_EXAMPLES=10000 is the longer run.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scs_ci.core.limit import OverLimit, processor_limit
from scs_ci.core.records import Severity
from scs_ci.stack import check, matrix
from scs_ci.stack.asking import questions
from scs_ci.stack.check import all_rules, judge
from scs_ci.stack.clusterclass import cluster_classes
from scs_ci.stack.points import MOST_POINTS, points
from scs_ci.stack.rule import Example, Rule, example_stack

pytestmark = pytest.mark.unit
BOUNDED = settings(
    max_examples=int(os.environ.get('HYPOTHESIS_EXAMPLES', '60')),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
# Keys that rules look for.
NAMES = (
    'spec template metadata name namespace labels kind apiVersion variables required schema openAPIV3Schema type '
    'properties items enum default example minimum maximum minLength pattern format additionalProperties patches '
    'enabledIf definitions selector matchResources machineDeploymentClass names jsonPatches op path value valueFrom '
    'variable workers machineDeployments class bootstrap infrastructure controlPlane machineInfrastructure ref '
    'templateRef kubeadmConfigSpec clusterConfiguration apiServer extraArgs kubeletExtraArgs files content encoding '
    'preKubeadmCommands containers image args command env flavor rootVolume sizeGiB resource download url hash '
    'addonStages images versions version checksum dependencies repository alias topology'
)
KINDS = 'ClusterClass KubeadmControlPlaneTemplate OpenStackMachineTemplate Image Deployment DaemonSet'
KEYS = st.sampled_from(NAMES.split())
LEAVES = st.one_of(
    st.sampled_from(
        [
            *('string', 'object', 'array', 'integer', 'boolean', 'add', 'ClusterClass', 'Cluster', 'ClusterStack'),
            *('/spec/template/spec/x', '/', '', '-', '~1', '{{ .a }}', '{{ if', '{{ range .x }}{{ end }}'),
            *('<no value>', 'v1.34.7', '1.30', 'x' * 300, '--cluster-name=kubernetes', '#!/bin/bash\nif'),
            *('[Unit]\nx', 'a.b[0].c', '\0', 0, -1, 10**30, 1.5, float('inf'), float('nan'), True, False, None),
        ]
    ),
    st.text(max_size=6),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.fixed_dictionaries(
    {
        'apiVersion': st.sampled_from(['cluster.x-k8s.io/v1beta1', 'cluster.x-k8s.io/v1beta2', 'v1', 'apps/v1', 'x/']),
        'kind': st.sampled_from(KINDS.split()),
    },
    optional={'metadata': VALUES, 'spec': VALUES},
)
SCHEMAS = st.fixed_dictionaries({'name': LEAVES, 'required': st.booleans(), 'schema': VALUES})
CLASSES = st.fixed_dictionaries(
    {
        'apiVersion': st.just('cluster.x-k8s.io/v1beta1'),
        'kind': st.just('ClusterClass'),
        'metadata': st.just({'name': 'x'}),
        'spec': st.fixed_dictionaries(
            {
                'variables': st.lists(SCHEMAS, max_size=3),
                'patches': st.lists(
                    st.fixed_dictionaries({'name': LEAVES, 'definitions': st.lists(VALUES, max_size=2)}), max_size=3
                ),
            }
        ),
    }
)
PROBLEMS = st.lists(
    st.fixed_dictionaries(
        {
            'kind': st.sampled_from(['unknown-field', 'invalid', 'no-version', 'no-definition', 'removed']),
            'path': st.sampled_from(['', 'spec', 'spec.variables[0].schema', 'spec[x].y', '[', 'a..b'])
            | st.text(max_size=8),
            'message': st.text(max_size=10),
        }
    ),
    max_size=3,
)


def printed(objects: list[dict[str, Any]]) -> str:
    return '# Source: x/templates/class.yaml\n' + '---\n'.join(yaml.safe_dump(one) for one in objects)


@BOUNDED
@given(st.lists(OBJECTS | CLASSES, min_size=1, max_size=3), st.lists(PROBLEMS, max_size=3))
def test_every_rule_survives_every_object(objects: list[dict[str, Any]], problems: list[list[dict[str, str]]]) -> None:
    text = printed(objects)
    answer = {'class': problems, 'addons': problems, 'variants': problems, 'refused': [p for g in problems for p in g]}
    variants = {('values: a=1', 'cluster-class'): text + 'more: 1\n'}

    stack = example_stack(
        Example(rendered={'cluster-class': text, 'cluster-addon/cni': text}, variants=variants, answer=answer)
    )

    assert [f.message for f in judge(stack).findings if 'crashed' in f.message] == []


@BOUNDED
@given(CLASSES)
def test_every_class_has_a_bounded_number_of_points(made: dict[str, Any]) -> None:
    stack = example_stack(Example(rendered={'cluster-class': printed([made])}))

    (view,) = cluster_classes(stack)
    asked = questions(stack, Path('/nowhere'))

    assert 1 <= len(points(view)) <= MOST_POINTS
    assert json.loads(json.dumps(asked, default=str))['class']


@BOUNDED
@given(VALUES, VALUES)
def test_every_pair_of_values_and_schema_has_a_bounded_number_of_points(values: Any, schema: Any) -> None:
    files: dict[str, str | None] = {
        'cluster-class/values.yaml': yaml.safe_dump(values),
        'cluster-class/values.schema.json': yaml.safe_dump(schema),
    }
    stack = example_stack(Example(files))
    assert stack.class_chart is not None

    assert len(matrix.points(stack, stack.class_chart)) <= matrix.MOST_POINTS


def test_a_rule_that_does_not_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(stack: object) -> list[Any]:
        while True:
            pass

    monkeypatch.setattr(check, 'RULE_SECONDS', 0.05)
    one = all_rules()[0]

    (found,) = judge(
        example_stack(Example()), [Rule(one.id, one.severity, one.title, one.motivation, endless, one.bad)]
    ).findings

    assert found.severity is Severity.ERROR
    assert 'no end within 0.05 s' in found.message


def test_a_limit_counts_the_processor_and_not_the_clock() -> None:
    with processor_limit(0.2):
        time.sleep(0.3)

    with pytest.raises(OverLimit), processor_limit(0.05):
        while True:
            pass
