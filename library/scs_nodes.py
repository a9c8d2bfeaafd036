#!/usr/bin/python
"""Thin module; the work is done in module_utils/scs_ci/cloud."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scs_nodes
short_description: Provision the test nodes of a run, all at once
description:
  - Makes the nodes of a topology and returns them when each of them can be used over SSH.
  - Flavors and images are chosen by their properties. Network, router, security group and key pair are made per run.
  - Everything carries owner, run and expiry from the request that creates it. Running the module again converges,
    whatever state an earlier call left behind; nodes in an error state are replaced.
version_added: 0.1.0
author: SCS community
requirements:
  - openstacksdk >= 4.22
  - cryptography
  - ssh and ssh-keyscan of OpenSSH
options:
  cloud:
    description: Name of a cloud in C(clouds.yaml). The default is E(OS_CLOUD), then the cloud of the run directory.
    type: str
  run_dir:
    description: Directory of the run. With it the record C(stages/provision.json) is written.
    type: path
  run_id:
    description: Id of the run when there is no run directory.
    type: str
  owner:
    description: Who the nodes belong to. Taken from the run directory if there is one.
    type: str
    default: ansible
  expires:
    description: When a janitor may delete the nodes, as V(2026-11-25T18:00:00Z). Six hours from now by default.
    type: str
  state:
    description:
      - V(present) provisions, V(absent) deletes the nodes and what was made for them.
      - To delete also what the clusters of the run made, use M(scs_purge).
    type: str
    choices: [present, absent]
    default: present
  topology:
    description: What is wanted. Without it one node with 2 vCPUs, 4 GiB and a generic Debian or Ubuntu image.
    type: dict
    suboptions:
      groups:
        description: Equal nodes, C(<prefix>-<name>-<index>).
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the group.
            type: str
            default: node
          count:
            description: Number of nodes.
            type: int
            default: 1
          flavor:
            description:
              - Least C(vcpus), C(ram) in MiB, C(disk) in GB, and C(properties), equal extra specs; or C(name).
              - A flavor without disk boots from a volume of that size, or of the image's C(min_disk) if that is more.
              - Where no host takes it, it is tried in the next of O(topology.groups[].zones), then the next fitting
                flavor is, each pair once.
            type: dict
          image:
            description:
              - Properties that must be equal, a comma separates alternatives; or C(name).
              - They may also stand below C(properties).
            type: dict
          floating_ip:
            description: Whether each node gets a floating IP.
            type: bool
            default: true
          zones:
            description: Availability zones in order of preference.
            type: list
            elements: str
          user_data:
            description: Text for cloud-init.
            type: str
          volumes:
            description: Empty volumes for each node, gone with it; C(size) in GB and C(type).
            type: list
            elements: dict
          volume_type:
            description: Type of the root volume, if there is one, and of volumes that name none.
            type: str
          security:
            description:
              - What is open beside SSH and ICMP; C(protocol), C(port), C(last) for a range, and C(remote), a CIDR.
              - Without C(port) all ports; without C(remote) to everybody.
            type: list
            elements: dict
          server_group:
            description: Policy of a server group of these nodes, for example V(soft-anti-affinity).
            type: str
      clusters:
        description:
          - What clusters of the run need; only looked at by M(scs_preflight).
          - Keys C(control_planes), C(workers), C(flavor), C(load_balancer), C(parallel), C(image).
        type: dict
      network:
        description: Existing network by name or id. Without it each run makes its own.
        type: str
      external:
        description: External network by name or id, needed only where the cloud has several.
        type: str
      cidr:
        description: Address range of the run's own network.
        type: str
        default: 10.254.0.0/24
      dns:
        description: Name servers of that network.
        type: list
        elements: str
  public_key:
    description: SSH public key for the nodes. Without it each run has a key of its own.
    type: path
  key_dir:
    description: Directory of the run's own key. Must not be uploaded, so it is outside the run directory.
    type: path
  host_keys:
    description:
      - What the host keys of a new node are compared with. V(console) is the log in which cloud-init prints them,
        which takes a request for each node; two equal scans count where a cloud shows no log.
      - V(scan) takes two equal scans alone, as tools without a cloud's help do.
    type: str
    choices: [console, scan]
    default: console
  timeout:
    description: Seconds until all nodes must be usable.
    type: float
    default: 600
attributes:
  check_mode:
    description: Returns the plan and changes nothing.
    support: full
  diff_mode:
    description: Shows the nodes before and after.
    support: full
seealso:
  - module: scs_preflight
  - module: scs_purge
"""

