"""The digest in Chart.lock is that of the dependencies: what helm looks at before it builds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from ...core.records import Severity
from ..model import Stack
from ..rule import Example, Hit, Rule
from ..yamltext import Map, Node
from .chart_lock import check as lock_hits

CHART = 'cluster-addon/cni/Chart.yaml'
LOCK = 'cluster-addon/cni/Chart.lock'
# The fields of a dependency in the order in which helm writes them, and which of them it writes when they are empty.
FIELDS = ('name', 'version', 'repository', 'condition', 'tags', 'enabled', 'import-values', 'alias')
ALWAYS = ('name', 'repository')


def check(stack: Stack) -> Iterable[Hit]:
    told = {hit.file for hit in lock_hits(stack)}
    for chart in stack.charts:
        file = stack.yaml.get(f'{chart.path}/Chart.lock')
        stated = file.root.get('digest') if file is not None and file.root is not None else None
        if file is None or stated is None or file.path in told or chart.meta.path in told:
            continue
        wanted = digest(_entries(chart.meta.root), _entries(file.root))
        if stated.text != wanted:
            message = (
                f'the digest is not that of the dependencies in {chart.meta.path}: helm dependency build refuses the '
                'lock as out of sync; run helm dependency update'
            )
            yield Hit(file.path, stated.line, message, seen=stated.text, wanted=wanted)


def digest(declared: Sequence[Any], locked: Sequence[Any]) -> str:
    """What `helm dependency update` writes for these entries of Chart.yaml and Chart.lock."""
    text = json.dumps([declared, locked], separators=(',', ':'), ensure_ascii=False, default=str)
    for character in '<>&':  # Go escapes them for the sake of HTML
        text = text.replace(character, f'\\u{ord(character):04x}')
    return f'sha256:{hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()}'


def _entries(root: Node | None) -> list[dict[str, Any]]:
    return [_entry(node) for node in (root.items('dependencies') if root is not None else ()) if isinstance(node, Map)]


def _entry(node: Map) -> dict[str, Any]:
    """Scalars as helm reads them: into texts, so that 1.30 stays what is written."""
    made: dict[str, Any] = {}
    for field in FIELDS:
        value = node.get(field)
        plain = value.text if value is not None and field not in ('tags', 'enabled', 'import-values') else None
        content = plain if plain is not None else value.plain() if value is not None else ''
        if content or field in ALWAYS:
            made[field] = content
    return made


def _chart(alias: str) -> str:
    return (
        'apiVersion: v2\nname: cni\nversion: v1\ndependencies:\n  - name: cilium\n    version: 1.18.9\n'
        f'    repository: https://helm.example/\n    alias: {alias}\n'
    )


def _lock(alias: str) -> str:
    locked = {'name': 'cilium', 'version': '1.18.9', 'repository': 'https://helm.example/'}
    return (
        'dependencies:\n- name: cilium\n  repository: https://helm.example/\n  version: 1.18.9\n'
        f'digest: {digest([{**locked, "alias": alias}], [locked])}\n'
    )


RULE = Rule(
    id='chart-digest',
    severity=Severity.ERROR,
    title='the digest of Chart.lock is that of the dependencies',
    motivation=(
        'An alias or a range that is changed by hand leaves the locked versions as they are, and nothing looks wrong '
        'until somebody builds the dependencies: helm then ends with "the lock file is out of sync".'
    ),
    check=check,
    bad=(
        Example({CHART: _chart('network'), LOCK: _lock('cni')}, hits=((LOCK, 5),)),
        Example({CHART: _chart('cni'), LOCK: _lock('cni').replace('digest: sha256:', 'digest: ')}, hits=((LOCK, 5),)),
    ),
    good=(Example(), Example({CHART: _chart('cni'), LOCK: _lock('cni')})),
)
