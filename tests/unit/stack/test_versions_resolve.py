"""The newest usable triple of a minor, and why no newer one is usable."""

from __future__ import annotations

import urllib.error
from dataclasses import dataclass, field
from email.message import Message
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from scs_ci.core.errors import InfrastructureProblem, UsageProblem
from scs_ci.stack import resolve, resolved, webfiles
from scs_ci.stack.bucket import BUCKET, image_name, parse_checksum, parse_last
from scs_ci.stack.model import Index
from scs_ci.stack.resolve import RELEASES, REPOSITORY, Sources
from scs_ci.stack.versions import Kubernetes, parse_kubernetes
from scs_ci.stack.webfiles import Mirror, Network, parse_tags

pytestmark = pytest.mark.unit
MINOR = Kubernetes(1, 34)
CCM, CSI = 'openstack-cloud-controller-manager', 'openstack-cinder-csi'
CHARTS = {CCM: REPOSITORY, CSI: REPOSITORY}
OFFERED = {CCM: ('2.34.1', '2.34.2', '2.35.0'), CSI: ('2.34.0', '2.34.1', '2.34.3', '2.34.4-rc.1', '2.33.9')}
SUM = 'ab' * 32


@dataclass
class Files:
    """A bucket and its neighbours. texts: address -> text, or the Problem that its server answers with."""

    texts: dict[str, Any]
    tagged: frozenset[str] | None = frozenset()
    gone: set[str] = field(default_factory=set)

    def text(self, url: str) -> str | None:
        found = self.texts.get(url)
        if isinstance(found, Exception):
            raise found
        return found

    def exists(self, url: str) -> bool:
        return url not in self.gone

    def tags(self, repository: str) -> frozenset[str] | None:
        return self.tagged


def address(version: str, ubuntu: str = '2404') -> str:
    parsed = parse_kubernetes(version)
    assert parsed
    return BUCKET + image_name(parsed, ubuntu)


def files(*versions: str, last: str = '1.34.7', released: str = 'v1.34.7') -> Files:
    """A bucket with images of these versions."""
    texts: dict[str, Any] = {f'{address(v)}.CHECKSUM': f'{SUM}  ubuntu-2404-kube-v{v}.qcow2\n' for v in versions}
    texts[f'{BUCKET}last-1.34'] = f'2026-04-16 ubuntu-2404-kube-v1.34/ubuntu-2404-kube-v{last}.qcow2\n'
    texts[f'{RELEASES}stable-1.34.txt'] = released
    return Files(texts)


def sources(asked: Files, charts: dict[str, tuple[str, ...]] | None = None, age: float | None = 0.0) -> Sources:
    return Sources(asked, {REPOSITORY: Index(REPOSITORY, OFFERED if charts is None else charts, 'a file', age)})


def why(found: resolve.Resolution) -> dict[str, str]:
    return {refused.what: refused.why for refused in found.refused}


def test_the_newest_of_everything() -> None:
    found = resolve.resolve(MINOR, CHARTS, sources(files('1.34.6', '1.34.7')))

    assert found.usable
    assert found.image is not None
    assert (str(found.image.version), found.image.url, found.image.date) == ('v1.34.7', address('1.34.7'), '2026-04-16')
    assert (found.image.sha256, found.image.ubuntu) == (SUM, '2404')
    assert found.charts == {CCM: '2.34.2', CSI: '2.34.3'}
    assert why(found) == {f'{CSI} 2.34.4-rc.1': 'a pre-release'}
    assert found.notes == ()


def test_patches_without_a_published_image_are_explained() -> None:
    asked = files('1.34.7', '1.34.8', released='v1.34.9\n')

    found = resolve.resolve(MINOR, {}, sources(asked))

    assert str(found.image and found.image.version) == 'v1.34.7'
    assert (
        'there is no ubuntu-2404-kube-v1.34/ubuntu-2404-kube-v1.34.9.qcow2.CHECKSUM' in why(found)['Kubernetes v1.34.9']
    )
    assert (
        why(found)['Kubernetes v1.34.8']
        == 'last-1.34 still names v1.34.7: its node image is there, but not published yet'
    )


