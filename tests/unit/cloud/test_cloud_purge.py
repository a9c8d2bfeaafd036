"""The purge takes what is the run's and nothing else, in any order, until nothing is left."""

from __future__ import annotations

import pytest
from fake_cloud import FakeCloud, Fault, Item
from hypothesis import given, settings
from hypothesis import strategies as st

from scs_ci.cloud import inventory, purge
from scs_ci.cloud.inventory import CSI_CLUSTER, Resource
from scs_ci.cloud.marks import Mark
from scs_ci.cloud.owned import Filter
from scs_ci.core.naming import names

pytestmark = pytest.mark.unit

RUN, OTHER = '7f3a1b2c-5d6e-4000-8000-000000000001', '7f3a1b2c-5d6f-4000-8000-000000000002'
MARK, FOREIGN = (Mark(run, 'ci', '2026-11-25T12:00:00Z') for run in (RUN, OTHER))
P = names(RUN).prefix
C0 = f'{P}-c0'
CAPO = f'Created by cluster-api-provider-openstack cluster {P}-{C0}'


def execute(fake: FakeCloud, timeout: float = 600, **options: object) -> purge.Result:
    return purge.Purge(fake.cloud, RUN, say=lambda *_: None, timeout=timeout, clock=fake.clock, **options).execute()


def fill(fake: FakeCloud, mark: Mark, prefix: str) -> None:
    """Nodes and a cluster, with everything that hangs on them."""
    cluster, label = f'{prefix}-c0', f'k8s-clusterapi-cluster-{prefix}-{prefix}-c0'
    about = f'Created by cluster-api-provider-openstack cluster {prefix}-{cluster}'
    for name, description in ((f'{prefix}-network', mark.description()), (label, about)):
        network = fake.add('network', name, description=description)
        subnet = fake.add('subnet', name, network_id=network.id, cidr='10.0.0.0/24')
        router = fake.add('router', name, description=description)
        fake.add('port', network_id=network.id, subnet_id=subnet.id, device_id=router.id,
                 device_owner='network:router_interface')  # fmt: skip
        group = fake.add('security_group', f'k8s-cluster-{prefix}-{cluster}-secgroup-worker')
        volume = fake.add('volume', f'{cluster}-root', metadata={})
        server = fake.add('server', f'{cluster}-abcde', volume=volume.id)
        port = fake.add('port', f'{cluster}-abcde-0', network_id=network.id, device_id=server.id,
                        device_owner='compute:nova', security_group=group.id)  # fmt: skip
        fake.add('floating_ip', port_id=port.id, description=description, floating_ip_address='x', fixed_ip_address='')
    fake.add('server', f'{prefix}-node-0', metadata=mark.metadata())
    claim = fake.add('volume', 'pvc-1', metadata={CSI_CLUSTER: cluster})
    fake.add('snapshot', 'snapshot-1', metadata={CSI_CLUSTER: cluster}, volume_id=claim.id)
    fake.add('load_balancer', f'kube_service_{cluster}_default_web', vip_port_id='', provisioning_status='ACTIVE')
    for kind in ('key_pair', 'server_group', 'application_credential'):
        fake.add(kind, prefix)


def state(fake: FakeCloud) -> set[tuple[str, str]]:
    return {(kind, identity) for kind, items in fake.kinds.items() for identity in items}


def test_everything_of_the_run_goes_and_nothing_else() -> None:
    fake = FakeCloud()
    fill(fake, FOREIGN, names(OTHER).prefix)
    before = state(fake)
    fill(fake, MARK, P)
    result = execute(fake)
    assert result.kept == ()
    assert state(fake) == before
    assert result.counts()['server'] == 3


def test_nodes_only_leaves_the_clusters() -> None:
    fake = FakeCloud()
    fill(fake, MARK, P)
    execute(fake, timeout=60, only=purge.nodes_only)
    assert f'{P}-node-0' not in fake.names('server')
    assert f'{C0}-abcde' in fake.names('server')


