"""python3 benchmarks/sandbox/measure.py -- start, memory and request-to-login of a sandbox, as JSON.

Run through the project's environment (`bin/scs-sandbox` finds it), on a quiet machine. The goals: start within 12 s and
1.1 GiB, request to SSH login within 6 s.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NAME = f'b{os.getpid()}'
LIMIT = 1200  # seconds; the first start on a machine builds image and template
LOGIN_LIMIT = 120.0  # seconds
BOOT = """
import json, openstack, subprocess, sys, time
key = sys.argv[1]
cloud = openstack.connect(cloud='sandbox')
net = cloud.network.create_network(name='b')
subnet = cloud.network.create_subnet(network_id=net.id, ip_version=4, cidr='10.7.0.0/24')
public = cloud.network.find_network('public')
router = cloud.network.create_router(name='b', external_gateway_info={'network_id': public.id})
cloud.network.add_interface_to_router(router, subnet=subnet.id)
group = cloud.network.create_security_group(name='b')
cloud.network.create_security_group_rule(security_group_id=group.id, direction='ingress', protocol='tcp')
cloud.compute.create_keypair(name='b', public_key=open(key + '.pub').read())
image = next(i for i in cloud.image.images() if i.properties['os_purpose'] == 'generic')
flavor = cloud.compute.find_flavor('SCS-2V-4-20s')
port = cloud.network.create_port(network_id=net.id, security_group_ids=[group.id])
address = cloud.network.create_ip(floating_network_id=public.id, port_id=port.id).floating_ip_address
began = time.monotonic()
body = {'name': 'b', 'image_id': image.id, 'flavor_id': flavor.id, 'key_name': 'b'}
cloud.compute.create_server(**body, networks=[{'port': port.id}])
options = ['-oStrictHostKeyChecking=no', '-oUserKnownHostsFile=/dev/null', '-oConnectTimeout=1', '-oBatchMode=yes']
login = ['ssh', '-i', key, *options, image.properties['image_original_user'] + '@' + address, 'true']
while subprocess.run(login, capture_output=True).returncode:
    if time.monotonic() - began > float(sys.argv[2]):
        sys.exit('no login')
    time.sleep(0.1)
print(json.dumps({'request_to_login_s': round(time.monotonic() - began, 2)}))
"""


def sandbox(*words: str) -> str:
    """Run scs-sandbox and return its output; it has to succeed."""
    command = [str(ROOT / 'bin/scs-sandbox'), '--name', NAME, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode:
        sys.exit(f'{" ".join(words)}: {done.stderr}')
    return done.stdout


def measure() -> dict[str, Any]:
    """Everything, with a sandbox of our own that is down again afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        key = Path(directory) / 'key'
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key], check=True)
        try:
            sandbox('up')
            sandbox('down')  # what was built is in the cache now
            began = time.monotonic()
            sandbox('up')
            found: dict[str, Any] = {'load_1m': os.getloadavg()[0], 'start_s': round(time.monotonic() - began, 2)}
            found['idle_pss_mib'] = json.loads(sandbox('status', '--json'))['pss_mib']
            found |= json.loads(
                sandbox('exec', '--', 'python3', '-W', 'ignore', '-c', BOOT, str(key), str(LOGIN_LIMIT))
            )
            found['pss_mib_with_server'] = json.loads(sandbox('status', '--json'))['pss_mib']
        finally:
            began = time.monotonic()
            sandbox('down')
    return {**found, 'down_s': round(time.monotonic() - began, 2)}


if __name__ == '__main__':
    print(json.dumps(measure(), indent=1))
