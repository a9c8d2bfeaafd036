"""Whatever stands in documents, templates, indexes and versions, reading them ends and raises nothing."""

from __future__ import annotations

import datetime

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scs_ci.stack.check import all_rules, run_rules
from scs_ci.stack.indexes import compact, expand, parse_index
from scs_ci.stack.rule import Example, example_stack
from scs_ci.stack.semver import parse_version, satisfies

pytestmark = pytest.mark.unit
NOW = datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC)
# Pieces that the parsers look for, in senseless order, among any characters.
PIECES = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            [
                *(
                    '```yaml\n',
                    '```\n',
                    '~~~sh\n',
                    'cat <<EOF\n',
                    'EOF\n',
                    'apiVersion: v1\n',
                    '$A',
                    '${B',
                    '{{ ',
                    ' }}',
                ),
                *(
                    'values: |\n',
                    '  a:\n',
                    '- ',
                    'https://',
                    '/releases/latest/',
                    'clusterctl init -i ',
                    '\\\n',
                    '1.2.',
                ),
                *('helm upgrade x oci://', 'kube-v1.33.', 'openstack-demo-1-33', 'kubernetesVersion: ', '\0', '\r\n'),
            ]
        ),
    ),
    max_size=30,
).map(''.join)
FILES = (
    'README.md',
    'cluster-addon-values.yaml',
    'versions.yaml',
    'kubernetes.yaml',
    'clusterstack.yaml',
    'x.CHECKSUM',
)
RULES = [
    rule for rule in all_rules() if rule.id.startswith(('docs', 'tools', 'image', 'versions', 'values', 'example'))
]


@given(text=PIECES, file=st.sampled_from(FILES))
@settings(max_examples=150, deadline=None)
def test_no_rule_crashes_on_senseless_files(text: str, file: str) -> None:
    changes: dict[str, str | None] = {file: text.encode('utf-8', 'replace').decode()}
    if file == 'cluster-addon-values.yaml':
        changes['clusteraddon.yaml'] = None

    found = run_rules(example_stack(Example(changes)), RULES)

    assert [f.message for f in found if 'crashed' in f.message] == []


@given(content=st.one_of(st.binary(max_size=60), PIECES.map(str.encode)))
@settings(max_examples=150, deadline=None)
def test_indexes_of_any_bytes(content: bytes) -> None:
    parse_index('https://charts.example', b'entries:\n  a:\n  - ' + content, 'a file', NOW)


@given(one=st.text('0123456789.xvX*^~<>=!|-+ ,ab', max_size=20), other=st.text('0123456789.v-', max_size=12))
@settings(max_examples=300, deadline=None)
def test_versions_of_any_text(one: str, other: str) -> None:
    parse_version(one)
    assert satisfies(other, one) in (True, False, None)


@given(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(0, 30)), max_size=40))
@settings(max_examples=100, deadline=None)
def test_compact_versions_lose_nothing(numbers: set[tuple[int, int, int]]) -> None:
    versions = {'.'.join(map(str, triple)) for triple in numbers}

    assert set(expand({'x': compact(versions)})['x']) == versions


@pytest.mark.timeout(20)
@pytest.mark.parametrize('text', ['https://' * 20_000, '{{ ' * 50_000, '```\n' * 50_000, '$' * 100_000, '1.' * 100_000])
def test_long_texts_end_soon(text: str) -> None:
    stack = example_stack(Example({'README.md': f'```sh\n{text}', 'cluster-addon/cni/overwrite.yaml': text}))

    assert [f.message for f in run_rules(stack, RULES) if 'crashed' in f.message] == []


@pytest.mark.timeout(20)
@pytest.mark.parametrize('piece', ['{{ ', '{{/* ', '{{ "', '{{ `', '{{ .Values.a ', '{{- if '])
def test_long_templates_end_soon(piece: str) -> None:
    text = piece * 50_000
    condition = yaml.safe_dump({'kind': 'ClusterClass', 'spec': {'patches': [{'name': 'a', 'enabledIf': text}]}})
    printed = f'# Source: x/templates/class.yaml\napiVersion: cluster.x-k8s.io/v1beta1\n{condition}'
    stack = example_stack(Example({'cluster-class/templates/class.yaml': f'{text}*/'}, {'cluster-class': printed}))
    rules = [rule for rule in all_rules() if rule.id.startswith(('class', 'renders', 'printed', 'values'))]

    assert [f.message for f in run_rules(stack, rules) if 'crashed' in f.message] == []
