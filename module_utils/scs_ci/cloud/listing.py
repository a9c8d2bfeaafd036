"""The test nodes of a project as the cloud sees them, of one run or of all."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.naming import names
from . import marks, observe, plan
from .connect import Cloud
from .model import Server

# The beginning of every name that scs-ci gives (core/naming.py).
EVERY_RUN = 'scs-ci-'


@dataclass(frozen=True)
class Listed:
    """address: the floating one, else the fixed one, '' without any; expires: ISO 8601, UTC; status: Nova's."""

    name: str
    id: str
    status: str
    address: str
    user: str
    flavor: str
    image: str
    zone: str
    run: str
    owner: str
    expires: str
    fault: str


def listed(cloud: Cloud, run: str = '') -> list[Listed]:
    """Nodes of the run, or of every run: one request. Servers of clusters are not among them."""
    found = observe.servers(cloud, f'{names(run).prefix}-' if run else EVERY_RUN)
    nodes = [server for server in found if plan.GROUP in server.metadata and server.metadata.get(marks.RUN)]
    own = [server for server in nodes if run in ('', server.metadata[marks.RUN])]
    return [_listed(server) for server in sorted(own, key=lambda server: (server.metadata[marks.RUN], server.name))]


def _listed(server: Server) -> Listed:
    meta = server.metadata
    return Listed(
        name=server.name,
        id=server.id,
        status='DELETING' if server.task in plan.GONE_TASKS else server.status,
        address=server.address,
        user=meta.get(plan.USER, ''),
        flavor=meta.get(plan.FLAVOR, ''),
        image=meta.get(plan.IMAGE, ''),
        zone=server.zone,
        run=meta.get(marks.RUN, ''),
        owner=meta.get(marks.OWNER, ''),
        expires=meta.get(marks.EXPIRES, ''),
        fault=server.fault,
    )
