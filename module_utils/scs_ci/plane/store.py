"""A plane's store (etcd), past its API server: for what has to be there, or gone, before that one answers.

The clusters of a purged run are taken out, so that controllers do not make them again: all at once, for an object of
Cluster API goes only when its controller has deleted what it stands for, in an order, with webhooks. What these stand
for is gone already, and perhaps no controller runs.

The definitions of the providers are put into a new store: an API server that finds them when it starts needs half the
processor time of one that is given them one by one, for it describes its whole API anew for each.
"""

from __future__ import annotations

import base64
import datetime
import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import urllib3

from ..core.errors import ToolProblem
from .layout import ETCD

# What makes something in a cloud or in a cluster, or watches over what does. Secrets and copies of templates are owned
# by these, and the garbage collector follows.
MAKERS = (
    'cluster.x-k8s.io/clusters',
    'cluster.x-k8s.io/machinedeployments',
    'cluster.x-k8s.io/machinesets',
    'cluster.x-k8s.io/machines',
    'controlplane.cluster.x-k8s.io/kubeadmcontrolplanes',
    'bootstrap.cluster.x-k8s.io/kubeadmconfigs',
    'infrastructure.cluster.x-k8s.io/openstackclusters',
    'infrastructure.cluster.x-k8s.io/openstackmachines',
    'infrastructure.cluster.x-k8s.io/openstackservers',
    'addons.cluster.x-k8s.io/clusterresourcesetbindings',
    'clusterstack.x-k8s.io/clusteraddons',
)
ROOT = '/registry'  # the API server's default for --etcd-prefix
DEFINITIONS = f'{ROOT}/apiextensions.k8s.io/customresourcedefinitions'
SECONDS = 10  # one small transaction on loopback


def transaction(space: str) -> dict[str, Any]:
    """The deletion of everything in a namespace that MAKERS name, as etcd's JSON gateway wants it."""
    prefixes = [f'{ROOT}/{resource}/{space}/' for resource in MAKERS]
    # '0' follows '/': the range ends behind the last key that begins with the prefix
    ranges = [{'key': _coded(prefix), 'range_end': _coded(prefix[:-1] + '0')} for prefix in prefixes]
    return {'success': [{'request_delete_range': entry} for entry in ranges]}


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def stored(crd: Mapping[str, Any], now: datetime.datetime, uid: str) -> dict[str, Any]:
    """A CRD as the API server keeps one whose names are accepted and whose kinds are served.

    Fields: apiextensions.k8s.io/v1, CustomResourceDefinitionStatus; reasons as the API server's own controllers write
    them. With these conditions it serves the kinds without asking itself whether it may.
    """
    stamp = now.strftime('%Y-%m-%dT%H:%M:%SZ')
    spec = crd['spec']
    names = {'singular': spec['names']['kind'].lower(), 'listKind': f'{spec["names"]["kind"]}List', **spec['names']}
    true = {'status': 'True', 'lastTransitionTime': stamp}
    return {
        **crd,
        'metadata': {**crd['metadata'], 'uid': uid, 'generation': 1, 'creationTimestamp': stamp},
        'status': {
            'acceptedNames': names,
            'conditions': [
                {'type': 'NamesAccepted', 'reason': 'NoConflicts', 'message': 'no conflicts found', **true},
                {
                    'type': 'Established',
                    'reason': 'InitialNamesAccepted',
                    'message': 'the initial names have been accepted',
                    **true,
                },
            ],
            'storedVersions': [version['name'] for version in spec['versions'] if version['storage']],
        },
    }


def is_new(url: str = ETCD) -> bool:
    """Whether no API server has written to the store yet. Raises ToolProblem."""
    answer = _ask(
        'cannot read',
        f'keys in {url}',
        f'{url}/v3/kv/range',
        {'key': _coded(f'{ROOT}/'), 'range_end': _coded(f'{ROOT}0'), 'count_only': True},
    )
    return int(answer.get('count') or 0) == 0  # zero is left out


def put_definitions(crds: Iterable[Mapping[str, Any]], now: datetime.datetime, url: str = ETCD) -> None:
    """Write CRDs to a store whose API server does not run. Raises ToolProblem."""
    for crd in crds:
        name = crd['metadata']['name']
        value = json.dumps(stored(crd, now, str(uuid.uuid4())), separators=(',', ':'))
        pair = {'key': _coded(f'{DEFINITIONS}/{name}'), 'value': _coded(value)}
        _ask('cannot write', f'definition {name} in {url}', f'{url}/v3/kv/put', pair)


def forget(space: str, url: str = ETCD) -> int:
    """Delete the clusters of a namespace and all that makes some; returns how many Clusters. Raises ToolProblem."""
    answer = _ask('cannot delete', f'clusters of namespace {space} in {url}', f'{url}/v3/kv/txn', transaction(space))
    clusters = answer['responses'][0]['response_delete_range']
    return int(clusters.get('deleted') or 0)  # zero is left out


def _ask(what: str, subject: str, url: str, question: Mapping[str, Any]) -> dict[str, Any]:
    """One question to etcd's JSON gateway."""
    try:
        answer = urllib3.PoolManager(retries=False).request('POST', url, body=json.dumps(question), timeout=SECONDS)
    except urllib3.exceptions.HTTPError as error:
        raise ToolProblem(what, subject, str(error), "start the plane: 'scs-ci plane up'") from error
    text = answer.data.decode(errors='replace')
    if answer.status != 200:
        raise ToolProblem(what, subject, f'HTTP {answer.status}: {text}', "see 'scs-ci plane logs etcd'")
    found: dict[str, Any] = json.loads(text)
    return found
