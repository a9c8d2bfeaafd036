"""Put the providers' objects into an API server: namespaces, definitions, webhook configurations, extensions."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .kube import Api
from .layout import digest

CRD_PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
# Digest of the manifest a CRD was written from: writing 51 unchanged ones again costs 4 to 6 seconds.
MARK = 'scs-ci/manifest'
ONLY_METADATA = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'
WORKERS = 8  # more do not help: the API server is the slower side


def apply_all(api: Api, objects: Iterable[Mapping[str, Any]]) -> None:
    """Server-side apply of all objects, several at a time; the first refusal is raised."""
    _in_parallel(api.apply, objects)


def namespaces(api: Api, names: Iterable[str]) -> None:
    apply_all(api, [{'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': name}} for name in names])


def install_definitions(api: Api, crds: list[dict[str, Any]]) -> int:
    """Create or update the CRDs (marked ones) that are not there as wanted; returns how many were written.

    Plain create and update: server-side apply of such large schemas takes twice the time.
    """
    answer = api.call('GET', CRD_PATH, accept=ONLY_METADATA)
    existing = {item['metadata']['name']: item['metadata'] for item in answer['items'] or []}
    changed = [crd for crd in crds if differs(crd, existing.get(crd['metadata']['name']))]

    def write(crd: dict[str, Any]) -> None:
        name = crd['metadata']['name']
        if name in existing:
            meta = {**crd['metadata'], 'resourceVersion': existing[name]['resourceVersion']}
            api.call('PUT', f'{CRD_PATH}/{name}', {**crd, 'metadata': meta})
        else:
            api.call('POST', CRD_PATH, crd)

    _in_parallel(write, changed)
    return len(changed)


def marked(crd: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with the digest of its content as annotation."""
    found = copy.deepcopy(dict(crd))
    text = json.dumps(crd, sort_keys=True)
    found['metadata'].setdefault('annotations', {})[MARK] = digest(text.encode())
    return found


def differs(crd: Mapping[str, Any], existing: Mapping[str, Any] | None) -> bool:
    """Whether a marked CRD was not written from the same manifest."""
    if existing is None:
        return True
    return bool((existing.get('annotations') or {}).get(MARK) != crd['metadata']['annotations'][MARK])


def served(api: Api, crds: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the server offers all kinds of the CRDs, in all versions that they want served.

    By discovery, where controllers look as well: the CRDs' own conditions say the same in a list of megabytes.
    """
    wanted: dict[str, set[str]] = {}
    for crd in crds:
        spec = crd['spec']
        for version in spec['versions']:
            if version['served']:
                wanted.setdefault(f'{spec["group"]}/{version["name"]}', set()).add(spec['names']['kind'])
    return all(kinds <= api.kinds(name).keys() for name, kinds in wanted.items())


def _in_parallel(action: Callable[[Any], Any], items: Iterable[Any]) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(action, items))
