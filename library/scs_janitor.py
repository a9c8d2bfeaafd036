#!/usr/bin/python
"""Thin module; the work is done in module_utils/scs_ci/cloud."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scs_janitor
short_description: Purge what expired runs left in a project, whoever they belong to
description:
  - Finds all runs by their marks, and by names alone where no mark of a run is left.
  - Deletes a run when it is past its expiry, was seen so by an earlier look, and none of its builds runs.
  - Objects that belong to no run are never touched.
  - Fails when something is left over, and when Zuul does not answer.
version_added: 0.1.0
author: SCS community
requirements:
  - openstacksdk >= 4.22
options:
  cloud:
    description: Name of a cloud in C(clouds.yaml). The default is E(OS_CLOUD).
    type: str
    required: true
  owners:
    description: Only runs of these owners. All, when empty.
    type: list
    elements: str
    default: []
  zuul:
    description: REST APIs of Zuul's tenants, whose running builds' runs are kept.
    type: list
    elements: str
    default: []
  state_file:
    description:
      - What earlier calls saw. Must outlive the call, else nothing is ever seen twice.
      - The default is C(scs-ci/janitor.json) below E(XDG_STATE_HOME).
    type: path
  look_again:
    description: Look twice in this call, with that many seconds between, instead of remembering.
    type: float
  again_after:
    description: Least number of seconds between the first sighting and the deletion.
    type: float
    default: 600
  unmarked_hours:
    description: Age at which names of runs without any mark count as expired.
    type: float
    default: 24
  timeout:
    description: Seconds for all deletions.
    type: float
    default: 600
attributes:
  check_mode:
    description: Returns which runs would be deleted, and why others would not. Nothing is remembered.
    support: full
  diff_mode:
    description: Shows which runs are deleted.
    support: full
seealso:
  - module: scs_purge
"""

EXAMPLES = r"""
- name: No expired run is left
  scs_janitor:
    cloud: mycloud
    zuul: ["https://zuul.example.org/api/tenant/scs"]

- name: No expired run is left, on a host that remembers nothing
  scs_janitor:
    cloud: mycloud
    look_again: 600
"""

RETURN = r"""
runs:
  description: All runs with owner, expiry, age in hours, objects by kind, whether and why they are due, and deletions.
  type: list
  elements: dict
  returned: always
owners:
  description: For each owner the number of runs, of these expired, of objects, and the age of the oldest in hours.
  type: dict
  returned: always
leftovers:
  description: What was to be deleted and is still there, with kind, id, name and reason.
  type: list
  elements: dict
  returned: always
failed_runs:
  description: Runs that were due and not deleted, with the reason.
  type: dict
  returned: always
others:
  description: Number of objects that belong to no run.
  type: int
  returned: always
verdict:
  description: V(leftovers), or the class of another problem.
  type: str
  returned: failure
"""

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible.module_utils.scs_ci.cloud import door, door_janitor

SPEC = {
    **door_janitor.SPEC,
    'cloud': {'type': 'str', 'required': True, 'fallback': (env_fallback, ['OS_CLOUD'])},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=SPEC,
        supports_check_mode=True,
        mutually_exclusive=[('state_file', 'look_again')],
    )
    door.answer(module, lambda: door_janitor.run_janitor(module.params, module.check_mode))


if __name__ == '__main__':
    main()
