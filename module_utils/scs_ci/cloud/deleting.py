"""One deletion request per kind, and what has to go before what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .connect import Cloud
from .inventory import Resource

# Start order: what holds others first.
ORDER = (
    'load_balancer',
    'server',
    'floating_ip',
    'port',
    'router',
    'subnet',
    'network',
    'security_group',
    'snapshot',
    'volume',
    'server_group',
    'key_pair',
    'image',
    'application_credential',
)
# What holds a kind: its worker starts when theirs have ended, for until then each request would only be refused. It is
# no more than that: whatever is refused nevertheless is tried again.
USERS_OF_NETWORKS = ('server', 'load_balancer', 'floating_ip', 'port')
HOLDERS: dict[str, tuple[str, ...]] = {
    # ports of servers go with them; the router's stay needed as long as floating IPs lead through it
    'port': ('server', 'load_balancer', 'floating_ip'),
    'router': ('port', 'floating_ip'),
    'subnet': USERS_OF_NETWORKS,
    'network': (*USERS_OF_NETWORKS, 'subnet'),
    'security_group': USERS_OF_NETWORKS,
    'volume': ('server', 'snapshot'),
    'server_group': ('server',),
    'image': ('server', 'volume'),
}
# Went with their holders, mostly: looked for again before they are deleted.
VANISHING = frozenset({'port', 'volume'})
# Kinds whose deletion goes on after the answer. The others are gone with the answer.
SLOW = frozenset({'server', 'volume', 'snapshot', 'load_balancer'})
# Statuses of a deletion that was accepted and failed.
FAILED = frozenset({'error', 'error_deleting'})
GONE = frozenset({'deleted', 'soft_deleted'})


def delete(cloud: Cloud, resource: Resource) -> None:
    """One deletion request; errors of the SDK pass through, also that of a missing object."""
    sdk, identity = cloud.sdk, resource.id
    calls: dict[str, Callable[[], Any]] = {
        # cascade: listeners, pools and members go along, otherwise each is a refused request
        'load_balancer': lambda: sdk.load_balancer.delete_load_balancer(identity, cascade=True),
        'server': lambda: sdk.compute.delete_server(identity),
        'floating_ip': lambda: sdk.network.delete_ip(identity),
        'port': lambda: _delete_port(sdk, resource),
        'router': lambda: sdk.network.delete_router(identity),
        'subnet': lambda: sdk.network.delete_subnet(identity),
        'network': lambda: sdk.network.delete_network(identity),
        'security_group': lambda: sdk.network.delete_security_group(identity),
        'snapshot': lambda: sdk.block_storage.delete_snapshot(identity),
        'volume': lambda: sdk.block_storage.delete_volume(identity),
        'server_group': lambda: sdk.compute.delete_server_group(identity),
        'key_pair': lambda: sdk.compute.delete_keypair(identity),
        'image': lambda: sdk.image.delete_image(identity),
        'application_credential': lambda: sdk.identity.delete_application_credential(cloud.user_id, identity),
    }
    calls[resource.kind]()


def _delete_port(sdk: Any, resource: Resource) -> None:
    # Neutron refuses to delete a router's port; it goes when the interface is removed from the router
    if resource.details.get('device_owner', '').startswith('network:router_interface'):
        sdk.network.remove_interface_from_router(resource.details['device_id'], port_id=resource.id)
    else:
        sdk.network.delete_port(resource.id)
