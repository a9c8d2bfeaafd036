#!/usr/bin/python
"""Thin module; the work is done in module_utils/scs_ci/cloud."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scs_credential
short_description: The application credential of a run
description:
  - Makes a restricted application credential with few roles that expires some time after the job's timeout.
  - Its secret is nowhere but in one file that only its owner can read, a C(clouds.yaml) with a cloud of the same name.
  - A credential whose secret is lost, that does not work, or that would expire too early, is revoked and made anew.
  - The purge of the run revokes it, too.
version_added: 0.1.0
author: SCS community
requirements:
  - openstacksdk >= 4.22
options:
  cloud:
    description: Name of a cloud in C(clouds.yaml). The default is E(OS_CLOUD), then the cloud of the run directory.
    type: str
  run_dir:
    description: Directory of the run, from which its id, owner and expiry are taken.
    type: path
  run_id:
    description: Id of the run when there is no run directory.
    type: str
  owner:
    description: Owner of a run without directory. The default is C(ansible).
    type: str
  file:
    description:
      - Where the secret is. A file that scs-ci did not write is refused.
      - The default is C(scs-ci/<run id>/clouds.yaml) below E(XDG_STATE_HOME).
    type: path
  roles:
    description:
      - Roles of the credential. The login must have them.
      - Without them it has V(member), and V(load-balancer_member) where the login has it.
    type: list
    elements: str
    default: []
  job_timeout:
    description: Seconds that the job may still take. The credential lives an hour longer, and until the run expires.
    type: float
    default: 21600
  optional:
    description:
      - Where the login may make no credential, as a restricted application credential, make none and return the reason.
      - With O(run_dir) the record C(stages/credential.json) says so, too.
    type: bool
    default: false
  state:
    description: V(absent) revokes all credentials of the run and removes the file.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Returns what would be done, and why.
    support: full
  diff_mode:
    description: Shows name, roles, expiry and file, never the secret.
    support: full
seealso:
  - module: scs_purge
"""

EXAMPLES = r"""
- name: The run has a credential of its own
  scs_credential:
    cloud: mycloud
    run_id: "{{ zuul.build }}"
    job_timeout: "{{ zuul.timeout }}"
    file: "{{ zuul.executor.work_root }}/scs-ci-keys/clouds.yaml"

- name: The credential is revoked
  scs_credential:
    cloud: mycloud
    run_id: "{{ zuul.build }}"
    state: absent
"""

RETURN = r"""
credential:
  description: Id, name, expiry, roles and file, and the reason why it was made; never the secret. Empty without one.
  type: dict
  returned: O(state=present)
reason:
  description: Why there is none.
  type: str
  returned: O(optional=true), and the login may make none
revoked:
  description: Ids of the revoked credentials.
  type: list
  elements: str
  returned: O(state=absent)
verdict:
  description: Class of the problem.
  type: str
  returned: failure
"""

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible.module_utils.scs_ci.cloud import door, door_credential

SPEC = {
    **door_credential.SPEC,
    'cloud': {'type': 'str', 'fallback': (env_fallback, ['OS_CLOUD'])},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=SPEC,
        supports_check_mode=True,
        required_one_of=[('run_dir', 'run_id')],
        mutually_exclusive=[('run_dir', 'run_id')],
    )
    door.answer(module, lambda: door_credential.run_credential(module.params, module.check_mode))


if __name__ == '__main__':
    main()
