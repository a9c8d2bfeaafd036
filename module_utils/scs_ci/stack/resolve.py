"""The newest usable triple of Kubernetes patch, chart versions and node image of a minor, and why no newer one is.

A Kubernetes patch is usable when its node image is in the bucket, with a checksum, and published: `last-<minor>` names
it or a later one. A chart version is usable when the index of its repository offers it; a tag of its source is not
enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ..core.errors import Problem
from .bucket import BUCKET, Image, Last, image_name, last_name, parse_checksum, parse_last, ubuntu_release
from .model import Index
from .semver import Version, parse_version
from .table import TIED
from .versions import Kubernetes, parse_kubernetes
from .webfiles import WebFiles

# What upstream calls the newest patch of a minor: `stable-1.34.txt`.
RELEASES = 'https://dl.k8s.io/release/'
# Where the tied charts come from: the repository that offers them, and the sources whose tags are `<chart>-<version>`.
REPOSITORY = 'https://kubernetes.github.io/cloud-provider-openstack'
SOURCES = 'https://github.com/kubernetes/cloud-provider-openstack'
TIED_MAJOR = 2
# Of a file that is not what it should be: enough to see that it is an error page.
SHOWN = 60


@dataclass(frozen=True)
class Refused:
    """Something newer, or needed, that cannot be used. what: e.g. 'Kubernetes v1.34.9'."""

    what: str
    why: str


@dataclass(frozen=True)
class Resolution:
    """The triple of a minor. image: also says the Kubernetes patch, None when there is none; charts: name -> version.

    wanted: names of the charts that a triple needs. notes: what could not be asked.
    """

    minor: Kubernetes
    image: Image | None
    charts: Mapping[str, str]
    wanted: tuple[str, ...]
    refused: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def usable(self) -> bool:
        return self.image is not None and all(name in self.charts for name in self.wanted)


@dataclass(frozen=True)
class Sources:
    """Whom to ask. indexes: repository as it was asked for -> its index; bucket: address with a slash at the end."""

    files: WebFiles
    indexes: Mapping[str, Index]
    bucket: str = BUCKET


def resolve(minor: Kubernetes, charts: Mapping[str, str], sources: Sources) -> Resolution:
    """The triple of a minor. charts: name of each tied chart -> its repository.

    A Problem when the bucket does not answer. Whoever is asked for explanations only and is silent becomes a note.
    """
    image, refused, notes = find_image(minor, sources)
    tags, more = _tags(sources.files) if charts else (None, [])
    found: dict[str, str] = {}
    for name, repository in sorted(charts.items()):
        index = sources.indexes.get(repository)
        version, why = find_chart(name, repository, minor, index, tags)
        refused += why
        if version:
            found[name] = version
        if index and index.age is not None and index.age >= 1:
            more.append(f'the index of {repository} ({index.source}) is {index.age:.0f} days old')
    return Resolution(minor, image, found, tuple(sorted(charts)), tuple(refused), tuple(dict.fromkeys(notes + more)))


def newest(charts: Mapping[str, str], sources: Sources) -> Resolution:
    """The triple of the newest minor that has one; the minors above are told as refused."""
    minors = _minors(charts, sources.indexes)
    refused: list[Refused] = []
    last = None
    for minor in minors:
        last = resolve(minor, charts, sources)
        if last.usable:
            return Resolution(minor, last.image, last.charts, last.wanted, (*refused, *last.refused), last.notes)
        refused += last.refused
    if last is None:
        none = Refused('any minor', 'no index offers a chart that is tied to one')
        return Resolution(Kubernetes(1, 0), None, {}, tuple(sorted(charts)), (none,))
    return Resolution(minors[0], None, {}, last.wanted, tuple(refused), last.notes)


def _minors(charts: Mapping[str, str], indexes: Mapping[str, Index]) -> list[Kubernetes]:
    """Minors that a chart is made for, newest first."""
    offered = [v for name, where in charts.items() for v in _offered(indexes.get(where), name)]
    numbers = {v.numbers[1] for v in offered if v.numbers[0] == TIED_MAJOR and not v.pre}
    return [Kubernetes(1, number) for number in sorted(numbers, reverse=True)]


def find_image(minor: Kubernetes, sources: Sources) -> tuple[Image | None, list[Refused], list[str]]:
    """The newest published node image of a minor, why there is no newer one, and what could not be asked."""
    notes: list[str] = []
    released = _released(minor, sources.files, notes.append)
    name = last_name(minor)
    text = sources.files.text(sources.bucket + name)
    last = parse_last(text, minor) if text is not None else None
    if last is None:
        answer = f'{name} names no image: {text.strip()[:SHOWN]!r}' if text is not None else f'there is no {name}'
        return None, [Refused(f'Kubernetes {minor}', f'no node image: {answer} in {sources.bucket}')], notes
    top = max([last.version, *([released] if released else [])], key=lambda version: version.order)
    refused: list[Refused] = []
    for patch in range(top.patch or 0, -1, -1):
        found = _image(Kubernetes(minor.major, minor.minor, patch), last, sources)
        if isinstance(found, Image):
            return found, refused, notes
        refused.append(found)
    return None, refused, notes


def _image(version: Kubernetes, last: Last, sources: Sources) -> Image | Refused:
    ubuntu = last.ubuntu if version == last.version else ubuntu_release(version)
    name = image_name(version, ubuntu)
    text = sources.files.text(f'{sources.bucket}{name}.CHECKSUM')
    if text is None:
        why = f'no node image: there is no {name}.CHECKSUM in the bucket'
    elif not parse_checksum(text):
        why = f'{name}.CHECKSUM in the bucket is no SHA-256 checksum: {text.strip()[:SHOWN]!r}'
    elif not sources.files.exists(sources.bucket + name):
        why = f'no node image: the bucket has {name}.CHECKSUM and not the image'
    elif version.order > last.version.order:
        why = f'{last_name(version)} still names {last.version}: its node image is there, but not published yet'
    else:
        date = last.date if version == last.version else ''
        return Image(version, sources.bucket + name, parse_checksum(text), ubuntu, date)
    return Refused(f'Kubernetes {version}', why)


def image_of(version: Kubernetes, sources: Sources) -> Image | Refused:
    """The node image of one patch, published or not; for who names the version."""
    text = sources.files.text(sources.bucket + last_name(version))
    last = parse_last(text, version) if text is not None else None
    known = last if last and last.version.order >= version.order else Last(version, ubuntu_release(version), '')
    return _image(version, known, sources)


def _released(minor: Kubernetes, files: WebFiles, note: Callable[[str], None]) -> Kubernetes | None:
    """The newest patch that upstream released; without an answer newer ones than in the bucket are not known."""
    url = f'{RELEASES}stable-{minor.dotted_minor}.txt'
    try:
        text = files.text(url)
    except Problem as problem:
        note(f'the newest patch of upstream is not known: {problem.answer} ({url})')
        return None
    version = parse_kubernetes(text) if text is not None else None
    if version is None or version.patch is None or version.dotted_minor != minor.dotted_minor:
        note(f'the newest patch of upstream is not known: {url} does not say it')
        return None
    return version


def _tags(files: WebFiles) -> tuple[frozenset[str] | None, list[str]]:
    tags = files.tags(SOURCES)
    return tags, [] if tags is not None else [
        f'the tags of {SOURCES} are not known: charts that lack in the index, too'
    ]


def find_chart(
    name: str, repository: str, minor: Kubernetes, index: Index | None, tags: frozenset[str] | None
) -> tuple[str, list[Refused]]:
    """The newest version of a tied chart for the minor, '' for none, and why no newer one is usable."""
    wanted = f'{name} {TIED_MAJOR}.{minor.minor}.x'
    if index is None:
        return '', [Refused(wanted, f'the index of {repository} is not to be had')]
    if name not in index.charts:
        return '', [Refused(wanted, f'{repository} has no chart of that name')]
    fitting = {v: text for text in index.charts[name] if (v := _fits(text, minor)) is not None}
    best = max((v for v in fitting if not v.pre), default=None)
    tagged = {
        v: text for tag in tags or () if (v := _fits(text := tag.removeprefix(f'{name}-'), minor)) and tag != text
    }
    refused = [
        Refused(f'{name} {text}', f'tagged {name}-{text} in {SOURCES}, but not in the index of {repository}')
        for v, text in _newer(tagged, best)
        if v not in fitting
    ]
    refused += [Refused(f'{name} {text}', 'a pre-release') for v, text in _newer(fitting, best) if v.pre]
    if best is None:
        top = max((v for v in _offered(index, name) if not v.pre), default=None)
        newest_one = '.'.join(map(str, top.numbers)) if top else 'none'
        return '', [*refused, Refused(wanted, f'the index of {repository} offers none; its newest is {newest_one}')]
    return fitting[best], refused


def _newer(versions: Mapping[Version, str], best: Version | None) -> list[tuple[Version, str]]:
    return sorted(((v, text) for v, text in versions.items() if best is None or v > best), reverse=True)


def _fits(text: str, minor: Kubernetes) -> Version | None:
    """The version, when it is a chart's for this minor."""
    version = parse_version(text) if text.count('.') >= 2 else None
    return version if version and version.numbers[:2] == (TIED_MAJOR, minor.minor) else None


def _offered(index: Index | None, name: str) -> Iterable[Version]:
    texts = index.charts.get(name, ()) if index else ()
    return [version for text in texts if (version := parse_version(text))]


def tied(dependencies: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Of (name, repository) the charts that are tied to a minor."""
    return {name: repository for name, repository in dependencies if name in TIED}
