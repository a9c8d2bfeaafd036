"""Addon objects compared with what a real API server stored."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from deploy_runs import ROOT, Place

pytestmark = pytest.mark.integration
SECONDS = 60  # a dozen requests to a server on this machine

# In the plane's namespace: the object is applied as the operator does it, changed as asked, then compared.
SCRIPT = """
import json, sys
from pathlib import Path
from scs_ci.deploy.addons import Expected, mismatches
from scs_ci.plane.kube import Api
asked = json.load(sys.stdin)
api = Api(Path(sys.argv[1]))
placed = {**asked['wanted'], 'metadata': {**asked['wanted']['metadata'], 'namespace': 'kube-system'}}
api.apply({**placed, 'spec': {**placed['spec'], **asked['changed']}})
print(json.dumps(mismatches(api, [Expected('scale', asked['wanted'])])))
"""
SCALER = {
    'apiVersion': 'autoscaling/v2',
    'kind': 'HorizontalPodAutoscaler',
    'metadata': {'name': 'scaler'},
    'spec': {
        'minReplicas': 1,
        'maxReplicas': 3,
        'scaleTargetRef': {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'x'},
        'metrics': [
            {
                'type': 'External',
                # stored as '1': a quantity where this project knows none
                'external': {'metric': {'name': 'q'}, 'target': {'type': 'Value', 'value': '1000m'}},
            }
        ],
    },
}


def compared(plane: Place, changed: dict[str, object]) -> list[str]:
    argv = ['ip', 'netns', 'exec', plane.netns, sys.executable, '-c', SCRIPT, str(plane.state / 'kubeconfig')]
    env = {**os.environ, 'PYTHONPATH': str(ROOT / 'module_utils')}
    asked = json.dumps({'wanted': SCALER, 'changed': changed})
    done = subprocess.run(argv, env=env, input=asked, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_canonical_forms_are_no_difference(plane: Place) -> None:
    assert compared(plane, {}) == []


def test_a_real_difference_is_told(plane: Place) -> None:
    (found,) = compared(plane, {'maxReplicas': 5})
    assert found.startswith('stage scale: HorizontalPodAutoscaler scaler differs: ')
    assert 'spec.maxReplicas is 5, rendered 3' in found