@pytest.mark.parametrize(
    ('text', 'gone', 'words'),
    [
        (None, False, 'there is no ubuntu-2404'),
        ('<html>404</html>', False, "is no SHA-256 checksum: '<html>404</html>'"),
        (f'{SUM[1:]}  x', False, 'is no SHA-256 checksum'),
        (f'{SUM}  x', True, 'and not the image'),
    ],
)
def test_what_last_names_and_cannot_be_used_leads_to_an_older_one(text: str | None, gone: bool, words: str) -> None:
    asked = files('1.34.5')
    asked.texts[f'{address("1.34.7")}.CHECKSUM'] = text
    asked.gone = {address('1.34.7')} if gone else set()

    found = resolve.resolve(MINOR, {}, sources(asked))

    assert words in why(found)['Kubernetes v1.34.7']
    assert found.image is not None
    assert (str(found.image.version), found.image.date) == ('v1.34.5', '')


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        (None, 'there is no last-1.34'),
        ('<html>', "last-1.34 names no image: '<html>'"),
        ('2026-04-16 ubuntu-2404-kube-v1.34-gardener/ubuntu-2404-kube-v1.34.7-gardener.qcow2', 'names no image'),
        ('2026-04-16 ubuntu-2404-kube-v1.33/ubuntu-2404-kube-v1.33.7.qcow2', 'names no image'),
    ],
)
def test_a_minor_without_images(text: str | None, words: str) -> None:
    asked = files('1.34.7')
    asked.texts[f'{BUCKET}last-1.34'] = text

    found = resolve.resolve(MINOR, CHARTS, sources(asked))

    assert not found.usable
    assert words in why(found)['Kubernetes v1.34']


def test_no_image_at_all_ends() -> None:
    found = resolve.resolve(MINOR, {}, sources(files(released='v1.34.2')))

    assert (found.usable, len(found.refused)) == (False, 8)


@pytest.mark.parametrize(
    'answer', [None, '<html>', 'v1.35.1', 'v1.34', InfrastructureProblem('x', 'y', 'HTTP 502', 'z')]
)
def test_a_silent_upstream_is_a_note(answer: Any) -> None:
    asked = files('1.34.7')
    asked.texts[f'{RELEASES}stable-1.34.txt'] = answer

    found = resolve.resolve(MINOR, {}, sources(asked))

    assert found.usable
    assert [note[:40] for note in found.notes] == ['the newest patch of upstream is not know']


def test_a_silent_bucket_is_a_problem_and_never_an_answer() -> None:
    asked = files('1.34.7')
    asked.texts[f'{address("1.34.7")}.CHECKSUM'] = InfrastructureProblem('cannot read', 'x', 'HTTP 500', 'y')

    with pytest.raises(InfrastructureProblem, match='HTTP 500'):
        resolve.resolve(MINOR, {}, sources(asked))


def test_a_chart_that_is_tagged_and_not_in_the_index_is_explained() -> None:
    asked = files('1.34.7')
    asked.tagged = frozenset({f'{CCM}-2.34.3', f'{CCM}-2.34.0', f'{CCM}-2.35.9', f'{CSI}-2.34.2', 'v1.34.1', '2.34.9'})

    found = resolve.resolve(MINOR, CHARTS, sources(asked))

    assert found.charts[CCM] == '2.34.2'
    assert [what for what in why(found) if 'rc' not in what] == [f'{CCM} 2.34.3']
    assert 'but not in the index of https://kubernetes.github.io' in why(found)[f'{CCM} 2.34.3']


@pytest.mark.parametrize(
    ('charts', 'words'),
    [
        ({CSI: ('2.34.3',)}, 'has no chart of that name'),
        ({CSI: ('2.34.3',), CCM: ('2.33.1', '2.36.0', 'x')}, 'offers none; its newest is 2.36.0'),
        ({CSI: ('2.34.3',), CCM: ()}, 'offers none; its newest is none'),
    ],
)
def test_a_chart_that_is_not_to_be_had(charts: dict[str, tuple[str, ...]], words: str) -> None:
    found = resolve.resolve(MINOR, CHARTS, sources(files('1.34.7'), charts))

    assert not found.usable
    assert words in why(found)[f'{CCM} 2.34.x']


def test_without_index_and_tags() -> None:
    asked = files('1.34.7')
    asked.tagged = None

    found = resolve.resolve(MINOR, CHARTS, Sources(asked, {}))

    assert 'is not to be had' in why(found)[f'{CCM} 2.34.x']
    assert any('tags' in note for note in found.notes)


def test_the_age_of_an_index_is_noted() -> None:
    assert any('12 days old' in note for note in resolve.resolve(MINOR, CHARTS, sources(files(), age=12.3)).notes)


def test_the_newest_minor_that_is_usable() -> None:
    found = resolve.newest(CHARTS, sources(files('1.34.7')))

    assert (found.minor, found.usable) == (MINOR, True)
    assert 'no node image' in why(found)['Kubernetes v1.35']
    assert not resolve.newest(CHARTS, sources(files(), {})).usable
    nothing = resolve.newest(CHARTS, sources(files()))
    assert (nothing.minor, nothing.usable) == (Kubernetes(1, 35), False)


def test_one_image_that_is_named_may_be_newer_than_the_last() -> None:
    asked = sources(files('1.34.8'))

    found = resolve.image_of(Kubernetes(1, 34, 8), asked)

    assert getattr(found, 'sha256', '') == SUM
    assert isinstance(resolve.image_of(Kubernetes(1, 34, 9), asked), resolve.Refused)
    assert resolve.image_of(Kubernetes(1, 32, 1), Sources(Files({f'{address("1.32.1", "2204")}.CHECKSUM': SUM}), {}))


