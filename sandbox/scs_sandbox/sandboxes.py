"""A sandbox by name: where its files are and what has been made of it. Knows nothing of how that is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import names
from .cloud.model import REGION_NAMES, Region

CHARTS_PORT = 5480  # of the mirror of charts, at the lab's address


@dataclass(frozen=True)
class Sandbox:
    """A sandbox by name and where its files are."""

    name: str
    state: Path

    @property
    def netns(self) -> str:
        return names.lab_namespace(self.name)

    @property
    def clouds(self) -> Path:
        return self.state / 'clouds.yaml'

    @property
    def credentials(self) -> Path:
        return self.state / 'credentials.json'

    @property
    def processes(self) -> Path:
        """Records of the processes that belong to no region."""
        return self.state / 'processes'

    def regions(self) -> list[Region]:
        """The regions that have been made, home first."""
        return [r for r in map(self.region, range(len(REGION_NAMES))) if marker(r).exists()]

    def region(self, index: int) -> Region:
        return Region(index, self.state / 'cloud' / REGION_NAMES[index], self.state)


def find(name: str) -> Sandbox:
    """The sandbox of this name, whether it is up or not. Raises SandboxError for a name that cannot be."""
    return Sandbox(name, names.state_directory(name))


def marker(region: Region) -> Path:
    """The file that says that a region has been made completely."""
    return region.home / 'complete'
