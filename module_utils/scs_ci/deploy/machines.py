"""Below the objects: what the cloud knows of a cluster's machines and of the address of its API.

Asked only when a wait has ended badly, and only about machines that are no healthy nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from ..core.errors import Problem
from . import console
from .diagnosis import Complaint
from .kinds import CONTROL_PLANE_LABEL, Object, condition, condition_text, is_true, name_of, status

# Deeper than every object of the management cluster: what stands in the cloud, what it says, and the way to it.
SERVER, CONSOLE, ENDPOINT = 15, 16, 17
# Machines asked about: the first that failed is the one that counts, and each console takes seconds.
MOST_MACHINES = 3
API_PORT = 6443


class CloudView(Protocol):
    """What this room asks of the cloud. Raises Problem when it does not answer."""

    def server(self, server_id: str) -> Mapping[str, Any] | None: ...

    def console(self, server_id: str) -> str: ...

    def simulated(self, server_id: str) -> Sequence[str]: ...

    def address(self, address: str) -> Mapping[str, Any] | None: ...

    def resources(self, cluster: str) -> Mapping[str, Sequence[Mapping[str, Any]]]: ...


def cloud_complaints(objects: Sequence[Object], view: CloudView) -> list[Complaint]:
    """Of the API's floating IP, of servers that are not as they should be, and of what their consoles say."""
    initialized = any(o.get('kind') == 'Cluster' and is_true(o, 'ControlPlaneInitialized') for o in objects)
    found = endpoint_complaints(objects, view, initialized)
    for machine in sick(objects)[:MOST_MACHINES]:
        found += _of_machine(machine, objects, view)
    return found


def sick(objects: Iterable[Object]) -> list[Object]:
    """Machines that are no healthy nodes, control plane first: without it no other can join."""
    machines = [obj for obj in objects if obj.get('kind') == 'Machine' and not is_true(obj, 'NodeHealthy')]
    return sorted(machines, key=lambda obj: (not _is_control_plane(obj), name_of(obj)))


def _is_control_plane(machine: Object) -> bool:
    return CONTROL_PLANE_LABEL in (machine['metadata'].get('labels') or {})


def _of_machine(machine: Object, objects: Sequence[Object], view: CloudView) -> list[Complaint]:
    name = name_of(machine)
    server_id = instance(name, objects)
    if not server_id:
        return []  # not asked for yet; the objects say why
    try:
        server = view.server(server_id)
        if server is None:
            return [Complaint(f'server {name}', 'Server', f'is gone from the cloud ({server_id})', SERVER)]
        if server.get('status') != 'ACTIVE':
            return [_not_active(name, server)]  # Nova refuses the console of a server that did not start
        found = [
            Complaint(f'console of {name}', 'Console', _with_arguments(text, name, objects), CONSOLE)
            for text in console.causes(view.console(server_id))
        ]
    except Problem as problem:
        return [Complaint(f'server {name}', 'Server', f'{problem.what} {problem.subject}: {problem.answer}', SERVER)]
    return found or _silent(machine, server)


def instance(name: str, objects: Iterable[Object]) -> str:
    """Id of the server of a machine; CAPO gives machine, OpenStackMachine and server one name."""
    found = next((o for o in objects if o.get('kind') == 'OpenStackServer' and name_of(o) == name), None)
    return str(status(found).get('instanceID') or '')


def _not_active(name: str, server: Mapping[str, Any]) -> Complaint:
    why = f': {server["fault"]}' if server.get('fault') else ''
    return Complaint(f'server {name}', 'Server', f'is {server.get("status")} in the cloud{why}', SERVER)


def _silent(machine: Object, server: Mapping[str, Any]) -> list[Complaint]:
    """A machine that was a node once and answers no more: the cloud does not notice when a host loses its power."""
    if not (status(machine).get('nodeRef') or {}).get('name'):
        return []
    node = status(machine)['nodeRef']['name']
    entry = condition(machine, 'NodeHealthy')
    said = condition_text(entry) if entry else 'NodeHealthy is not reported'
    seen = f'{server.get("status")} for the cloud'
    text = f'node {node} was there and is silent ({said}); {seen}: its host or kubelet is down'
    return [Complaint(f'server {name_of(machine)}', 'Server', text, SERVER)]


def _with_arguments(text: str, machine: str, objects: Iterable[Object]) -> str:
    """Kubelet's own words stay on the machine; what the class asked of it is known."""
    given = kubelet_arguments(machine, objects) if text.startswith(console.UNHEALTHY) else ''
    return f'{text}; its arguments by the class: {given}' if given else text


def kubelet_arguments(machine: str, objects: Iterable[Object]) -> str:
    """`name=value name=value` as the KubeadmConfig of a machine has them (v1beta2: a list of name and value)."""
    config = next((o for o in objects if o.get('kind') == 'KubeadmConfig' and name_of(o) == machine), None) or {}
    spec = config.get('spec') or {}
    for part in ('initConfiguration', 'joinConfiguration'):
        given = ((spec.get(part) or {}).get('nodeRegistration') or {}).get('kubeletExtraArgs')
        if given:
            return ' '.join(f'{entry.get("name")}={entry.get("value") or ""}' for entry in given)
    return ''


def endpoint_complaints(objects: Iterable[Object], view: CloudView, had_port: bool = True) -> list[Complaint]:
    """The floating IP of the cluster's API when the cloud has it no more, or has it at no port.

    had_port: whether a machine had it already; CAPO makes the address before there is one.

    CAPO 0.14.7 without load balancer deletes it together with the control plane machine that it replaces.
    """
    infrastructure = next((o for o in objects if o.get('kind') == 'OpenStackCluster'), None) or {}
    endpoint = (infrastructure.get('spec') or {}).get('controlPlaneEndpoint') or {}
    address, port = str(endpoint.get('host') or ''), endpoint.get('port') or API_PORT
    if not address or not _expects_floating(infrastructure):
        return []
    subject = f'API address {address}:{port}'
    try:
        found = view.address(address)
    except Problem:
        return []  # a cloud that does not answer is told by who asked for more
    if found is None:
        text = 'its floating IP is gone from the cloud, so nobody reaches the cluster'
    elif had_port and not found.get('port_id'):
        text = f'its floating IP {found.get("id")} is associated with no port, so nobody reaches the cluster'
    else:
        return []
    return [Complaint(subject, 'FloatingIP', text, ENDPOINT)]


def _expects_floating(infrastructure: Mapping[str, Any]) -> bool:
    """An address of the cluster's own network, or a fixed one of the caller's, is no floating IP."""
    spec = infrastructure.get('spec') or {}
    return not spec.get('disableAPIServerFloatingIP') and not spec.get('apiServerFixedIP')