def test_the_text_and_the_json() -> None:
    found = resolve.resolve(MINOR, CHARTS, sources(files('1.34.7', released='v1.34.8'), age=3))
    shown = [resolved.Resolved(found, 'providers/openstack/demo', 'v1.34.5')]

    text, (plain,) = resolved.text(shown), resolved.document(shown)['resolutions']
    assert text.splitlines()[0] == 'providers/openstack/demo: Kubernetes v1.34, declared is v1.34.5'
    assert '  not usable: Kubernetes v1.34.8: no node image' in text
    assert (plain['usable'], plain['kubernetes'], plain['charts'][CSI]) == (True, 'v1.34.7', '2.34.3')
    assert plain['image']['date'] == '2026-04-16'
    assert plain['not_usable'][0]['what'] == 'Kubernetes v1.34.8'
    nothing = [resolved.Resolved(resolve.resolve(Kubernetes(1, 37), CHARTS, sources(files())))]
    assert '  no usable versions of v1.37' in resolved.text(nothing)
    assert 'stack' not in resolved.document(nothing)['resolutions'][0]


def test_small_files_of_the_bucket() -> None:
    lines = '2026-01-01 ubuntu-2404-kube-v1.34/ubuntu-2404-kube-v1.34.6.qcow2\n\n'
    lines += '2026-02-01 ubuntu-2404-kube-v1.34/ubuntu-2404-kube-v1.34.10.qcow2\n'

    last = parse_last(lines, MINOR)

    assert last is not None
    assert (str(last.version), last.date) == ('v1.34.10', '2026-02-01')
    assert parse_checksum('') == parse_checksum('\n') == parse_checksum('A' * 64) == ''


class Answers:
    """Replaces urlopen: address -> bytes, HTTP code or exception."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known
        self.methods: list[str] = []

    def __call__(self, request: Any, timeout: float) -> BytesIO:
        self.methods.append(request.get_method())
        found = self.known[request.full_url]
        if isinstance(found, int):
            raise urllib.error.HTTPError(request.full_url, found, 'no', Message(), None)
        if isinstance(found, Exception):
            raise found
        return BytesIO(found)


def test_the_network_tells_absence_from_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    host = 'https://x.example/'
    known = {f'{host}a': b'text\xff', f'{host}b': 404, f'{host}c': 403, f'{host}d': 500, f'{host}e': OSError('refused')}
    answers = Answers(known)
    monkeypatch.setattr(webfiles.urllib.request, 'urlopen', answers)  # type: ignore[attr-defined]

    assert Network().text(f'{host}a') == 'text\ufffd'
    assert Network().text(f'{host}b') is None
    assert (Network().exists(f'{host}a'), Network().exists(f'{host}c')) == (True, False)
    assert answers.methods == ['GET', 'GET', 'HEAD', 'HEAD']
    for letter, words in (('d', 'HTTP 500'), ('e', 'refused')):
        with pytest.raises(InfrastructureProblem, match=words):
            Network().text(f'{host}{letter}')


def test_a_mirror_is_laid_out_like_the_network(tmp_path: Path) -> None:
    directory = tmp_path / 'x.example/a'
    directory.mkdir(parents=True)
    (directory / 'i.qcow2.CHECKSUM').write_text(SUM)
    (directory / 'tags').write_text('abc\trefs/tags/v1\nabc\trefs/tags/v1^{}\nv2\n')
    mirror = Mirror(tmp_path)

    assert (mirror.text('https://x.example/a/i.qcow2.CHECKSUM'), mirror.text('https://x.example/b/c')) == (SUM, None)
    assert (mirror.exists('https://x.example/a/i.qcow2'), mirror.exists('https://x.example/a/j')) == (True, False)
    assert mirror.tags('https://x.example/a') == {'v1', 'v2'}
    assert mirror.tags('https://x.example/b') is None
    with pytest.raises(UsageProblem, match='out of the mirror'):
        mirror.text('https://x.example/../../etc/passwd')
    with pytest.raises(UsageProblem, match='cannot read'):
        mirror.text('https://x.example/a')


def test_tags_as_git_prints_them() -> None:
    assert parse_tags('0a\trefs/tags/x-1.2.3\n0b\trefs/tags/y^{}\n\nerror: no such thing\n') == {'x-1.2.3', 'y'}


def test_nobody_is_asked_twice() -> None:
    asked = files('1.34.7')
    remembered = webfiles.Remembered(asked)

    first = (remembered.text(f'{BUCKET}last-1.34'), remembered.text('x'), remembered.exists('x'), remembered.tags('x'))
    asked.texts, asked.tagged, asked.gone = {}, None, {'x'}

    again = (remembered.text(f'{BUCKET}last-1.34'), remembered.text('x'), remembered.exists('x'), remembered.tags('x'))
    assert again == first
    assert first[1:] == (None, True, frozenset())
