"""Nova's virt driver, which hands servers to the agent.

The driver stays thin: it says what a server has to be (document()), the agent makes it so.
nova.virt.fake gives the rest of the interface: resources of the host, root disks on volumes (simulated), migrations
between the three compute services (which are all this machine).
"""

from __future__ import annotations

import time
import uuid
from typing import Any

import nova.conf
import nova.virt.fake
from nova import exception
from nova.compute import power_state
from nova.virt import driver, hardware

from ..agent import client
from . import environment, hosts

CONF = nova.conf.CONF
START_TIMEOUT = 90.0  # seconds for the agent to start a server; 2 s when quiet, 50 at once on 2 cores take a minute
TREE = 'image_scs_sandbox_tree'  # Nova copies an image's properties into the server with this prefix
# Properties of an image that its tree acts on, see machines.model.FEATURES.
FEATURES = {'cni': ('image_scs_sandbox_cni', 'provided'), 'node-ip': ('image_scs_sandbox_node_ip', 'true')}
DEFAULT_MTU = 1450
STATES = {
    'running': power_state.RUNNING,
    'stopped': power_state.SHUTDOWN,
    'crashed': power_state.CRASHED,
}


def port_document(vif: Any) -> dict[str, Any]:
    """A port of a server for the agent, from an entry of Nova's network info."""
    subnets = vif['network']['subnets']
    gateways = [(subnet.get('gateway') or {}).get('address') for subnet in subnets]
    return {
        'id': vif['id'],
        'mac': vif['address'],
        'network_id': vif['network']['id'],
        'addresses': [f'{ip["address"]}/{subnet["cidr"].split("/")[1]}' for subnet in subnets for ip in subnet['ips']],
        'gateway': next((g for g in gateways if g), None),
        'mtu': vif['network'].get('meta', {}).get('mtu') or DEFAULT_MTU,
        'dns': [server['address'] for subnet in subnets for server in subnet.get('dns') or []],
    }


def document(instance: Any, network_info: Any, state: str) -> dict[str, Any]:
    """A server for the agent (operation server-apply). Raises BuildAbortException for an image that is no tree of the
    sandbox."""
    tree = instance.system_metadata.get(TREE)
    if not tree:
        raise exception.BuildAbortException(
            instance_uuid=instance.uuid,
            reason=(
                f'image {instance.image_ref or "of the volume"} has no property scs_sandbox_tree, '
                'so the sandbox knows no directory tree to boot; '
                'use one of its own images or copy that property'
            ),
        )
    return {
        'id': instance.uuid,
        'name': instance.display_name,
        'hostname': instance.hostname,
        'state': state,
        'image': tree,
        'memory_mb': instance.flavor.memory_mb,
        'vcpus': instance.flavor.vcpus,
        'ports': [port_document(vif) for vif in network_info or []],
        'user_data': instance.user_data,
        'keys': [instance.key_data] if instance.key_data else [],
        'metadata': dict(instance.metadata),
        'availability_zone': instance.availability_zone or 'nova',
        'features': [
            name for name, (key, value) in FEATURES.items() if instance.system_metadata.get(key, '').lower() == value
        ],
    }


def _ask(op: str, **arguments: Any) -> dict[str, Any]:
    return client.call(environment.agent_socket(), op, timeout=START_TIMEOUT, **arguments)


