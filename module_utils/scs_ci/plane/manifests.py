"""Objects of the providers, rewritten for processes on loopback.

Input are the `config` directories of the Go modules (`<tools>/manifests-src/<component>/`). Of kustomize three things
are needed: the list of CRDs, their labels (they carry the contract versions) and the conversion patches. The rest
(Deployments, Services, RBAC, cert-manager) has no use without pods.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..core.errors import ToolProblem
from ..core.files import read_json, write_atomic
from .layout import LOOPBACK, Layout, digest

CA = '@CA@'  # stands for the base64 CA until the objects are applied, so that the cache outlives a CA
CACHE_FORMAT = '2'
LOADER = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)  # ten times faster, but not everywhere
HOOK_PORT = 9442
NAMESPACES = ('capi-system', 'capo-system', 'orc-system', 'cso-system')
EXTENSION = 'cso-hook-server-extensionconfig'
EXTENSION_VERSION = 'runtime.cluster.x-k8s.io/v1beta2'


@dataclass(frozen=True)
class Component:
    """prefix: of the names of webhook configurations, as kustomize adds it; port: of the webhook server, 0 for none."""

    prefix: str
    port: int


COMPONENTS = {
    'capi': Component('capi', 9543),
    'cabpk': Component('capi-kubeadm-bootstrap', 9643),
    'kcp': Component('capi-kubeadm-control-plane', 9743),
    'capo': Component('capo', 9843),
    'orc': Component('orc', 0),
    'cso': Component('cso', 9443),
}


@dataclass(frozen=True)
class Objects:
    """What is to be applied, in this order. extensions: once the hook servers they name are up."""

    crds: list[dict[str, Any]]
    webhooks: list[dict[str, Any]]
    extensions: list[dict[str, Any]]


def load(layout: Layout, tools: Path) -> Objects:
    """All objects with the plane's CA in place; parsed once per set of sources, then read from the state directory."""
    sources = tools / 'manifests-src'
    key = _key(sources)
    try:
        cached = read_json(layout.manifests)
    except (FileNotFoundError, ToolProblem):  # a damaged cache is made anew
        cached = {}
    if cached.get('key') != key:
        cached = {'key': key, **_build(sources)}
        write_atomic(layout.manifests, json.dumps(cached))  # with indentation, which is for people, it takes a second
    ca = base64.b64encode((layout.pki / 'ca.crt').read_bytes()).decode()
    content = json.loads(json.dumps({k: cached[k] for k in ('crds', 'webhooks', 'extensions')}).replace(CA, ca))
    return Objects(**content)


def _key(sources: Path) -> str:
    files = [path for name in COMPONENTS for path in sorted((sources / name).glob('**/*.yaml'))]
    missing = [name for name in COMPONENTS if not (sources / name / 'crd' / 'kustomization.yaml').is_file()]
    if missing:
        raise ToolProblem(
            'cannot find',
            f'manifests of {", ".join(missing)}',
            f'{sources / missing[0]} has no crd/kustomization.yaml',
            "build the programs again ('make tools') or name another directory with --tools",
        )
    return digest(CACHE_FORMAT.encode(), *(path.read_bytes() for path in files))


def _build(sources: Path) -> dict[str, list[dict[str, Any]]]:
    crds, webhooks = [], []
    for name, component in COMPONENTS.items():
        try:
            crds += list(definitions(sources / name / 'crd', component.port))
            if component.port:
                webhooks += list(webhook_configurations(sources / name / 'webhook', component))
        except (OSError, yaml.YAMLError, KeyError, TypeError, IndexError) as error:
            raise ToolProblem(
                'cannot read', f'manifests of {name} in {sources / name}', repr(error), "build them again: 'make tools'"
            ) from error
    return {'crds': crds, 'webhooks': webhooks, 'extensions': [extension_config()]}


def definitions(folder: Path, port: int) -> Iterator[dict[str, Any]]:
    """CRDs with the contract labels and the conversion webhooks that kustomize would add."""
    kustomization = _read(folder / 'kustomization.yaml')[0]
    labels = _labels(kustomization)
    conversions = _conversions(folder, kustomization)
    for entry in kustomization['resources']:
        for crd in _read(folder / entry):
            crd['metadata'].setdefault('labels', {}).update(labels)
            crd['metadata'].pop('creationTimestamp', None)
            conversion = conversions.get(crd['metadata']['name'])
            if conversion:
                _point_to(conversion['webhook']['clientConfig'], port)
                crd['spec']['conversion'] = conversion
            yield crd


def webhook_configurations(folder: Path, component: Component) -> Iterator[dict[str, Any]]:
    """Validating and mutating webhook configurations with URLs instead of services."""
    for obj in _read(folder / 'manifests.yaml'):
        obj['metadata']['name'] = f'{component.prefix}-{obj["metadata"]["name"]}'
        for hook in obj.get('webhooks', []):
            _point_to(hook['clientConfig'], component.port)
        yield obj


def extension_config() -> dict[str, Any]:
    """CSO's hook server. CSO compares no name; Cluster API calls every registered extension."""
    return {
        'apiVersion': EXTENSION_VERSION,
        'kind': 'ExtensionConfig',
        'metadata': {'name': EXTENSION},
        'spec': {'clientConfig': {'url': f'https://{LOOPBACK}:{HOOK_PORT}', 'caBundle': CA}, 'namespaceSelector': {}},
    }


def _labels(kustomization: dict[str, Any]) -> dict[str, str]:
    """Labels in all three spellings: `labels`, `commonLabels`, and CSO's `commonlabels`."""
    found: dict[str, str] = {}
    for entry in kustomization.get('labels') or []:
        found.update(entry['pairs'])
    return found | (kustomization.get('commonLabels') or kustomization.get('commonlabels') or {})


def _conversions(folder: Path, kustomization: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """CRD name to its spec.conversion, from the patches; other patches (CA injection) are not needed."""
    paths = [patch['path'] for patch in kustomization.get('patches') or []]
    found = {}
    for path in paths + (kustomization.get('patchesStrategicMerge') or []):
        for patch in _read(folder / path):
            conversion = (patch.get('spec') or {}).get('conversion')
            if conversion:
                found[patch['metadata']['name']] = conversion
    return found


def _point_to(config: dict[str, Any], port: int) -> None:
    service = config.pop('service')
    config['url'] = f'https://{LOOPBACK}:{port}{service.get("path", "")}'
    config['caBundle'] = CA


def _read(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.load_all(path.read_text(encoding='utf-8'), Loader=LOADER) if document]
