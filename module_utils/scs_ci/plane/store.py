"""Takes the clusters of a purged run out of a plane's store, so that its controllers do not make them again.

Out of etcd and all at once, past the API server: an object of Cluster API goes only when its controller has deleted
what it stands for, in an order, with webhooks. What these stand for is gone already, and perhaps no controller runs.
"""

from __future__ import annotations

import base64
import json
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
SECONDS = 10  # one small transaction on loopback


def transaction(space: str) -> dict[str, Any]:
    """The deletion of everything in a namespace that MAKERS name, as etcd's JSON gateway wants it."""
    prefixes = [f'{ROOT}/{resource}/{space}/' for resource in MAKERS]
    # '0' follows '/': the range ends behind the last key that begins with the prefix
    ranges = [{'key': _coded(prefix), 'range_end': _coded(prefix[:-1] + '0')} for prefix in prefixes]
    return {'success': [{'request_delete_range': entry} for entry in ranges]}


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def forget(space: str, url: str = ETCD) -> int:
    """Delete them; returns how many Clusters that were. Raises ToolProblem."""
    subject = f'clusters of namespace {space} in {url}'
    try:
        answer = urllib3.PoolManager(retries=False).request(
            'POST', f'{url}/v3/kv/txn', body=json.dumps(transaction(space)), timeout=SECONDS
        )
    except urllib3.exceptions.HTTPError as error:
        raise ToolProblem('cannot delete', subject, str(error), "start the plane: 'scs-ci plane up'") from error
    text = answer.data.decode(errors='replace')
    if answer.status != 200:
        raise ToolProblem('cannot delete', subject, f'HTTP {answer.status}: {text}', "see 'scs-ci plane logs etcd'")
    clusters = json.loads(text)['responses'][0]['response_delete_range']
    return int(clusters.get('deleted') or 0)  # zero is left out
