"""Names derived from a run's id, so that everything of a run can be found without any state."""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass

from .errors import UsageProblem

# Short enough for Cluster API's derived names (63 characters), long enough that two runs never share it: 48 bits.
SHORT = 12
RUN_ID = re.compile(r'[a-z0-9][a-z0-9-]{3,62}')


@dataclass(frozen=True)
class Names:
    """Names of what a run creates.

    prefix: of cloud resources without metadata (key pair, server group) and of servers.
    namespace: in the management cluster; cloud names derive from it (`k8s-clusterapi-cluster-<ns>-<name>`).
    """

    run: str
    short: str

    @property
    def prefix(self) -> str:
        return f'scs-ci-{self.short}'

    @property
    def namespace(self) -> str:
        return self.prefix

    def node(self, index: int) -> str:
        return f'{self.prefix}-node-{index}'

    def cluster(self, index: int) -> str:
        return f'{self.prefix}-c{index}'


def new_run_id() -> str:
    """A run id for runs by hand; under Zuul the build's UUID is the id."""
    return str(uuid.uuid4())


def names(run: str) -> Names:
    """The names of a run. A UUID keeps its first digits, so that people recognize the build; the rest is hashed."""
    if not RUN_ID.fullmatch(run):
        raise UsageProblem(
            'cannot use run id', repr(run), 'it must match ' + RUN_ID.pattern, 'use the Zuul build UUID or leave it out'
        )
    try:
        short = uuid.UUID(run).hex[:SHORT]
    except ValueError:
        short = hashlib.sha256(run.encode()).hexdigest()[:SHORT]
    return Names(run, short)
