"""Configuration files of the seven services as a pure function: region and password in, file name -> text out.

Every value that is not obvious says why; the traps behind them cost a failed run each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from .model import ADDRESS, COMPUTE_HOSTS, VOLUME_BACKEND, VOLUME_TYPE, Region

Section = Mapping[str, object]
Sections = Mapping[str, Section]

FILES = {
    'keystone': 'keystone.conf',
    'placement': 'placement.conf',
    'glance': 'glance-api.conf',
    'nova': 'nova.conf',
    'neutron': 'neutron.conf',
    'cinder': 'cinder.conf',
    'octavia': 'octavia.conf',
}
COMPUTE_FILTERS = (
    'ComputeFilter',
    'ComputeCapabilitiesFilter',
    'ImagePropertiesFilter',
    'ServerGroupAntiAffinityFilter',
    'ServerGroupAffinityFilter',
    'SameHostFilter',
    'DifferentHostFilter',
)
# Of answers against their own schemas, which is for the developers of the projects and costs a fifth of a request.
UNPROVEN: Section = {'response_validation': 'ignore'}
SILENT = {'driver': 'noop'}


def files(region: Region, password: str, prefix: Path) -> dict[str, str]:
    """All configuration files of a region.

    password: of the user `service`. prefix: root of the environment that holds the services (their paste files).
    """
    made: dict[str, Callable[[Region, str, Path], Sections]] = {
        'keystone': _keystone,
        'placement': _placement,
        'glance': _glance,
        'nova': _nova,
        'neutron': _neutron,
        'cinder': _cinder,
        'octavia': _octavia,
    }
    return {FILES[s.name]: render(made[s.name](region, password, prefix)) for s in region.services}


def render(sections: Sections) -> str:
    """An ini file. Booleans in OpenStack's spelling."""
    lines: list[str] = []
    for name, options in sections.items():
        lines.append(f'[{name}]')
        lines += [
            f'{key} = {str(value).lower() if isinstance(value, bool) else value}' for key, value in options.items()
        ]
        lines.append('')
    return '\n'.join(lines)


def database_url(region: Region, name: str) -> str:
    """SQLite waits 60 s for a lock: with WAL writers queue for milliseconds, so only a hang takes that long."""
    return f'sqlite:///{region.data}/{name}.db?timeout=60'


def _database(region: Region, name: str) -> Section:
    return {'connection': database_url(region, name), 'sqlite_synchronous': False}


def _auth(region: Region, password: str) -> dict[str, object]:
    return {
        'auth_type': 'password',
        'auth_url': region.url('keystone'),
        'username': 'service',
        'password': password,
        'project_name': 'service',
        'user_domain_id': 'default',
        'project_domain_id': 'default',
        'region_name': region.name,
    }


def _client(region: Region, password: str) -> dict[str, object]:
    return {**_auth(region, password), 'valid_interfaces': 'public'}


def _token(region: Region, password: str, service_type: str) -> dict[str, object]:
    return {
        **_auth(region, password),
        'www_authenticate_uri': region.url('keystone'),
        'service_token_roles': 'service',
        'service_token_roles_required': True,
        'service_type': service_type,
    }


def _common(region: Region, name: str) -> dict[str, object]:
    # One process holds API and workers of a project, so messages never leave it: fake://
    return {'log_dir': region.log, 'log_file': f'{name}.log', 'use_stderr': False, 'transport_url': 'fake:///'}


def _locks(region: Region) -> Section:
    return {'lock_path': region.data / 'locks'}


def _keystone(region: Region, password: str, prefix: Path) -> Sections:
    return {
        'DEFAULT': _common(region, 'keystone'),
        'database': _database(region, 'keystone'),
        'token': {'provider': 'fernet'},
        'fernet_tokens': {'key_repository': region.data / 'fernet'},
        'fernet_receipts': {'key_repository': region.data / 'fernet'},
        'credential': {'key_repository': region.data / 'credential'},
        'api': UNPROVEN,
        'cache': {'enabled': True, 'backend': 'dogpile.cache.memory'},
        'identity': {'password_hash_rounds': 4},  # bcrypt with production rounds costs 0.3 s per login
    }


