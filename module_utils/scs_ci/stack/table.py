"""The table of versions beside a stack, `versions.yaml`, and the charts that are tied to a Kubernetes minor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .model import Stack
from .versions import Kubernetes, parse_kubernetes
from .yamltext import Node

TABLE = 'versions.yaml'
# The charts of cloud-provider-openstack: 2.34.x belongs to Kubernetes 1.34; their patch numbers mean nothing.
TIED = frozenset({'openstack-cloud-controller-manager', 'openstack-cinder-csi', 'openstack-manila-csi'})
# How tables and layout B abbreviate them.
COLUMNS = {
    'occm': 'openstack-cloud-controller-manager',
    'ccm': 'openstack-cloud-controller-manager',
    'cinder_csi': 'openstack-cinder-csi',
    'csi': 'openstack-cinder-csi',
}


@dataclass(frozen=True)
class Row:
    """An entry of the table. cells: column -> its node; charts: what the cells say, by the name of the chart."""

    node: Node
    version: Kubernetes | None
    cells: Mapping[str, Node]

    @property
    def charts(self) -> dict[str, str]:
        return {COLUMNS[column]: cell.text for column, cell in self.cells.items()}


def rows(stack: Stack) -> tuple[Row, ...]:
    """The entries of the table, in order; none without a table."""
    file = stack.yaml.get(TABLE)
    entries = file.root.items() if file and file.root is not None else ()
    return tuple(_row(entry) for entry in entries)


def _row(entry: Node) -> Row:
    cells = {column: cell for column in COLUMNS if (cell := entry.get(column)) is not None}
    return Row(entry, parse_kubernetes(entry.value('kubernetes')), cells)
