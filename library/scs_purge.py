#!/usr/bin/python
"""Thin module; the work is done in module_utils/scs_ci/cloud."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scs_purge
short_description: Delete everything of a run from a cloud and prove it
description:
  - Deletes what carries the marks of the run and what Cluster API, the cloud controller and CSI made for its clusters.
  - Works in any state and needs nothing but the cloud and the id of the run. Other objects are never touched.
  - Fails when something is left over.
version_added: 0.1.0
author: SCS community
requirements:
  - openstacksdk >= 4.22
options:
  cloud:
    description: Name of a cloud in C(clouds.yaml). The default is E(OS_CLOUD), then the cloud of the run directory.
    type: str
  run_dir:
    description:
      - Directory of the run. C(cloud-after.json), C(leftovers.json) and C(stages/purge.json) are written.
    type: path
  run_id:
    description: Id of the run when there is no run directory.
    type: str
  key_dir:
    description: Directory of the run's own key, which is deleted too when O(run_dir) is given.
    type: path
  timeout:
    description: Seconds until everything must be gone.
    type: float
    default: 600
attributes:
  check_mode:
    description: Returns what would be deleted, and why.
    support: full
  diff_mode:
    description: In check mode, shows what would be deleted.
    support: partial
seealso:
  - module: scs_nodes
"""

EXAMPLES = r"""
- name: Leave nothing behind
  scs_purge:
    cloud: mycloud
    run_id: "{{ zuul.build }}"
"""

RETURN = r"""
deleted:
  description: Number of deleted objects by kind.
  type: dict
  returned: always
leftovers:
  description: What is still there, with kind, id, name and reason.
  type: list
  elements: dict
  returned: always
plan:
  description: What was found, and why it belongs to the run.
  type: list
  elements: dict
  returned: without O(run_dir), and in check mode
kept:
  description: Everything else in the project, and why it stays.
  type: list
  elements: dict
  returned: in check mode
unknown:
  description: Kinds that cannot be looked at, with the reason.
  type: dict
  returned: in check mode
verdict:
  description: V(leftovers), or the class of another problem.
  type: str
  returned: failure
"""

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible.module_utils.scs_ci.cloud import door

SPEC = {
    **door.SPEC,
    **door.TIMEOUT,
    'cloud': {'type': 'str', 'fallback': (env_fallback, ['OS_CLOUD'])},
    # a path, not a secret
    'key_dir': {'type': 'path', 'no_log': False},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=SPEC,
        supports_check_mode=True,
        required_one_of=[('run_dir', 'run_id')],
        mutually_exclusive=[('run_dir', 'run_id')],
    )
    door.answer(module, lambda: door.run_purge(module.params, module.check_mode))


if __name__ == '__main__':
    main()
