"""Faults that need no Kubernetes machines: a server that never boots, a plane that dies in the middle."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fault_runs import Lab, Run

from scs_ci.core.outcome import Exit

pytestmark = pytest.mark.integration
SIMULATED = ('--simulated', 'hypervisor,machine')
Of = Callable[[Lab], Run]


def test_a_machine_that_never_boots(lab: Lab, of: Of) -> None:
    run = of(lab)
    run.publish()
    with lab.faults(run.place, {'nova': {'spawn_error': f'^{run.cluster}-'}}):
        done = run.deploy(*SIMULATED, OpenStackServer=60)
    assert done.returncode == Exit.ERROR, done.stderr
    record = run.record()
    assert record['outcome'] == 'error'
    assert record['verdict'] in ('boot', 'capacity'), record
    assert f'server {run.cluster}-' in run.first_line
    assert ': is ERROR in the cloud' in run.first_line
    (servers,) = run.gathered('cloud/servers.yaml')
    assert 'status: ERROR' in servers.read_text(encoding='utf-8')


def test_a_plane_that_dies_in_the_middle_and_one_that_is_gone(lab: Lab, of: Of) -> None:
    """Its death is the first line; started again, the deploy goes on; a purge needs it not at all, and started again
    after that, the plane makes nothing again.

    The topology was looked at before without a cloud, which keeps nobody from deploying to one.
    """
    run = of(lab)
    run.publish()
    alone = run.deploy('--until', 'topology')
    assert alone.returncode == Exit.PASSED, alone.stderr
    code, output = run.deploy_until(': admitted', lambda: lab.kill('apiserver'), *SIMULATED)
    assert code == Exit.ERROR, output
    record = run.record()
    assert record['verdict'] == 'tool'
    assert 'process apiserver of the management plane: ended by itself, so: ' in run.first_line
    assert "'scs-ci plane up'" in record['advice']

    lab.plane_up()
    assert 'was made for no cloud, so it is made anew' in (run.directory / 'progress.log').read_text()
    again = run.deploy(*SIMULATED)
    assert again.returncode == Exit.PASSED, again.stderr
    assert run.record()['facts']['server']['id']

    for process in ('apiserver', 'etcd'):
        lab.kill(process)
    try:
        assert run.left() != []
        run.purge()
    finally:
        up = lab.plane_up()
    assert f'1 clusters of {run.cluster.removesuffix("-c0")} forgotten' in up
    assert [run.object(kind) for kind in ('Cluster', 'OpenStackCluster', 'OpenStackServer')] == [[], [], []]
    assert run.left() == []