EXAMPLES = r"""
- name: Provision one node for the management plane
  scs_nodes:
    cloud: mycloud
    run_dir: "{{ run_dir }}"
  register: provisioned

- name: Make the nodes known to this play
  ansible.builtin.add_host:
    name: "{{ item.name }}"
    ansible_host: "{{ item.value.ansible_host }}"
    ansible_user: "{{ item.value.ansible_user }}"
    ansible_ssh_private_key_file: "{{ item.value.ansible_ssh_private_key_file }}"
    ansible_ssh_common_args: "{{ item.value.ansible_ssh_common_args }}"
  loop: "{{ provisioned.hosts | dict2items }}"

- name: Provision three larger nodes by hand
  scs_nodes:
    cloud: mycloud
    run_id: tryout-1
    topology:
      groups:
        - name: big
          count: 3
          flavor: {vcpus: 4, ram: 16384, disk: 50}
          image: {os_distro: ubuntu, os_purpose: generic}
          zones: [az1, az2]
          security: [{port: 6443}]
"""

RETURN = r"""
nodes:
  description: The usable nodes; empty in check mode.
  type: list
  elements: dict
  returned: success
  contains:
    name: {description: Name of the server., type: str, returned: always}
    id: {description: Id of the server., type: str, returned: always}
    group: {description: Its group., type: str, returned: always}
    address: {description: Where SSH answers., type: str, returned: always}
    fixed_address: {description: Its address in its network., type: str, returned: always}
    user: {description: Login user of the image., type: str, returned: always}
    key_file: {description: Private key that opens it, type: str, returned: always}
    known_hosts: {description: Lines for a C(known_hosts) file., type: list, elements: str, returned: always}
    host_keys_from:
      description: Where the trust comes from, V(console), V(scan) or V(remembered).
      type: str
      returned: always
    flavor: {description: Flavor that was chosen., type: str, returned: always}
    image: {description: Image that was chosen., type: str, returned: always}
    passed_over: {description: Candidates not chosen., type: list, elements: dict, returned: always}
    seconds: {description: Seconds until requested or active or address or ssh., type: dict, returned: always}
    simulated: {description: What is not real about the node., type: list, elements: str, returned: always}
hosts:
  description: Name of each node to its variables, for C(add_host).
  type: dict
  returned: when present
zuul_nodes:
  description: The nodes in the form in which Zuul knows nodes.
  type: list
  elements: dict
  returned: when present
chosen:
  description: Of each group that got nodes, flavor, image, order of attempts and candidates passed over.
  type: list
  elements: dict
  returned: when present
cost:
  description: In check mode, the requests and the quota that the plan takes.
  type: dict
  returned: check mode
troubles:
  description: With a run directory, name of each failed node to the reason in one line.
  type: dict
  returned: failure
plan:
  description: Steps that were, or in check mode would be, carried out.
  type: list
  elements: dict
  returned: success
leftovers:
  description: With O(state=absent), what could not be deleted.
  type: list
  elements: dict
  returned: when absent
verdict:
  description: Class of the problem, for example V(quota), V(capacity), V(boot).
  type: str
  returned: failure
"""

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible.module_utils.scs_ci.cloud import door

SPEC = {
    **door.SPEC,
    **door.TIMEOUT,
    **door.TOPOLOGY,
    'cloud': {'type': 'str', 'fallback': (env_fallback, ['OS_CLOUD'])},
    'owner': {'type': 'str', 'default': 'ansible'},
    'expires': {'type': 'str'},
    'host_keys': {'type': 'str', 'choices': ['console', 'scan'], 'default': 'console'},
    'state': {'type': 'str', 'choices': ['present', 'absent'], 'default': 'present'},
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
    door.answer(module, lambda: door.run_nodes(module.params, module.check_mode))


if __name__ == '__main__':
    main()
