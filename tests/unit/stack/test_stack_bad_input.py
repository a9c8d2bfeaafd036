"""Bad input: whatever lies in a checkout, a check says something sensible about it or raises a Problem.

The number of inputs is small here; HYPOTHESIS_EXAMPLES=10000 is the longer run that doc/stack.md names.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scs_ci.core.errors import Problem
from scs_ci.core.records import Severity
from scs_ci.stack import archive, baseline, discover, exceptions, matrix, overwrite
from scs_ci.stack.batch import _parts
from scs_ci.stack.check import all_rules, judge
from scs_ci.stack.discover import Place
from scs_ci.stack.helm import failed, split
from scs_ci.stack.model import LAYOUT_A, LAYOUT_B, LAYOUT_HISTORIC, build_model
from scs_ci.stack.origin import template_line
from scs_ci.stack.rule import BASE
from scs_ci.stack.sources import MOST_BYTES, read_file, read_tree
from scs_ci.stack.versions import parse_kubernetes
from scs_ci.stack.yamltext import Broken, parse, walk

pytestmark = pytest.mark.unit
EXAMPLES = int(os.environ.get('HYPOTHESIS_EXAMPLES', '60'))
BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
LAYOUTS = st.sampled_from([LAYOUT_A, LAYOUT_B, LAYOUT_HISTORIC])
# Text that looks like what the parsers expect, so that more than the first branch is reached.
WORDS = st.sampled_from(
    [
        'a',
        'name',
        'version',
        'v1.34.7',
        '1.30',
        '99999999999999999999.1',
        ':',
        ': ',
        '- ',
        '\n',
        '\n  ',
        '{',
        '}',
        '[',
        ']',
    ]
    + [
        '{{',
        '}}',
        '{{-',
        '-}}',
        '"',
        "'",
        '#',
        '# scs-ci: ignore[',
        '&x ',
        '*x',
        '<<: ',
        '|',
        '>',
        '---',
        '\t',
        '\0',
        '%',
        '!!int ',
        'é',
    ]
    + [
        'kubernetesVersion: ',
        'dependencies:\n',
        'addonStages:\n',
        'apiVersion: ',
        'images:\n',
        'url: ',
        'kube-v',
        '.Values.',
        'include ',
    ]
)
TEXTS = st.lists(WORDS, max_size=40).map(''.join)
CONTENTS = st.one_of(TEXTS.map(str.encode), st.binary(max_size=60), TEXTS.map(lambda t: t.encode()[: len(t) // 2]))


@BOUNDED
@given(TEXTS)
def test_yaml_is_parsed_or_broken(text: str) -> None:
    try:
        nodes = [node for document in parse(text) for node in walk(document.root)]
    except Broken as broken:
        lines = [broken.line]
    else:
        lines = [node.line for node in nodes]
        for node in nodes:
            node.plain()

    assert all(1 <= line <= text.count('\n') + 2 for line in lines)


@pytest.mark.parametrize('text', ['!!int ', '!!bool maybe', '!!float x', '!!timestamp no', '!!binary ü', '!own x'])
def test_a_tag_that_does_not_fit_is_a_text(text: str) -> None:
    (document,) = parse(f'a: {text}')

    assert document.root is not None
    assert document.root.plain() == {'a': text.partition(' ')[2]}


@BOUNDED
@given(st.dictionaries(st.sampled_from(list(BASE)), CONTENTS, max_size=5), LAYOUTS)
def test_every_rule_survives_every_file(changed: dict[str, bytes], layout: str) -> None:
    files = {**{path: text.encode() for path, text in BASE.items()}, **changed}

    found = judge(build_model('providers/openstack/demo', layout, files))

    crashed = [f.message for f in found.findings if 'crashed' in f.message]
    assert crashed == []
    assert all(f.line >= 1 and f.file and f.message for f in found.findings)


@BOUNDED
@given(
    st.dictionaries(
        st.sampled_from(
            ['values.yaml', 'README.md', 'image.yaml', 'versions.yaml', 'kubernetes.yaml', 'clusterstack.yaml']
        )
        | st.sampled_from(
            ['cluster-addon/cni/overwrite.yaml', 'cluster-addon/cni/Chart.lock', 'cluster-addon-values.yaml']
        )
        | st.sampled_from(
            ['cluster-class/values.yaml', 'cluster-class/values.schema.json', 'cluster-addon/cni/values.yaml']
        ),
        CONTENTS,
        max_size=4,
    )
)
def test_every_rule_survives_every_optional_file(more: dict[str, bytes]) -> None:
    stack = build_model('x', LAYOUT_A, {**{path: text.encode() for path, text in BASE.items()}, **more})

    assert [f.message for f in judge(stack).findings if 'crashed' in f.message] == []
    for chart in stack.charts:
        assert len(matrix.points(stack, chart)) <= matrix.MOST_POINTS


@BOUNDED
@given(st.binary(max_size=300) | TEXTS.map(lambda t: gzip.compress(t.encode())))
def test_an_archive_is_read_or_has_a_problem(content: bytes) -> None:
    found = archive.inspect('x.tgz', content)

    assert found.problem or found.name is not None


MEMBERS = st.lists(
    st.tuples(
        st.sampled_from(['c/Chart.yaml', '../c/Chart.yaml', '/etc/passwd', 'c/../../x', './c/Chart.yaml', 'c', 'c/l']),
        st.sampled_from(
            [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
        ),
        CONTENTS,
    ),
    max_size=5,
)


@BOUNDED
@given(MEMBERS)
def test_no_archive_leaves_its_directory(members: list[tuple[str, bytes, bytes]]) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w:gz') as opened:
        for name, kind, content in members:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, '/etc/passwd'
            entry.size = len(content) if kind == tarfile.REGTYPE else 0
            opened.addfile(entry, io.BytesIO(content))

    found = archive.inspect('x.tgz', buffer.getvalue())

    assert not any('..' in name.split('/') or name.startswith('/') for name in found.files)
    if any(name.startswith(('/', '..')) or '/../' in name for name, _, _ in members):
        assert 'leaves the archive' in found.problem


@BOUNDED
@given(TEXTS)
def test_small_parsers_take_any_text(text: str) -> None:
    parse_kubernetes(text)
    split(text)
    failed(text)
    overwrite.extract(text)
    overwrite.unresolved(text, {'Cluster': {}})
    template_line(text, text.split('\n'), 1)
    assert exceptions.MARK.search(text) is None or 'scs-ci' in text


@BOUNDED
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=4))
def test_documents_of_the_renderer_may_look_like_helms_own_comments(documents: list[tuple[str, str]]) -> None:
    parts = _parts([{'source': f'c/{s.strip() or "x"}', 'text': t, 'lines': [['c/x', 1]]} for s, t in documents])

    assert all(isinstance(part.text, str) for part in parts)


@BOUNDED
@given(content=CONTENTS)
def test_a_baseline_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / 'baseline.json'
    file.write_bytes(content)

    with contextlib.suppress(Problem):  # anything else is a failure
        assert baseline.read(file).total() >= 0


def stack_at(directory: Path) -> Path:
    for name, text in BASE.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory


def test_a_sparse_file_of_a_gibibyte_is_not_read(tmp_path: Path) -> None:
    stack = stack_at(tmp_path / 'demo')
    with (stack / 'huge.yaml').open('wb') as file:
        file.truncate(1 << 30)

    with pytest.raises(Problem, match=f'more than {MOST_BYTES >> 20} MiB'):
        read_tree(stack)


@pytest.mark.parametrize('target', ['.', 'loop', '/dev/zero', '/proc/self/mem', '../demo'])
def test_links_that_lead_nowhere_sensible(tmp_path: Path, target: str) -> None:
    stack = stack_at(tmp_path / 'demo')
    (stack / 'loop').symlink_to(target)

    with pytest.raises(Problem):
        discover.load(tmp_path, Place('demo', 'A'))


def test_a_pipe_does_not_hold_the_check(tmp_path: Path) -> None:
    stack = stack_at(tmp_path / 'demo')
    os.mkfifo(stack / 'pipe')

    with pytest.raises(Problem, match='neither a regular file'):
        read_tree(stack)


def test_a_file_that_waits_for_more_does_not_hold_the_check(tmp_path: Path) -> None:
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)

    assert read_file(pipe, 100) is None


def test_the_size_that_a_file_says_is_not_believed(tmp_path: Path) -> None:
    assert read_file(Path('/proc/self/maps'), 10) is None
    (tmp_path / 'small').write_bytes(b'x' * 10)
    assert read_file(tmp_path / 'small', 10) == b'x' * 10
    assert read_file(tmp_path / 'small', 9) is None


def test_a_shared_list_that_is_no_list_is_told(tmp_path: Path) -> None:
    stack = stack_at(tmp_path / 'demo' / '1-34')
    (stack / 'stack.yaml').write_text('provider: openstack\nclusterStackName: demo\nkubernetesVersion: 1.34\n')
    with (tmp_path / 'demo' / 'image-manager.yaml').open('wb') as file:
        file.truncate(1 << 30)

    with pytest.raises(Problem, match='more than 4 MiB'):
        discover.load(tmp_path, Place('demo/1-34', LAYOUT_B))


def test_archives_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, 'MOST_UNPACKED', 1 << 20)
    packed = archive.pack({'c/Chart.yaml': b'name: c\n', 'c/values.yaml': bytes(1 << 19)})

    found = archive.inspect_all({f'{n}.tgz': packed for n in range(4)})

    told = 'more than 1 MiB unpacked with the archives before it'
    assert [told in one.problem for one in found] == [False, True, True, True]


def test_the_files_of_a_stack_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('scs_ci.stack.yamlfile.MOST_NODES_OF_STACK', 100)
    files = {**{path: text.encode() for path, text in BASE.items()}, 'values.yaml': b'[' + b'a,' * 90 + b']'}

    stack = build_model('x', LAYOUT_A, {**files, 'more.yaml': files['values.yaml']})

    broken = [name for name, file in stack.yaml.items() if file.broken]
    assert broken
    assert sum(d.size for file in stack.yaml.values() for d in file.documents) <= 100


BOMB = 'a: &a [x, x, x, x, x, x, x, x, x]\n' + ''.join(
    f'b{i}: &b{i} [{", ".join(["*a" if not i else f"*b{i - 1}"] * 9)}]\n' for i in range(9)
)


@pytest.mark.parametrize(
    'text',
    [
        BOMB,
        '{' * 3000,
        '[' * 100_000,
        '- ' * 5000,
        'a: ' + '9' * 100_000,
        '"' + '\\x41' * 100_000 + '"',
        '\n' * 200_000,
        'x' * 4_500_000,
        'a: 1' + ':1' * 1_000_000,
        '<<: ' * 300 + '{a: b}',
        ''.join(f'a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n' if i else 'a0: &a0 {x: y}\n' for i in range(30)),
    ],
    ids=[
        *('bomb', 'maps', 'lists', 'dashes', 'number', 'escapes', 'lines', 'large', 'number to base 60', 'merges'),
        'merged twice',
    ],
)
@pytest.mark.parametrize('file', ['csctl.yaml', 'cluster-addon/cni/values.yaml'])
def test_bombs_are_findings(text: str, file: str) -> None:
    files = {**{path: content.encode() for path, content in BASE.items()}, file: text.encode()}

    found = judge(build_model('x', LAYOUT_A, files))

    assert [f.message for f in found.findings if 'crashed' in f.message] == []
    assert file != 'csctl.yaml' or any(f.severity is Severity.ERROR for f in found.findings)


def test_all_rules_are_looked_at() -> None:
    assert len(all_rules()) > 10
