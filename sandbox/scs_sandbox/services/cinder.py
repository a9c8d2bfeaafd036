"""Cinder's volume driver: a volume exists in the database, and as a directory of the agent once it was attached."""

from __future__ import annotations

import time
from typing import Any

from cinder import exception, interface
from cinder.volume import driver

from ..agent import client
from ..cloud.model import VOLUME_BACKEND
from . import environment

CAPACITY = 10000.0  # GiB


@interface.volumedriver  # type: ignore[untyped-decorator]
class SandboxVolumeDriver(driver.VolumeDriver):  # type: ignore[misc]
    """Every operation succeeds at once, unless a fault says otherwise."""

    VERSION = '1.0'

    def do_setup(self, context: Any) -> None:
        """Nothing to prepare."""

    def check_for_setup_error(self) -> None:
        """Nothing can be wrong."""

    def _update_volume_stats(self) -> None:
        capacity = float(environment.faults('cinder').get('capacity_gb', CAPACITY))
        self._stats = {
            'volume_backend_name': VOLUME_BACKEND,
            'vendor_name': 'scs-sandbox',
            'driver_version': self.VERSION,
            'storage_protocol': 'sandbox',
            'total_capacity_gb': capacity,
            'free_capacity_gb': capacity,
            'reserved_percentage': 0,
            'multiattach': False,
            'thin_provisioning_support': False,
        }

    def create_volume(self, volume: Any) -> None:
        faults = environment.faults('cinder')
        time.sleep(float(faults.get('create_delay', 0)))
        if environment.hits(faults.get('create_error'), volume.display_name):
            raise exception.VolumeBackendAPIException(data='injected by scs-sandbox faults')

    def delete_volume(self, volume: Any) -> None:
        if environment.hits(environment.faults('cinder').get('delete_error'), volume.display_name):
            raise exception.VolumeBackendAPIException(data='injected by scs-sandbox faults')
        try:
            client.call(environment.agent_socket(), 'volume-delete', volume=volume.id)
        except client.AgentError as error:
            raise exception.VolumeBackendAPIException(data=str(error)) from error

    def clone_image(self, context: Any, volume: Any, image_location: Any, image_meta: Any, image_service: Any) -> Any:
        """A volume from an image without copying anything: what a server boots is the image's tree."""
        self.create_volume(volume)
        return {'provider_location': None}, True

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:
        self.create_volume(volume)

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        self.create_volume(volume)

    def create_snapshot(self, snapshot: Any) -> None:
        """A snapshot of nothing."""

    def delete_snapshot(self, snapshot: Any) -> None:
        """Nothing to delete."""

    def extend_volume(self, volume: Any, new_size: int) -> None:
        """The size is in the database."""

    def ensure_export(self, context: Any, volume: Any) -> None:
        """Nothing is exported."""

    def create_export(self, context: Any, volume: Any, connector: Any) -> None:
        """Nothing is exported."""

    def remove_export(self, context: Any, volume: Any) -> None:
        """Nothing is exported."""

    def initialize_connection(self, volume: Any, connector: Any, **kwargs: Any) -> dict[str, Any]:
        facts = {'name': volume.display_name, 'size_gb': volume.size}
        return {'driver_volume_type': 'fake', 'data': {'volume_id': volume.id, 'access_mode': 'rw', 'facts': facts}}

    def terminate_connection(self, volume: Any, connector: Any, **kwargs: Any) -> None:
        """Nothing was connected."""

    def copy_image_to_volume(self, context: Any, volume: Any, image_service: Any, image_id: str, **kwargs: Any) -> None:
        """What a server boots is the image's tree."""