def test_a_second_purge_finds_nothing_and_deletes_nothing() -> None:
    fake = FakeCloud()
    fill(fake, MARK, P)
    execute(fake)
    calls = {call: n for call, n in fake.calls.items() if call.startswith('delete')}
    result = execute(fake)
    assert result.found == ()
    assert {call: n for call, n in fake.calls.items() if call.startswith('delete')} == calls


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(purge.ORDER), st.sampled_from([409, 503, 429, 504, 404]), st.integers(1, 3))))
def test_converges_whatever_the_cloud_refuses(faults: list[tuple[str, int, int]]) -> None:
    fake = FakeCloud()
    fill(fake, FOREIGN, names(OTHER).prefix)
    before = state(fake)
    fill(fake, MARK, P)
    fake.faults = [Fault(f'delete {kind}', status, count, after=status in (504, 404)) for kind, status, count in faults]
    # every worker's pause advances the one virtual clock, so the limit is ten times the usual one
    result = execute(fake, timeout=6000)
    assert result.kept == ()
    assert state(fake) == before


def test_what_stays_is_named_with_the_reason() -> None:
    fake = FakeCloud()
    fake.add('server', f'{P}-node-0', metadata=MARK.metadata())
    fake.faults = [Fault('delete server', 409, 10**6, text='server is locked')]
    result = execute(fake, timeout=30)
    assert [(left.kind, left.name) for left in result.kept] == [('server', f'{P}-node-0')]
    assert 'server is locked' in result.kept[0].reason
    assert fake.clock.time < 120


def test_a_forbidden_deletion_is_kept_with_its_reason() -> None:
    fake = FakeCloud()
    fake.add('application_credential', P)
    fake.faults = [Fault('delete application_credential', 403, 10**6, text='not allowed for application credentials')]
    result = execute(fake, timeout=20)
    assert 'not allowed' in result.kept[0].reason


def test_a_missing_service_is_named_and_no_error() -> None:
    fake = FakeCloud(services={'compute', 'network', 'image', 'identity', 'block-storage'})
    fill(fake, MARK, P)
    result = execute(fake)
    assert result.kept == ()
    assert result.after
    assert result.after.missing == {'load_balancer': 'cloud has no service load-balancer'}


MINE = [
    Resource('server', '1', 'x', metadata=MARK.metadata()),
    Resource('server', '1', f'{C0}-md-0-abc'),
    Resource('network', '1', f'k8s-clusterapi-cluster-{P}-{C0}'),
    Resource('load_balancer', '1', f'k8s-clusterapi-cluster-{P}-{C0}-kubeapi'),
    Resource('load_balancer', '1', f'kube_service_{C0}_default_web'),
    Resource('security_group', '1', f'k8s-cluster-{P}-{C0}-secgroup-controlplane'),
    Resource('security_group', '1', 'lb-sg-1', description=f'Security Group for a/b LoadBalancer in cluster {C0}'),
    Resource('floating_ip', '1', '', description=CAPO),
    Resource('floating_ip', '1', '', description=f'Floating IP for Kubernetes external service a/b from cluster {C0}'),
    Resource('volume', '1', 'pvc-1', metadata={CSI_CLUSTER: C0}),
    Resource('key_pair', P, P),
    Resource('server_group', '1', f'{P}-control'),
    Resource('port', '1', '', details={'network_id': 'mine', 'device_owner': 'compute:nova'}),
]  # fmt: skip
NOT_MINE = [
    Resource('server', '1', f'{P}-node-0'),  # named like ours, without a mark
    Resource('server', '1', f'{C0}-md-0', metadata=FOREIGN.metadata()),
    Resource('network', '1', f'{P}-network'),
    Resource('network', '1', f'k8s-clusterapi-cluster-{P}-{C0}x'),
    Resource('network', '1', f'k8s-clusterapi-cluster-other-{C0}'),
    Resource('load_balancer', '1', f'kube_service_{C0}1x_default_web'),
    Resource('load_balancer', '1', f'kube_service_x{C0}_default_web'),
    Resource('floating_ip', '1', ''),
    Resource('floating_ip', '1', '', description=f'please keep: {CAPO}'),
    Resource('floating_ip', '1', '', description=f'{CAPO}9x'),
    Resource('volume', '1', 'pvc-1', metadata={CSI_CLUSTER: f'{C0}x'}),
    Resource('key_pair', 'scs-ci', 'scs-ci'),
    Resource('key_pair', f'{P}x', f'{P}x'),
    Resource('image', '1', f'{P}-image'),
    Resource('port', '1', '', details={'network_id': 'mine', 'device_owner': 'network:dhcp'}),
    Resource('port', '1', '', details={'network_id': 'other', 'device_owner': 'compute:nova'}),
    Resource('security_group', '1', 'default'),
]


