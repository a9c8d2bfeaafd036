"""Faults of real Kubernetes machines. A quarter of an hour on an idle machine of two cores:

python3 setup/main.py test -m long tests/integration/faults
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fault_runs import Lab, Run, balancers, until, with_balancer

from scs_ci.core.outcome import Exit

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(2400)]
KUBEADM = 'cluster-class/templates/kubeadm.yaml'
CLASS = 'cluster-class/templates/cluster-class.yaml'
# A class that passes on to kubelet what it is told, without looking at it.
VARIABLE = """\
    - name: maxPods
      required: false
      schema:
        openAPIV3Schema:
          type: string
          example: "110"
          description: Pods on a control plane node.
"""
PATCH = """\
    - name: maxPods
      enabledIf: '{{ `{{ if .maxPods }}true{{ end }}` }}'
      definitions:
        - selector:
            apiVersion: controlplane.cluster.x-k8s.io/v1beta1
            kind: KubeadmControlPlaneTemplate
            matchResources:
              controlPlane: true
          jsonPatches:
            - op: add
              path: /spec/template/spec/kubeadmConfigSpec/initConfiguration/nodeRegistration/kubeletExtraArgs/max-pods
              valueFrom:
                variable: maxPods
"""
# From ACTIVE to what the console says last: half a minute on an idle machine, 100 s seen on a busy one.
BOOT = 120
# Node controller: 40 s without a word until Unknown; Cluster API asks the cluster each few seconds.
SILENCE = 240
Of = Callable[[Lab], Run]


def judged(run: Run, done: Any, outcome: Exit, verdict: str, *said: str) -> None:
    """The record has this verdict and its one line says this, in this order and before everything else."""
    assert done.returncode == outcome, done.stderr
    record = run.record()
    assert record['verdict'] == verdict, record['reason']
    places = [run.first_line.find(text) for text in said]
    assert -1 not in places, (said, run.first_line)
    assert places == sorted(places), run.first_line


def test_user_data_that_cloud_init_cannot_render(machines: Lab, of: Of) -> None:
    run = of(machines)
    run.edit(KUBEADM, '{{ local_hostname }}', '{{ v1.no_such_name }}')
    run.publish()
    done = run.deploy(Initialized=BOOT)
    judged(run, done, Exit.FAILED, 'product', 'console of', 'cloud-init cannot use user data', 'no_such_name')
    (console,) = run.gathered('cloud/consoles/*.log')
    assert 'no_such_name' in console.read_text(encoding='utf-8')


def test_a_kubelet_argument_that_does_not_exist(machines: Lab, of: Of) -> None:
    run = of(machines)
    indent = '\n' + ' ' * 14  # of the control plane's; workers do not get so far
    given = f'cloud-provider: external{indent}provider-id'
    run.edit(KUBEADM, given, given.replace(indent, f'{indent}no-such-argument: "1"{indent}'))
    run.publish(known=True)
    done = run.deploy(Initialized=BOOT)
    judged(run, done, Exit.FAILED, 'product', 'console of', 'kubelet does not become healthy', 'no-such-argument=1')


def test_a_wrong_value_of_a_kubelet_argument_by_variable(machines: Lab, of: Of) -> None:
    run = of(machines)
    run.edit(CLASS, '  variables:\n', f'  variables:\n{VARIABLE}')
    run.edit(CLASS, '  patches:\n', f'  patches:\n{PATCH}')
    run.publish()
    done = run.deploy(*run.variables(maxPods='many'), Initialized=BOOT)
    judged(run, done, Exit.FAILED, 'product', 'console of', 'kubelet does not become healthy', 'max-pods=many')


def test_an_addon_whose_pod_crashes(machines: Lab, of: Of) -> None:
    run = of(machines)
    run.edit('cluster-addon/ccm/values.yaml', 'cloud: openstack', 'cloud: no-such-cloud')
    run.publish()
    done = run.deploy(Nodes=BOOT)
    judged(run, done, Exit.FAILED, 'product', 'pod openstack-cloud-controller-manager-', 'crashes (', 'no-such-cloud')
    assert run.gathered('workload/logs/kube-system/openstack-cloud-controller-manager-*.log')


def silent(run: Run, machine: str) -> bool:
    (found,) = (obj for obj in run.object('Machine') if obj['metadata']['name'] == machine)
    entries = {entry['type']: entry['status'] for entry in found['status']['conditions']}
    return entries.get('NodeHealthy') != 'True'


def machine_of(run: Run, control_plane: bool) -> str:
    """The name of a machine, which its server bears, too."""
    label = 'cluster.x-k8s.io/control-plane'
    machines = (obj['metadata'] for obj in run.object('Machine'))
    return str(next(meta['name'] for meta in machines if (label in meta['labels']) == control_plane))


def test_a_worker_whose_host_is_down(machines: Lab, usable: Run) -> None:
    worker = machine_of(usable, control_plane=False)
    host = machines.host_of(worker)
    assert host != machines.host_of(machine_of(usable, control_plane=True))
    machines.of_sandbox('faults', 'host-down', host)
    try:
        until('NodeHealthy False', SILENCE, lambda: silent(usable, worker))
        done = usable.deploy(Machines=5, MachineDeployments=5)
        judged(usable, done, Exit.ERROR, 'boot', f'node {worker}', 'NodeStatusUnknown', 'its host or kubelet is down')
    finally:
        machines.of_sandbox('faults', 'host-up', host)
    until('NodeHealthy True', SILENCE, lambda: not silent(usable, worker))
    again = usable.deploy()
    assert again.returncode == Exit.PASSED, again.stderr


def test_the_floating_ip_of_the_api_is_taken_away(machines: Lab, usable: Run) -> None:
    """The last test of this cluster: nobody gives the address back, and what a Service holds in its network keeps it
    from being deleted; the purge takes both."""
    with_balancer(usable, 'stuck')
    (infrastructure,) = usable.object('OpenStackCluster')
    address = infrastructure['spec']['controlPlaneEndpoint']['host']
    machines.ask_cloud(f'[cloud.network.delete_ip(ip) for ip in cloud.network.ips(floating_ip_address={address!r})]')
    done = usable.deploy(Addons=10)
    judged(usable, done, Exit.ERROR, 'network', f'API address {address}:6443: its floating IP is gone from the cloud')
    (errors,) = usable.gathered('workload/errors.txt')
    assert 'nothing more was asked of the cluster' in errors.read_text(encoding='utf-8')
    gone = usable.delete()
    assert gone.returncode == Exit.ERROR, gone.stderr
    assert f'cannot delete Cluster {usable.cluster}' in gone.stderr
    assert len(balancers(usable)) == 1
    usable.purge()
    assert usable.object('Cluster') == []
