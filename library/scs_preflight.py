#!/usr/bin/python
"""Thin module; the work is done in module_utils/scs_ci/cloud."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scs_preflight
short_description: Ask a cloud whether a run fits into it
description:
  - Compares what the nodes and clusters of a run need with quotas, flavors, images, networks, zones and addresses.
  - Looks whether the credential lasts as long as the run, at clocks, versions of APIs and names of the catalog, and
    tells how fast each service answered.
  - Reports every shortfall at once, with numbers, and fails if there is one. Nothing in the cloud is changed.
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
      - Directory of the run. Its plan tells the clusters.
      - The files C(cloud-before.json) and C(stages/preflight.json) are written.
    type: path
  run_id:
    description: Id of the run when there is no run directory.
    type: str
  kubernetes:
    description: Versions of the clusters to plan for when there is no run directory, for example V(v1.34.7).
    type: list
    elements: str
  upgraded:
    description: Versions to which such clusters are upgraded when there is no run directory.
    type: list
    elements: str
  topology:
    description: As in M(scs_nodes).
    type: dict
  public_key:
    description: As in M(scs_nodes).
    type: path
  seconds:
    description: How long the run may last, its cleanup included; the credential must last as long.
    type: float
    default: 6600
attributes:
  check_mode:
    description: Does the same, for the cloud is never changed; records are written all the same.
    support: full
  diff_mode:
    description: There is no difference to show.
    support: none
seealso:
  - module: scs_nodes
"""

EXAMPLES = r"""
- name: Check the cloud before anything is made
  scs_preflight:
    cloud: mycloud
    run_dir: "{{ run_dir }}"
"""

RETURN = r"""
rows:
  description: Everything that was checked.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Service or kind of check., type: str, returned: always}
    subject: {description: What was checked., type: str, returned: always}
    ok: {description: V(false) is a shortfall; null means that the cloud does not tell., type: bool, returned: always}
    answer: {description: What the cloud said., type: str, returned: always}
    need: {description: Amount that the run needs., type: int, returned: for quotas}
    used: {description: Amount in use., type: int, returned: for quotas}
    limit: {description: 'Limit, -1 for none.', type: int, returned: for quotas}
    holders:
      description: Runs and owners that hold what is used, the largest share first.
      type: list
      elements: str
      returned: for quotas that are short
chosen:
  description: Flavors, images and networks that would be used.
  type: dict
  returned: always
shortfalls:
  description: Number of shortfalls.
  type: int
  returned: always
verdict:
  description: Class of the first shortfall, for example V(quota), V(image).
  type: str
  returned: failure
"""

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible.module_utils.scs_ci.cloud import door

SPEC = {
    **door.SPEC,
    **door.TOPOLOGY,
    'cloud': {'type': 'str', 'fallback': (env_fallback, ['OS_CLOUD'])},
    'kubernetes': {'type': 'list', 'elements': 'str'},
    'upgraded': {'type': 'list', 'elements': 'str'},
    'seconds': {'type': 'float', 'default': 6600.0},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=SPEC,
        supports_check_mode=True,
        required_one_of=[('run_dir', 'run_id')],
        mutually_exclusive=[('run_dir', 'run_id'), ('run_dir', 'kubernetes'), ('run_dir', 'upgraded')],
    )
    door.answer(module, lambda: door.run_preflight(module.params))


if __name__ == '__main__':
    main()
