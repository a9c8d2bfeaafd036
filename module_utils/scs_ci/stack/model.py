"""The parsed model of one cluster stack: pure data from its files. Rules read this and nothing else.

Paths of files are relative to the stack directory; shared files beside it (layout B) start with `../`.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from .answers import Answers
from .archive import Archive, inspect_all
from .declared import declared
from .layouts import ADDON_CONFIG as ADDON_CONFIG
from .layouts import ADDON_DIR as ADDON_DIR
from .layouts import CLASS_DIR as CLASS_DIR
from .layouts import LAYOUT_A as LAYOUT_A
from .layouts import LAYOUT_B as LAYOUT_B
from .layouts import LAYOUT_HISTORIC as LAYOUT_HISTORIC
from .layouts import TOOL_CONFIG as TOOL_CONFIG
from .versions import Identity, Kubernetes, parse_kubernetes
from .yamlfile import Stated as Stated
from .yamlfile import YamlFile as YamlFile
from .yamlfile import scalars as scalars
from .yamlfile import stated as stated
from .yamlfile import yaml_file as yaml_file
from .yamlfile import yaml_files as yaml_files
from .yamltext import List, Map

P = ParamSpec('P')
T = TypeVar('T')
PACKED = re.compile(r'/charts/[^/]*\.tgz$')


@dataclass(frozen=True)
class Dependency:
    """An entry of `dependencies` in Chart.yaml or Chart.lock. version_line: of its version, or of the entry without."""

    name: str
    version: str
    repository: str
    alias: str
    line: int
    version_line: int = 1
    condition: str = ''


@dataclass(frozen=True)
class Chart:
    """A directory with a helm chart. path: below the stack; lock: None when there is no Chart.lock.

    values: values.yaml; schema: values.schema.json; None when there is no such file.
    """

    path: str
    meta: YamlFile
    dependencies: tuple[Dependency, ...]
    lock: tuple[Dependency, ...] | None
    archives: tuple[Archive, ...]

    values: YamlFile | None = None
    schema: YamlFile | None = None

    @property
    def name(self) -> Stated:
        return stated(self.meta, 'name')

    @property
    def directory(self) -> str:
        return self.path.rsplit('/', 1)[-1]


@dataclass(frozen=True)
class Stage:
    """A stage named in clusteraddon.yaml."""

    hook: str
    name: str
    action: str
    line: int


@dataclass(frozen=True)
class Rendered:
    """What helm printed for one template. template: path below the chart's directory.

    lines: for each line of the text the template, also below the chart, and its line that printed it; ('', 0) or no
    entry at all where that is not known.
    """

    template: str
    text: str
    lines: tuple[tuple[str, int], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Rendering:
    """A chart rendered as the Cluster Stack Operator does it, or why that failed.

    file, line: of the template in the stack's source that made helm fail, as far as helm said it.
    unavailable: why it could not be tried, which is no defect of the stack; offline: that was the caller's wish.
    point: what differs from a rendering with nothing set, e.g. 'values: oidc.enabled=true'; '' for that rendering.
    guess: a value of the point is made up, so that a template may rightly refuse it. values: what overwrite.yaml gave.
    fetched: the charts that did not lie in the stack.
    """

    chart: str
    parts: tuple[Rendered, ...] = ()
    error: str = ''
    file: str = ''
    line: int = 1
    unavailable: str = ''
    offline: bool = False
    point: str = ''
    guess: bool = False
    values: str = field(default='', repr=False)
    fetched: tuple[Archive, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Index:
    """What a chart repository offers. charts: name -> versions; source: where this was read; age: in days, if known."""

    repository: str
    charts: Mapping[str, tuple[str, ...]]
    source: str
    age: float | None = None


@dataclass(frozen=True)
class Facts:
    """What rules must know of the world outside of the stack; everything unknown is absent, and rules then say nothing.

    today: the date to judge ends of life by. indexes: repository as written in Chart.yaml -> its index. untracked:
    files of the stack that Git does not know.
    """

    today: datetime.date | None = None
    indexes: Mapping[str, Index] = field(default_factory=dict)
    untracked: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Stack:
    """One cluster stack at one Kubernetes version.

    path: relative to the checkout. directory: the last components of the path, for stacks that state no name.
    provider, name, kubernetes: what the tool's configuration declares. addon_layout: 'stages' or 'single' (older).
    renderings: each chart as it comes; variants: charts again at the other points of the matrix, see `Rendering.point`.
    granted: addon charts again where the cluster has every API that they ask for, if that may matter.
    before: the release to compare with, None without one. shared: files beside the stack that reach it, `../<name>`;
    they are no part of its hash. unreadable: why there are no files.
    asked: gives what Cluster API's own code says, see `answers`.
    """

    path: str
    layout: str
    files: Mapping[str, bytes] = field(repr=False)
    yaml: Mapping[str, YamlFile] = field(repr=False)
    provider: Stated
    name: Stated
    kubernetes: Stated
    class_chart: Chart | None
    addon_charts: tuple[Chart, ...]
    stages: tuple[Stage, ...]
    addon_layout: str
    renderings: tuple[Rendering, ...] = field(default=(), repr=False)
    variants: tuple[Rendering, ...] = field(default=(), repr=False)
    granted: tuple[Rendering, ...] = field(default=(), repr=False)
    facts: Facts = field(default_factory=Facts, repr=False)
    before: Stack | None = field(default=None, repr=False)
    shared: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    unreadable: str = ''
    asked: Callable[[], Answers] = field(default=Answers, repr=False)

    @cached_property
    def made(self) -> dict[Any, Any]:
        """What was made of this stack already, see `once`."""
        return {}

    @property
    def answers(self) -> Answers:
        """What Cluster API's own code says; where it is still being asked, this waits for it."""
        return self.asked()

    @property
    def version(self) -> Kubernetes | None:
        """The declared Kubernetes version, None when it cannot be read."""
        return parse_kubernetes(self.kubernetes.text)

    @property
    def identity(self) -> Identity | None:
        """What names the releases, None when the declaration is incomplete."""
        version = self.version
        if version is None or not self.provider.text or not self.name.text:
            return None
        return Identity(self.provider.text, self.name.text, version)

    @property
    def charts(self) -> tuple[Chart, ...]:
        return ((self.class_chart,) if self.class_chart else ()) + self.addon_charts

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Names of all stages, each once, in order."""
        return tuple(dict.fromkeys(stage.name for stage in self.stages))

    def text(self, path: str) -> str:
        """Text of a file, '' when it is absent."""
        return (self.files.get(path) or self.shared.get(path, b'')).decode('utf-8', 'replace')


def once(
    function: Callable[Concatenate[Stack, P], Iterable[T]],
) -> Callable[Concatenate[Stack, P], tuple[T, ...]]:
    """The function, which makes its result of a stack once: most rules ask for the same objects of the same stack."""

    @wraps(function)
    def kept(stack: Stack, /, *args: P.args, **kwargs: P.kwargs) -> tuple[T, ...]:
        key = (function, args, tuple(kwargs.items()))
        if key not in stack.made:
            stack.made[key] = tuple(function(stack, *args, **kwargs))
        found: tuple[T, ...] = stack.made[key]
        return found

    return kept


def build_model(
    path: str,
    layout: str,
    files: Mapping[str, bytes],
    renderings: tuple[Rendering, ...] = (),
    shared: Mapping[str, bytes] | None = None,
) -> Stack:
    """The model of the stack at `path` from its files. Pure; broken files become part of the model, not exceptions."""
    everything = {**files, **(shared or {})}
    parsed = yaml_files({name: content for name, content in everything.items() if _is_yaml(name)})
    packed = inspect_all({name: content for name, content in files.items() if PACKED.search(name)})
    says = declared(layout, parsed)
    stages_used = ADDON_CONFIG in files
    return Stack(
        path=path,
        layout=layout,
        files=files,
        yaml=parsed,
        provider=says.provider,
        name=says.name,
        kubernetes=says.kubernetes,
        class_chart=_chart(CLASS_DIR, parsed, packed),
        addon_charts=_addon_charts(files, parsed, packed, stages_used),
        stages=_stages(parsed.get(ADDON_CONFIG)),
        addon_layout='stages' if stages_used else 'single',
        renderings=renderings,
        shared=shared or {},
    )


def _is_yaml(name: str) -> bool:
    """Templates are not YAML before helm has seen them, nor are overwrite files; Chart.lock is."""
    parts = name.split('/')
    if 'templates' in parts or parts[-1] == 'overwrite.yaml' or name == 'cluster-addon-values.yaml':
        return False
    return parts[-1] in ('Chart.lock', 'values.schema.json') or name.endswith(('.yaml', '.yml'))


def _addon_charts(
    files: Mapping[str, bytes], parsed: Mapping[str, YamlFile], packed: Sequence[Archive], stages_used: bool
) -> tuple[Chart, ...]:
    if not stages_used:
        single = _chart(ADDON_DIR, parsed, packed)
        return (single,) if single else ()
    names = {p[1] for p in (path.split('/') for path in files) if len(p) > 2 and p[0] == ADDON_DIR}
    charts = (_chart(f'{ADDON_DIR}/{name}', parsed, packed) for name in sorted(names))
    return tuple(chart for chart in charts if chart)


def _chart(path: str, parsed: Mapping[str, YamlFile], packed: Sequence[Archive]) -> Chart | None:
    meta = parsed.get(f'{path}/Chart.yaml')
    if meta is None:
        return None
    lock = parsed.get(f'{path}/Chart.lock')
    return Chart(
        path=path,
        meta=meta,
        dependencies=_dependencies(meta),
        lock=_dependencies(lock) if lock else None,
        archives=tuple(archive for archive in packed if archive.path.rpartition('/')[0] == f'{path}/charts'),
        values=parsed.get(f'{path}/values.yaml'),
        schema=parsed.get(f'{path}/values.schema.json'),
    )


def _dependencies(file: YamlFile) -> tuple[Dependency, ...]:
    entries = file.root.items('dependencies') if file.root is not None else ()
    return tuple(
        Dependency(
            name=entry.value('name'),
            version=entry.value('version'),
            repository=entry.value('repository'),
            alias=entry.value('alias'),
            line=entry.line,
            version_line=(entry.get('version') or entry).line,
            condition=entry.value('condition'),
        )
        for entry in entries
    )


def _stages(file: YamlFile | None) -> tuple[Stage, ...]:
    hooks = file.root.get('addonStages') if file and file.root is not None else None
    if not isinstance(hooks, Map):
        return ()
    return tuple(
        Stage(hook.content, entry.value('name'), entry.value('action'), entry.line)
        for hook, entries in hooks.entries
        if isinstance(entries, List)
        for entry in entries.nodes
        if isinstance(entry, Map)
    )
