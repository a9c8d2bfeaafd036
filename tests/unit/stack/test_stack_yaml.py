"""YAML with positions, template origins, archives: what findings stand on."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scs_ci.stack import archive, yamltext
from scs_ci.stack.origin import template_line
from scs_ci.stack.yamltext import Broken, parse

pytestmark = pytest.mark.unit


def test_scalars_keep_their_text_and_place() -> None:
    root = parse('a: 1\nversion: 1.30\nlist:\n  - x: "y"\n')[0].root

    assert root is not None
    assert root.value('version') == '1.30'
    node = root.get('version')
    assert node is not None
    assert (node.line, node.column) == (2, 10)
    assert root.items('list')[0].value('x') == 'y'
    assert root.plain() == {'a': 1, 'version': 1.3, 'list': [{'x': 'y'}]}


def test_duplicate_keys_are_found_in_nested_mappings() -> None:
    document = parse('a:\n  b: 1\n  c: 2\n  b: 3\n')[0]

    assert document.duplicates == (yamltext.Duplicate('b', 4, 2),)


def test_a_merged_key_is_no_duplicate_and_loses() -> None:
    document = parse('base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  a: 3\n')[0]

    assert document.duplicates == ()
    assert document.root is not None
    assert document.root.value('other', 'a') == '3'
    assert document.root.value('other', 'b') == '2'


@pytest.mark.parametrize(
    'text',
    [
        'a: [1',
        '\t- a',
        'a: \x07',
        '[' * 100_000,
        '- ' * 10_000 + 'a',
        'a: &a ['
        + ','.join(['x'] * 9)
        + ']\n'
        + ''.join(f'{chr(98 + i)}: &{chr(98 + i)} [' + ','.join([f'*{chr(97 + i)}'] * 9) + ']\n' for i in range(8)),
        '? [a]\n: b\n',
    ],
    ids=['open', 'tab', 'control', 'deep flow', 'deep block', 'bomb', 'list as key'],
)
def test_unusable_yaml_is_told_with_a_line(text: str) -> None:
    with pytest.raises(Broken) as caught:
        parse(text)

    assert caught.value.line >= 1


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet=st.characters(codec='utf-8'), max_size=200)
    | st.text(alphabet='ab:-[]{}&*!|>\'"\n #%@`,?0.', max_size=60)
)
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        documents = parse(text)
    except Broken as broken:
        line = broken.line
    else:
        line = 1 + sum(1 for document in documents for _ in yamltext.walk(document.root))

    assert line >= 1


def test_the_template_line_of_a_printed_line() -> None:
    template = 'a: 1\n{{- range .x }}\n- name: {{ . }}\n  kind: A\n{{- end }}\nb: 2\nname: last\n'
    printed = ['a: 1', '- name: one', '  kind: A', '- name: two', '  kind: A', 'b: 2', 'name: last']

    assert [template_line(template, printed, n) for n in range(1, 8)] == [1, 3, 4, 3, 4, 6, 7]


def test_a_line_from_a_helper_points_to_where_it_was_included() -> None:
    template = 'kind: A\nmetadata:\n  {{- include "labels" . | nindent 2 }}\nspec: {}\n'

    assert template_line(template, ['kind: A', 'metadata:', '  app: x', 'spec: {}'], 3) == 2


def test_equal_files_give_equal_archives() -> None:
    files = {'b/c.yaml': b'x', 'a': b''}

    packed = archive.pack(files, directories=True)

    assert packed == archive.pack(dict(reversed(files.items())), directories=True)
    assert archive.unpack(packed) == files
    with tarfile.open(fileobj=io.BytesIO(packed)) as opened:
        assert [(m.name, m.mtime, m.uid, oct(m.mode)) for m in opened] == [
            ('a', 0, 0, '0o644'),
            ('b', 0, 0, '0o755'),
            ('b/c.yaml', 0, 0, '0o644'),
        ]


def _tar(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w:gz') as opened:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        opened.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ('content', 'problem'),
    [
        (b'nothing', 'not a chart archive'),
        (_tar('cni/Chart.yaml', b'a: [1')[:40], 'not a chart archive'),
        (_tar('../cni/Chart.yaml', b''), 'leaves the archive'),
        (_tar('cni/values.yaml', b''), '0 files <chart>/Chart.yaml'),
        (_tar('cni/Chart.yaml', b'a: [1'), 'not a chart archive'),
        (gzip.compress(b'\0' * (archive.MOST_UNPACKED + 10)), 'more than 64 MiB unpacked'),
    ],
    ids=('no-archive', 'cut-off', 'outside', 'no-chart', 'bad-yaml', 'too-large'),
)
def test_a_bad_archive_is_a_problem_of_the_archive(content: bytes, problem: str) -> None:
    assert problem in archive.inspect('x.tgz', content).problem


def test_a_good_archive_has_name_and_version() -> None:
    content = archive.pack({'cni/Chart.yaml': b'name: cni\nversion: 1.30\n'})

    assert archive.inspect('x.tgz', content) == archive.Archive('x.tgz', 'cni', '1.30')
