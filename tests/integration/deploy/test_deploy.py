"""Deploy against a real management plane, without a cloud: until the topology is built."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from deploy_runs import Place, Run

from scs_ci.core.outcome import Exit

pytestmark = pytest.mark.integration
NewRun = Callable[[], Run]
TEMPLATES = 'cluster-class/templates'


def test_topology_is_built_and_deleted_again(new_run: NewRun) -> None:
    run = new_run()
    run.publish()
    done = run.deploy()
    record = run.record()
    assert done.returncode == Exit.PASSED, done.stderr
    assert (record['outcome'], record['facts']['until']) == ('passed', 'topology reconciled')
    assert [entry['step'] for entry in record['facts']['steps']] == [
        'class dry run',
        'release ready',
        'class reconciled',
        'cluster admitted',
        'topology reconciled',
    ]
    assert 'topology reconciled' in done.stderr
    again = run.deploy()  # converges: nothing is made twice
    assert again.returncode == Exit.PASSED, again.stderr
    gone = run.deploy('--delete')
    assert gone.returncode == Exit.PASSED, gone.stderr
    assert '1 clusters deleted' in gone.stderr
    assert '0 clusters deleted' in run.deploy('--delete').stderr


def test_unknown_field_is_refused_with_the_servers_words(new_run: NewRun) -> None:
    run = new_run()
    run.edit(f'{TEMPLATES}/openstack.yaml', 'flavor: set-by-patch', 'flavour: set-by-patch')
    run.publish(known=True)
    assert run.deploy().returncode == Exit.FAILED
    record = run.record()
    assert record['verdict'] == 'product'
    assert 'OpenStackMachineTemplate' in record['reason']
    assert 'flavour: field not declared in schema' in record['reason']


def test_failing_patch_names_the_cluster_and_the_cause(new_run: NewRun) -> None:
    run = new_run()
    run.edit(f'{TEMPLATES}/cluster-class.yaml', 'path: /spec/template/spec/flavor', 'path: /spec/nowhere/flavor')
    run.publish(known=True)
    # the patch fails at once, and the wait only ends because nothing gets better
    assert run.deploy('--limit', 'Cluster=20').returncode == Exit.FAILED
    record = run.record()
    assert record['verdict'] == 'product'
    assert 'TopologyReconciled=False ReconcileFailed' in record['reason']
    assert 'missing path' in record['reason']
    gathered = [path for path in record['artifacts'] if path.endswith('objects/Cluster.yaml')]
    assert gathered
    assert (run.directory / gathered[0]).stat().st_size > 0
    assert not list(run.directory.rglob('Secret.yaml'))


def test_release_that_is_not_in_the_registry(new_run: NewRun) -> None:
    run = new_run()
    run.edit(
        f'{TEMPLATES}/openstack.yaml', '# What', '# whatever'
    )  # another hash: the operator keeps what it fetched once
    run.publish('another/repository')
    # the operator is refused at once and tries again every 20 s
    assert run.deploy('--limit', 'ClusterStackRelease=15').returncode == Exit.ERROR
    record = run.record()
    assert record['verdict'] == 'infrastructure'
    assert 'failed to download release assets' in record['reason']


def test_unknown_variable_is_told_with_the_known_ones(new_run: NewRun) -> None:
    run = new_run()
    run.publish()
    wrong = run.checkout / 'variables.yaml'
    wrong.write_text('providers/openstack/example:\n  nonsense: 1\n')
    assert run.deploy('--variables', wrong).returncode == Exit.ERROR
    assert 'cannot set variable nonsense: the class has' in run.record()['reason']


@pytest.mark.parametrize(
    ('option', 'value', 'said'),
    [('--kubeconfig', 'absent', 'kubeconfig absent'), ('--variables', 'absent', 'variables file absent')],
)
def test_wrong_input_is_a_usage_error(new_run: NewRun, option: str, value: str, said: str) -> None:
    run = new_run()
    run.publish()
    done = run.deploy(option, value)
    assert done.returncode == Exit.USAGE
    assert said in done.stderr
    assert 'next:' in done.stderr
    assert 'Traceback' not in done.stderr


def test_clusters_of_a_purged_run_are_not_made_again(plane: Place, new_run: NewRun) -> None:
    """Forgotten by a plane that runs, and by the next start of one that does not; the run itself may go on."""
    run = new_run()
    run.publish()
    assert run.deploy().returncode == Exit.PASSED
    info = json.loads((run.directory / 'run.json').read_text())
    words = ['plane', 'forget', '--state', plane.state, '--run-id', info['id']]
    assert plane.done(*words).startswith('1 clusters')
    assert plane.done(*words).startswith('0 clusters')
    assert '0 clusters deleted' in run.deploy('--delete').stderr

    again = run.deploy()
    assert again.returncode == Exit.PASSED, again.stderr
    plane.done('plane', 'down', '--state', plane.state)
    assert plane.done(*words).startswith('the next start forgets')
    up = plane.run('plane', 'up', '--state', plane.state, '--tools', run.tools)
    assert up.returncode == Exit.PASSED, up.stderr
    assert '1 clusters of scs-ci-' in up.stderr
    assert '0 clusters deleted' in run.deploy('--delete').stderr
