"""Bad input of `scs-ci versions`: whatever a stack or a bucket holds, there is a result or a Problem, nothing else.

The number of inputs is small here; HYPOTHESIS_EXAMPLES=10000 is the longer run.
"""

from __future__ import annotations

import contextlib
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from versions_data import CCM, CSI, FILES, image, stack

from scs_ci.core.errors import Problem
from scs_ci.stack import generate
from scs_ci.stack.bucket import Image, parse_checksum, parse_last
from scs_ci.stack.model import Dependency
from scs_ci.stack.rewrite import Target, range_like
from scs_ci.stack.update import after, updated, verify
from scs_ci.stack.versions import Kubernetes
from scs_ci.stack.webfiles import parse_tags

pytestmark = pytest.mark.unit
BOUNDED = settings(
    max_examples=int(os.environ.get('HYPOTHESIS_EXAMPLES', '60')),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
NAMES = st.sampled_from([*(name for name in FILES if name != 'clusteraddon.yaml'), 'cluster-addon/ccm/Chart.lock'])
# What breaks lines and quotes in ways that YAML knows and editors do not, and pieces of what is looked for.
PIECES = st.sampled_from(
    [
        '\r',
        '\x85',
        '\u2028',
        '\ufeff',
        '"',
        "'",
        '*x',
        '&x ',
        '!!str ',
        '- ',
        '{',
        ']',
        '#',
        '\n',
        '\n\n  ',
        '\\x2e',
        '```',
    ]
    + [
        'v1.34.7',
        '1-34',
        'ubuntu-2404-kube-v1.34.7.qcow2',
        'ab' * 32,
        'openstack-demo-1-34-',
        '{{',
        '}}',
        '> |',
        '\x00',
        '\ud7ff',
    ]
)


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[str, str]:
    """A file of the stack with pieces put in and cut out."""
    name = draw(NAMES)
    text = FILES.get(name, f'dependencies:\n- name: {CCM}\n  version: 2.34.1\ndigest: sha256:0\n')
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 12))
        text = text[:start] + draw(PIECES | st.text(max_size=6)) + text[start + length :]
    return name, text


def archive(entry: Dependency) -> bytes:
    return b'no archive'


@BOUNDED
@given(spoiled())
def test_a_spoiled_stack_is_rewritten_wholly_or_not_at_all(file: tuple[str, str]) -> None:
    name, text = file
    with contextlib.suppress(UnicodeEncodeError):  # what cannot be written to a file is in none
        before = stack({name: text})
        wanted = Target(Kubernetes(1, 35, 4), {CCM: '2.35.0', CSI: '2.35.1'}, image('v1.35.4'))
        with contextlib.suppress(Problem):
            verify(after(before, updated(before, wanted, archive).files), wanted)


@BOUNDED
@given(spoiled())
def test_a_spoiled_stack_is_generated_wholly_or_not_at_all(file: tuple[str, str]) -> None:
    name, text = file

    def find(version: Kubernetes) -> Image:
        return image(str(version))

    with contextlib.suppress(UnicodeEncodeError):
        before = stack({name: text})
        with contextlib.suppress(Problem):
            made = generate.generate(before, generate.entries(before, []), find, archive)
            assert all('versions.yaml' not in files for files in made.values())


@BOUNDED
@given(
    st.text()
    | st.builds(lambda a, b: f'2026-01-01 ubuntu-2404-kube-v1.34{a}/ubuntu-2404-kube-v1.34.7{b}', st.text(), st.text())
)
def test_small_files_hold_an_answer_or_none(text: str) -> None:
    last = parse_last(text, Kubernetes(1, 34))
    assert last is None or last.version.minor == 34
    assert len(parse_checksum(text)) in (0, 64)
    assert all(isinstance(tag, str) and tag for tag in parse_tags(text))
    assert range_like(text, '2.35.0')
