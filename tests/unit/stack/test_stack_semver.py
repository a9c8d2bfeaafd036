"""Ranges of helm dependencies mean what helm's own library takes them for."""

from __future__ import annotations

import pytest

from scs_ci.stack.semver import is_exact, parse_version, satisfies

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ('version', 'wanted', 'fits'),
    [
        ('1.15.8', '1.15.8', True),
        ('v1.15.8', '1.15.8', True),
        ('1.15.8', '1.15.7', False),
        ('2.34.3', '2.34.x', True),
        ('2.35.0', '2.34.x', False),
        ('2.35.0', '2.34', False),
        ('2.34.9', '~2.34.3', True),
        ('2.35.0', '~2.34.3', False),
        ('2.34.9', '^2.1', True),
        ('3.0.0', '^2.1', False),
        ('0.3.0', '^0.2.1', False),
        ('0.2.9', '^0.2.1', True),
        ('1.5.0', '>=1.2.0 <2.0.0', True),
        ('1.5.0', '>=1.2.0, <1.5.0', False),
        ('1.5.0', '<1.0.0 || >=1.4', True),
        ('1.5.0', '1.2 - 1.6', True),
        ('1.5.0-rc.1', '>=1.2.0', False),
        ('1.5.0-rc.1', '>=1.2.0-0', True),
        ('1.5.0', '*', True),
        ('1.5.0', 'newest', None),
        ('newest', '*', None),
    ],
)
def test_ranges(version: str, wanted: str, fits: bool | None) -> None:
    assert satisfies(version, wanted) is fits


def test_order() -> None:
    texts = ['1.2.0-alpha', '1.2.0-alpha.2', '1.2.0-alpha.10', '1.2.0', '1.10.0']
    versions = [parse_version(text) for text in texts]

    assert versions == sorted(v for v in reversed(versions) if v)
    assert not is_exact('2.34.x')
    assert is_exact('v2.34.1')