class SandboxDriver(nova.virt.fake.FakeDriver):  # type: ignore[misc]
    """Virt driver whose hypervisor is the sandbox's agent."""

    vcpus = 256
    memory_mb = 1048576
    local_gb = 20000

    def init_host(self, host: str) -> None:
        super().init_host(host)
        self.host_status_base['hypervisor_hostname'] = host

    def get_nodenames_by_uuid(self, refresh: bool = False) -> dict[str, str]:
        return {self._node_uuid(name): name for name in self.get_available_nodes()}

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        found: dict[str, Any] = super().get_available_resource(nodename)
        return {**found, 'uuid': self._node_uuid(nodename)}

    @staticmethod
    def _node_uuid(name: str) -> str:
        """The same at every start and in every clone; the fake driver makes random ones, which Placement sees as new
        hosts."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f'scs-sandbox-{name}'))

    def get_host_ip_addr(self) -> str:
        return str(CONF.my_ip)

    def spawn(
        self,
        context: Any,
        instance: Any,
        image_meta: Any,
        injected_files: Any,
        admin_password: Any,
        allocations: Any,
        network_info: Any = None,
        block_device_info: Any = None,
        power_on: bool = True,
        accel_info: Any = None,
    ) -> None:
        self._spawn_faults(instance)
        try:
            _ask('server-apply', server=document(instance, network_info, 'running' if power_on else 'stopped'))
        except client.AgentError as error:
            raise exception.BuildAbortException(instance_uuid=instance.uuid, reason=str(error)) from error
        for mapping in driver.block_device_info_get_mapping(block_device_info):
            if mapping['mount_device'] != driver.block_device_info_get_root_device(block_device_info):
                self._attach(instance, mapping['connection_info'], mapping['mount_device'])
        super().spawn(
            context,
            instance,
            image_meta,
            injected_files,
            admin_password,
            allocations,
            network_info,
            block_device_info,
            power_on,
            accel_info,
        )

    def _await_power(self) -> None:
        """What is asked of a host that is down waits until it is up again."""
        environment.hold(lambda: hosts.is_down(self._host))

    def _spawn_faults(self, instance: Any) -> None:
        self._await_power()
        faults = environment.faults('nova', self._host)
        time.sleep(float(faults.get('spawn_delay', 0)))
        if not environment.hits(faults.get('spawn_error'), instance.display_name):
            return
        if faults.get('spawn_reschedule'):
            raise exception.ComputeResourcesUnavailable(reason='injected by scs-sandbox faults')
        raise exception.BuildAbortException(instance_uuid=instance.uuid, reason='injected by scs-sandbox faults')

    def destroy(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        destroy_disks: bool = True,
        destroy_secrets: bool = True,
    ) -> None:
        self._await_power()
        faults = environment.faults('nova', self._host)
        if environment.hits(faults.get('destroy_hang'), instance.display_name):
            seconds = float(faults.get('destroy_hang_s', environment.HOLD))
            environment.hold(lambda: bool(environment.faults('nova', self._host).get('destroy_hang')), seconds)
        if environment.hits(faults.get('destroy_error'), instance.display_name):
            raise exception.NovaException('injected by scs-sandbox faults')
        _converge(instance, 'server-delete', id=instance.uuid)
        if instance.uuid in self.instances:
            super().destroy(context, instance, network_info, block_device_info, destroy_disks)

    def power_off(self, instance: Any, timeout: int = 0, retry_interval: int = 0) -> None:
        self._await_power()
        _converge(instance, 'server-apply', server=document(instance, instance.get_network_info(), 'stopped'))

    def power_on(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        accel_info: Any = None,
        share_info: Any = None,
    ) -> None:
        self._await_power()
        _converge(instance, 'server-apply', server=document(instance, network_info, 'running'))

    def reboot(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        reboot_type: str,
        block_device_info: Any = None,
        bad_volumes_callback: Any = None,
        accel_info: Any = None,
        share_info: Any = None,
    ) -> None:
        self._await_power()
        if self._state(instance) == 'running':
            _converge(instance, 'server-reboot', id=instance.uuid, hard=reboot_type.upper() == 'HARD')
        else:
            self.power_on(context, instance, network_info)

    def resume_state_on_host_boot(
        self, context: Any, instance: Any, network_info: Any, share_info: Any, block_device_info: Any = None
    ) -> None:
        self.power_on(context, instance, network_info)

    def _state(self, instance: Any) -> str:
        return str(_converge(instance, 'server-status', id=instance.uuid)['state'])

    def instance_exists(self, instance: Any) -> bool:
        return hosts.is_down(self._host) or self._state(instance) != 'absent'

    def get_info(self, instance: Any, use_cache: bool = True) -> Any:
        if hosts.is_down(self._host):  # nobody answers, so what was known last stays
            return hardware.InstanceInfo(state=instance.power_state)
        state = self._state(instance)
        if state not in STATES:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        return hardware.InstanceInfo(state=STATES[state])

    def get_console_output(self, context: Any, instance: Any) -> bytes:
        try:
            return environment.console_log(instance.uuid).read_bytes()
        except FileNotFoundError as error:
            raise exception.ConsoleNotAvailable() from error

    def attach_interface(self, context: Any, instance: Any, image_meta: Any, vif: Any) -> None:
        ports = {v['id']: port_document(v) for v in [*instance.get_network_info(), vif]}
        _converge(instance, 'server-ports', id=instance.uuid, ports=list(ports.values()))
        super().attach_interface(context, instance, image_meta, vif)

    def detach_interface(self, context: Any, instance: Any, vif: Any) -> None:
        ports = [port_document(v) for v in instance.get_network_info() if v['id'] != vif['id']]
        _converge(instance, 'server-ports', id=instance.uuid, ports=ports)
        self._interfaces.pop(vif['id'], None)

    def attach_volume(
        self,
        context: Any,
        connection_info: Any,
        instance: Any,
        mountpoint: str,
        disk_bus: Any = None,
        device_type: Any = None,
        encryption: Any = None,
    ) -> None:
        self._await_power()
        self._attach(instance, connection_info, mountpoint)
        super().attach_volume(context, connection_info, instance, mountpoint, disk_bus, device_type, encryption)

    @staticmethod
    def _attach(instance: Any, connection_info: Any, device: str) -> None:
        data = connection_info['data']
        facts = {**data.get('facts', {}), 'device': device}
        _converge(instance, 'volume-attach', server=instance.uuid, volume=data['volume_id'], facts=facts)

    def detach_volume(
        self, context: Any, connection_info: Any, instance: Any, mountpoint: str, encryption: Any = None
    ) -> None:
        self._await_power()
        _converge(instance, 'volume-detach', volume=connection_info['data']['volume_id'])
        super().detach_volume(context, connection_info, instance, mountpoint, encryption)

    def migrate_disk_and_power_off(
        self,
        context: Any,
        instance: Any,
        dest: Any,
        flavor: Any,
        network_info: Any,
        block_device_info: Any = None,
        timeout: int = 0,
        retry_interval: int = 0,
    ) -> str:
        self.power_off(instance)
        return ''

    def finish_migration(
        self,
        context: Any,
        migration: Any,
        instance: Any,
        disk_info: Any,
        network_info: Any,
        image_meta: Any,
        resize_instance: Any,
        allocations: Any,
        block_device_info: Any = None,
        power_on: bool = True,
    ) -> None:
        super().finish_migration(
            context,
            migration,
            instance,
            disk_info,
            network_info,
            image_meta,
            resize_instance,
            allocations,
            block_device_info,
            power_on,
        )
        _converge(
            instance, 'server-apply', server=document(instance, network_info, 'running' if power_on else 'stopped')
        )

    def finish_revert_migration(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        migration: Any,
        block_device_info: Any = None,
        power_on: bool = True,
        share_info: Any = None,
    ) -> None:
        super().finish_revert_migration(context, instance, network_info, migration, block_device_info, power_on)
        _converge(
            instance, 'server-apply', server=document(instance, network_info, 'running' if power_on else 'stopped')
        )

    # What a system container cannot do is refused, not pretended.
    def snapshot(self, context: Any, instance: Any, image_id: str, update_task_state: Any) -> None:
        raise NotImplementedError('the sandbox makes no images of servers')

    def pause(self, instance: Any) -> None:
        raise NotImplementedError('the sandbox does not pause servers')

    def suspend(self, context: Any, instance: Any) -> None:
        raise NotImplementedError('the sandbox does not suspend servers')

    def rescue(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError('the sandbox does not rescue servers')


def _converge(instance: Any, op: str, **arguments: Any) -> dict[str, Any]:
    """Ask the agent; its refusal becomes Nova's error, which Nova shows in the server's fault."""
    try:
        return _ask(op, **arguments)
    except client.AgentError as error:
        raise exception.NovaException(f'server {instance.uuid}: {error}') from error


# Nova accepts only drivers below nova.virt.
nova.virt.fake.SandboxDriver = SandboxDriver
