"""Rendered against live: what the API server does to an object is no difference, everything else is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from scs_ci.deploy.compare import differences, quantity, unstable, without

pytestmark = pytest.mark.unit


def container(**fields: Any) -> dict[str, Any]:
    template = {'spec': {'containers': [{'name': 'a', **fields}]}}
    return {'kind': 'Deployment', 'metadata': {'name': 'x'}, 'spec': {'template': template}}


SAME: list[tuple[Any, Any]] = [
    ({'spec': {'replicas': 2}}, {'spec': {'replicas': 2, 'revisionHistoryLimit': 10}, 'status': {}}),
    ({'apiVersion': 'a/v1', 'status': {'x': 1}}, {'apiVersion': 'a/v2'}),
    ({'spec': {'hostNetwork': False, 'tolerations': [], 'nodeSelector': {}, 'x': None}}, {'spec': {}}),
    (container(resources={'limits': {'cpu': '1000m', 'memory': '1024Mi'}}),
     container(resources={'limits': {'cpu': '1', 'memory': '1Gi'}})),
    (container(resources={'requests': {'cpu': 0.1}}), container(resources={'requests': {'cpu': '100m'}})),
    (container(ports=[{'containerPort': 80}]), container(ports=[{'containerPort': 80, 'protocol': 'TCP'}])),
    ({'kind': 'Secret', 'stringData': {'a': 'b'}}, {'kind': 'Secret', 'data': {'a': 'Yg=='}}),
    ({'spec': {'env': [{'name': 'b'}]}}, {'spec': {'env': [{'name': 'a'}, {'name': 'b'}]}}),
    ({'spec': {'targetPort': '80'}}, {'spec': {'targetPort': 80}}),
]  # fmt: skip
OTHER: list[tuple[Any, Any, str]] = [
    ({'spec': {'replicas': 2}}, {'spec': {'replicas': 1}}, 'spec.replicas is 1, rendered 2'),
    ({'spec': {'a': True}}, {'spec': {}}, 'spec.a is absent, rendered True'),
    ({'spec': {'a': True}}, {'spec': {'a': 'true'}}, "spec.a is 'true', rendered True"),
    ({'spec': {'a': False}}, {'spec': {'a': 0}}, 'spec.a is 0, rendered False'),
    ({'spec': {'args': ['a', 'b']}}, {'spec': {'args': ['a', 'c']}}, "spec.args[1] is 'c', rendered 'b'"),
    ({'rules': [{'verbs': ['get']}]}, {'rules': [{'verbs': ['get']}, {'verbs': ['*']}]}, 'rules is '),
    (container(image='a:1'), container(image='a:2'), "containers[name=a].image is 'a:2', rendered 'a:1'"),
    ({'data': {'cpu': '1000m'}}, {'data': {'cpu': '1'}}, "data.cpu is '1', rendered '1000m'"),
    (container(resources={'limits': {'cpu': '1'}}), container(resources={'limits': {'cpu': '2'}}), "cpu is '2'"),
]


@pytest.mark.parametrize(('wanted', 'live'), SAME)
def test_what_the_server_does_is_no_difference(wanted: Any, live: Any) -> None:
    assert differences(wanted, live) == []


@pytest.mark.parametrize(('wanted', 'live', 'text'), OTHER)
def test_a_difference_names_field_and_values(wanted: Any, live: Any, text: str) -> None:
    (found,) = differences(wanted, live)
    assert text in found.text


def test_values_of_secrets_are_never_told() -> None:
    found = differences({'kind': 'Secret', 'stringData': {'a': 'hush'}}, {'kind': 'Secret', 'data': {'a': 'b3RoZXI='}})
    assert [d.path for d in found] == ['data.a']
    assert not any(word in found[0].text for word in ('hush', 'aHVza', 'b3Ro'))


def test_what_no_rendering_repeats_is_not_compared() -> None:
    first, second = ({'kind': 'Secret', 'data': {'tls': text, 'ca': 'same'}} for text in ('a', 'b'))
    live = {'kind': 'Secret', 'data': {'tls': 'c', 'ca': 'other'}}
    assert [d.path for d in without(differences(first, live), unstable(first, second))] == ['data.ca']


@pytest.mark.parametrize(
    ('text', 'value'),
    [('1', '1'), ('100m', '0.1'), ('1Ki', '1024'), ('1.5G', '1.5e9'), ('2e3', '2000'), ('5n', '5e-9'), ('x', None)],
)
def test_quantities(text: str, value: str | None) -> None:
    assert quantity(text) == (None if value is None else Decimal(value))
