"""Fixed and floating addresses of booting nodes: two lists for all of them, and one request per new floating IP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import failures, lists, marks, retry
from .blueprint import Ground
from .model import Group
from .progress import Progress
from .site import Site


class Addresses:
    """Finds and gives addresses. nodes: what is known of each node, completed here."""

    def __init__(self, site: Site, nodes: Mapping[str, Progress]) -> None:
        self.site, self.nodes = site, nodes

    def complete(self, wanted: Mapping[str, Group], ground: Callable[[], Ground]) -> None:
        """One round; no request when every node has its addresses.

        ground is asked only when a floating IP has to be made: a converged call spares those lists.
        """
        open_ = [name for name, group in wanted.items() if self._open(name, group)]
        if not open_:
            return
        self._ports(open_)
        waiting = [n for n in open_ if wanted[n].floating_ip and self.nodes[n].port and not self.nodes[n].floating]
        if waiting:
            found = self._floating()
            known = {address.port_id: address for address in found if address.port_id}
            spare = [address for address in found if not address.port_id]
            fresh = [name for name in waiting if self.nodes[name].port not in known]
            # asked here and not by the threads, each of which would ask for itself
            external = ground().external if len(fresh) > len(spare) else ''
            self.site.each(lambda name: self._float(name, known, spare, external), waiting)

    def _open(self, name: str, group: Group) -> bool:
        state = self.nodes[name]
        return bool(state.server and (not state.fixed or (group.floating_ip and not state.floating)))

    def _ports(self, names: Iterable[str]) -> None:
        project = self.site.cloud.project_id
        with failures.cloud_errors('cannot list', f'ports of project {project}'):
            found = retry.reading(lambda: list(lists.ports(self.site.cloud, project_id=project)), self.site.clock)
        by_server = {port.device_id: port for port in found if port.fixed_ips}
        for name in names:
            state = self.nodes[name]
            if port := by_server.get(state.server):
                state.port, state.fixed = port.id, port.fixed_ips[0]['ip_address']

    def _floating(self) -> list[Any]:
        """The run's floating IPs, by mark; other people's idle ones are not ours to take."""
        project, run = self.site.cloud.project_id, self.site.mark.run
        with failures.cloud_errors('cannot list', f'floating IPs of project {project}'):
            found = retry.reading(
                lambda: list(lists.floating_ips(self.site.cloud, project_id=project)), self.site.clock
            )
        return [ip for ip in found if (mark := marks.from_description(ip.description or '')) and mark.run == run]

    def _float(self, name: str, known: Mapping[str, Any], spare: list[Any], external: str) -> None:
        state = self.nodes[name]
        address = known.get(state.port) or self._new(name, state.port, spare, external)
        if not address:
            return
        state.floating = address.floating_ip_address
        state.reached('address', self.site.elapsed)
        self.site.say(f'address {state.floating}', name)

    def _new(self, name: str, port: str, spare: list[Any], external: str) -> Any | None:
        """A floating IP on the port: a spare one of the run, or a new one; None when the port is gone meanwhile."""
        sdk, clock = self.site.sdk.network, self.site.clock
        with failures.cloud_errors('cannot give a floating IP to', f'node {name} (port {port})'):
            try:
                if spare:
                    idle = spare.pop().id  # atomic: two threads never take the same one
                    return retry.reading(lambda: sdk.update_ip(idle, port_id=port), clock)
                body = {
                    'floating_network_id': external,
                    'port_id': port,
                    'description': self.site.mark.description(),
                }
                return retry.creating(
                    lambda: sdk.create_ip(**body), lambda: next(iter(sdk.ips(port_id=port)), None), clock
                )
            except failures.sdk_errors() as error:
                if not failures.is_missing(error):
                    raise
        # Nova takes the port of a failing server away; the next list shows its fault, which is the better message
        self.nodes[name].port = ''
        return None
