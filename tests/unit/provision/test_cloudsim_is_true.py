"""The imagined cloud answers as a real one does. What it is compared with was recorded in a sandbox; that it still is
so there, tests/integration/cloud sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import scenario
from cloudsim import identity, shapes
from cloudsim.cloud import Cloud
from cloudsim.probe import Probe

pytestmark = pytest.mark.unit

RUN = '7f3a1b2c-5d6e-4000-8000-000000000001'
RECORDED = Path(__file__).parent / 'sandbox-shapes.json'
CATALOG = {f'{host}.{identity.ZONE}': kind for kind, (host, _) in identity.ENDPOINTS.items()}


def test_asks_and_is_answered_as_in_the_sandbox(tmp_path: Path) -> None:
    cloud, real = Cloud(), json.loads(RECORDED.read_text())
    empty = cloud.store.everything()
    with cloud.open(tmp_path), shapes.recorded(CATALOG) as imagined:
        scenario.play('cloudsim', tmp_path, RUN, cloud.turns, Probe(cloud))
    assert shapes.differences(imagined, real) == []
    # what is refused for now depends on who is faster
    assert {name for name in imagined if int(name[-3:]) < 400} == {name for name in real if int(name[-3:]) < 400}
    assert cloud.store.everything() == empty


@pytest.mark.parametrize(
    ('real', 'imagined', 'words'),
    [
        ({}, {'a': 1}, '.a is not there'),
        ({'a': 1}, {'a': 'x'}, '.a is string, really number'),
        ({'a': [{'b': True}]}, {'a': [{'b': 1}]}, '.a[].b is number, really boolean'),
        ({'a': {'b': 1}}, {'a': []}, '.a is list, really object'),
    ],
)
def test_differences_are_seen(real: object, imagined: object, words: str) -> None:
    assert shapes.differences({'GET': sorted(shapes.shape(imagined))}, {'GET': sorted(shapes.shape(real))})[0].endswith(
        words
    )


def test_what_may_be_null_or_is_left_out_is_no_difference() -> None:
    real = {'GET': sorted(shapes.shape({'a': None, 'b': 1, 'metadata': {'x': 1}}))}
    assert shapes.differences({'GET': sorted(shapes.shape({'a': 'text', 'metadata': {'y': 2}}))}, real) == []
    assert shapes.differences({'POST': []}, real) == ['POST: a real cloud gave no such answer']