def _placement(region: Region, password: str, prefix: Path) -> Sections:
    return {
        'DEFAULT': _common(region, 'placement'),
        'placement_database': _database(region, 'placement'),
        'api': {'auth_strategy': 'keystone'},
        'keystone_authtoken': _token(region, password, 'placement'),
        'oslo_concurrency': _locks(region),
    }


def _glance(region: Region, password: str, prefix: Path) -> Sections:
    data = region.data
    return {
        'DEFAULT': {
            **_common(region, 'glance'),
            'enabled_backends': 'file:file',
            'enabled_import_methods': '[glance-direct,web-download]',
            'worker_self_reference_url': region.url('glance'),
            'node_staging_uri': f'file://{data}/staging',
        },
        'database': _database(region, 'glance'),
        'keystone_authtoken': _token(region, password, 'image'),
        'paste_deploy': {'flavor': 'keystone', 'config_file': prefix / 'etc/glance/glance-api-paste.ini'},
        'glance_store': {'default_backend': 'file'},
        'file': {'filesystem_store_datadir': data / 'images'},
        'os_glance_staging_store': {'filesystem_store_datadir': data / 'staging'},
        'os_glance_tasks_store': {'filesystem_store_datadir': data / 'tasks'},
        'oslo_concurrency': _locks(region),
        'wsgi': {'task_pool_threads': 2},
    }


def _nova(region: Region, password: str, prefix: Path) -> Sections:
    client = _client(region, password)
    return {
        'DEFAULT': {
            **_common(region, 'nova'),
            'state_path': region.data,
            'my_ip': region.address,
            'host': COMPUTE_HOSTS[0],
            'compute_driver': 'fake.SandboxDriver',
            'force_config_drive': True,
            'report_interval': 10,
            'service_down_time': 60,
            'cpu_allocation_ratio': 1.0,
            'periodic_fuzzy_delay': 0,
            'vif_plugging_is_fatal': False,
            'vif_plugging_timeout': 0,  # the virt driver waits for the network itself
            'heal_instance_info_cache_interval': -1,  # Neutron's port notifications refresh the cache
            'sync_power_state_interval': 10,  # a server that crashed shows within seconds, not ten minutes
            'max_concurrent_builds': 50,
            'instance_usage_audit': False,
        },
        'api_database': _database(region, 'nova_api'),
        'database': _database(region, 'nova_cell1'),
        'api': {'auth_strategy': 'keystone', **UNPROVEN},
        'wsgi': {'api_paste_config': prefix / 'etc/nova/api-paste.ini'},
        'keystone_authtoken': _token(region, password, 'compute'),
        'service_user': {**_auth(region, password), 'send_service_user_token': True},
        'placement': client,
        'keystone': client,
        'neutron': {**client, 'service_metadata_proxy': False},
        'glance': {**client, 'num_retries': 1},
        'cinder': {
            **_auth(region, password),
            'catalog_info': 'block-storage:cinder:publicURL',
            'os_region_name': region.name,
        },
        'vnc': {'enabled': False},
        'spice': {'enabled': False},
        'filter_scheduler': {'enabled_filters': ','.join(COMPUTE_FILTERS)},
        'scheduler': {'discover_hosts_in_cells_interval': -1},  # done once, at start
        'notifications': {'notification_format': 'unversioned'},
        'oslo_messaging_notifications': SILENT,
        'key_manager': {'backend': 'nova.keymgr.conf_key_mgr.ConfKeyManager'},
        'oslo_concurrency': _locks(region),
    }