@pytest.mark.parametrize('resource', MINE, ids=lambda r: f'{r.kind} {r.name or r.description[:20]}')
def test_mine(resource: Resource) -> None:
    assert Filter(RUN, ['mine']).reason(resource)


@pytest.mark.parametrize('resource', NOT_MINE, ids=lambda r: f'{r.kind} {r.name or r.description[:20]}')
def test_not_mine(resource: Resource) -> None:
    assert Filter(RUN, ['mine']).reason(resource) is None


RESOURCES = st.builds(
    Resource,
    kind=st.sampled_from(purge.ORDER),
    id=st.text(min_size=1, max_size=4),
    name=st.one_of(st.text(max_size=30), st.sampled_from([r.name for r in NOT_MINE + MINE])),
    description=st.one_of(st.text(max_size=40), st.just(FOREIGN.description()), st.just('')),
    metadata=st.sampled_from([{}, FOREIGN.metadata()]),
)


@settings(deadline=None)  # a machine that tests is not idle
@given(RESOURCES)
def test_a_foreign_mark_protects_and_no_mark_needs_an_exact_name(resource: Resource) -> None:
    reason = Filter(RUN).reason(resource)
    if resource.mark and resource.mark.run == OTHER:
        assert reason is None
    if reason:
        assert P in resource.name or P in resource.description


def test_difference_by_kind() -> None:
    fake = FakeCloud()
    fake.add('network', 'old')
    before = inventory.take(fake.cloud)
    fake.add('server', 'new')
    for identity in [i for i, item in fake.kinds['network'].items() if item.name == 'old']:
        del fake.kinds['network'][identity]
    change = inventory.difference(before, inventory.take(fake.cloud)).by_kind()
    assert set(change) == {'server', 'network'}
    assert change['server']['added'][0].startswith('new (')
    assert change['network']['removed'][0].startswith('old (')


def test_inventory_survives_json_and_hides_other_peoples_texts() -> None:
    fake = FakeCloud()
    fake.add('server', 'foreign', metadata={'password': 'secret', CSI_CLUSTER: 'x'}, description='private note')
    seen = inventory.take(fake.cloud)
    content = inventory.dump(seen)
    assert 'secret' not in str(content)
    assert 'private note' not in str(content)
    assert inventory.load(content, 'test').counts() == seen.counts()


def test_stuck_load_balancer_is_asked_again() -> None:
    fake = FakeCloud()
    balancer: Item = fake.add(
        'load_balancer', f'kube_service_{C0}_a_b', provisioning_status='PENDING_UPDATE', vip_port_id=''
    )
    fake.faults = [Fault('delete load_balancer', 409, 3, text='Invalid state PENDING_UPDATE')]
    assert execute(fake).kept == ()
    assert balancer.id not in fake.kinds['load_balancer']


def test_neutron_objects_are_deleted_once_and_not_waited_for() -> None:
    """What is gone with the answer needs no further list than the inventory at the end."""
    fake = FakeCloud()
    fake.add('network', f'{P}-network', description=MARK.description())
    fake.add('floating_ip', 'x', description=MARK.description(), floating_ip_address='x', fixed_ip_address='')
    execute(fake)
    assert (fake.calls['list network'], fake.calls['list floating_ip'], fake.clock.time) == (2, 2, 0)


def test_a_network_that_answered_404_and_stayed_is_deleted_again() -> None:
    fake = FakeCloud()
    fake.add('network', f'{P}-network', description=MARK.description())
    fake.faults = [Fault('delete network', 404, 1, text='Subnet could not be found')]
    assert execute(fake).kept == ()
    assert fake.names('network') == ['public']
    assert fake.clock.time < 10
