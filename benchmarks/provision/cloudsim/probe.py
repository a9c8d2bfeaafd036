"""SSH of the imagined servers: it answers when a server is up and its address leads to it."""

from __future__ import annotations

from pathlib import Path

from .cloud import Cloud
from .compute import host_key


class Probe:
    """What scs_ci.cloud.ssh.Probe asks for. refused: what a login says, empty when it works."""

    def __init__(self, cloud: Cloud, refused: str = '') -> None:
        self.cloud, self.refused = cloud, refused

    def banner(self, address: str) -> bool:
        return bool(self._fixed(address))

    def scan(self, address: str) -> frozenset[str]:
        fixed = self._fixed(address)
        return frozenset({f'ssh-ed25519 {host_key(fixed)}'} if fixed else ())

    def login(self, address: str, user: str, key: Path, known_hosts: tuple[str, ...]) -> str:
        return self.refused if self._fixed(address) else 'Connection refused'

    def _fixed(self, address: str) -> str:
        """The fixed address of the server that answers there, empty for none; one round trip."""
        store = self.cloud.store
        self.cloud.turns.sleep(store.settings.rtt)
        store.advance()
        bound = next(store.find('floatingip', floating_ip_address=address), None)
        port = store.of('port').get(bound['port_id']) if bound and bound['port_id'] else None
        server = store.of('server').get(port['device_id']) if port else None
        up = server is not None and server['status'] == 'ACTIVE'
        return str(port['fixed_ips'][0]['ip_address']) if up and port else ''