def _neutron(region: Region, password: str, prefix: Path) -> Sections:
    return {
        'DEFAULT': {
            **_common(region, 'neutron'),
            'state_path': region.data,
            'host': COMPUTE_HOSTS[0],
            'auth_strategy': 'keystone',
            'core_plugin': 'ml2',
            'service_plugins': 'sandbox_router,qos',
            'rpc_workers': 0,  # there are no agents; without this, each change is loaded again to be sent to none
            'dhcp_agent_notification': False,
            # Nova's cache of addresses depends on the second one; the first needs agents.
            'notify_nova_on_port_status_changes': False,
            'notify_nova_on_port_data_changes': True,
            'send_events_interval': 1,
            'api_paste_config': prefix / 'etc/neutron/api-paste.ini',
            'global_physnet_mtu': 1500,
            'max_allowed_address_pair': 20,
        },
        'database': _database(region, 'neutron'),
        'keystone_authtoken': _token(region, password, 'network'),
        'nova': _auth(region, password),
        'placement': _auth(region, password),
        'oslo_concurrency': _locks(region),
        'oslo_messaging_notifications': SILENT,
        'ml2': {
            'type_drivers': 'flat,vlan,vxlan,local',
            'tenant_network_types': 'vxlan',
            'mechanism_drivers': 'sandbox',
            'extension_drivers': 'port_security,qos',
        },
        'ml2_type_flat': {'flat_networks': 'public'},
        'ml2_type_vxlan': {'vni_ranges': '1:4000'},
        'ml2_type_vlan': {'network_vlan_ranges': 'public:100:200'},
        'quotas': {
            'quota_network': 20,
            'quota_subnet': 40,
            'quota_port': 200,
            'quota_router': 10,
            'quota_floatingip': 20,
            'quota_security_group': 50,
            'quota_security_group_rule': 500,
        },
    }


def _cinder(region: Region, password: str, prefix: Path) -> Sections:
    return {
        'DEFAULT': {
            **_common(region, 'cinder'),
            'state_path': region.data,
            'my_ip': region.address,
            'host': COMPUTE_HOSTS[0],
            'auth_strategy': 'keystone',
            'enabled_backends': VOLUME_BACKEND,
            'default_volume_type': VOLUME_TYPE,
            'api_paste_config': prefix / 'etc/cinder/api-paste.ini',
            'resource_query_filters_file': prefix / 'etc/cinder/resource_filters.json',
            'report_interval': 10,
            'osapi_volume_workers': 1,
            'glance_api_servers': region.url('glance'),
            'volume_name_template': 'volume-%s',
            'scheduler_driver_init_wait_time': 1,  # default: a minute without volumes after each start
        },
        VOLUME_BACKEND: {
            'volume_driver': 'scs_sandbox.services.cinder.SandboxVolumeDriver',
            'volume_backend_name': VOLUME_BACKEND,
        },
        'database': _database(region, 'cinder'),
        'keystone_authtoken': _token(region, password, 'block-storage'),
        'service_user': {**_auth(region, password), 'send_service_user_token': True},
        'nova': {**_auth(region, password), 'interface': 'public'},
        'coordination': {'backend_url': f'file://{region.data}/coordination'},
        'oslo_concurrency': _locks(region),
        'oslo_messaging_notifications': SILENT,
    }


def _octavia(region: Region, password: str, prefix: Path) -> Sections:
    run = region.run
    return {
        'DEFAULT': {**_common(region, 'octavia'), 'host': COMPUTE_HOSTS[0]},
        'api_settings': {
            'bind_host': region.address,
            'bind_port': region.port('octavia'),
            'auth_strategy': 'keystone',
            # The names that stacks ask for.
            'enabled_provider_drivers': 'amphora:HAProxy run by the sandbox,ovn:HAProxy run by the sandbox',
            'default_provider_driver': 'amphora',
            'api_handler': 'simulated_handler',
            'allow_ping_health_monitors': False,
        },
        'database': _database(region, 'octavia'),
        'keystone_authtoken': _token(region, password, 'load-balancer'),
        'service_auth': _auth(region, password),
        'neutron': _client(region, password),
        'oslo_concurrency': _locks(region),
        'oslo_messaging': {'topic': 'octavia_prov'},
        'task_flow': {'jobboard_enabled': False},
        # A proxy reserves memory for its connections; 50000 each, the default, is for machines of their own.
        'haproxy_amphora': {'default_connection_limit': 1000},
        'driver_agent': {
            'status_socket_path': run / 'octavia-status.sock',
            'stats_socket_path': run / 'octavia-stats.sock',
            'get_socket_path': run / 'octavia-get.sock',
        },
    }


__all__ = ['ADDRESS', 'FILES', 'database_url', 'files', 'render']
