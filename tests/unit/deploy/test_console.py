"""Causes in consoles of machines, as the sandbox and clouds show them; excerpts of recorded ones."""

from __future__ import annotations

import pytest

from scs_ci.core import errors
from scs_ci.deploy import console
from scs_ci.deploy.diagnosis import Complaint, problem

pytestmark = pytest.mark.unit

BOOT = """systemd 252.39-1~deb12u2 running in system mode (+PAM +AUDIT +SELINUX)
[44060.592701] systemd[1]: Starting cloud-init.service - Initial cloud-init job (metadata service crawler)...
[44061.300334] cloud-init[132]: Cloud-init v. 22.4.2 running 'init' at Wed, 25 Nov 2026 14:07:13 +0000.
[44061.625758] cloud-init[132]: 2026-11-25 14:07:14,201 - schema.py[WARNING]: Invalid cloud-config provided: \
Please run \
'sudo cloud-init schema --system' to see the schema errors.
[44063.500959] systemd[1]: kubelet.service - kubelet: The Kubernetes Node Agent was skipped because no \
trigger condition \
checks were met.
"""
SCRIPTS = """[44067.000001] cloud-init[209]: 2026-11-25 14:07:19,576 - cc_scripts_user.py[WARNING]: Failed to run \
module scripts-user (scripts in /var/lib/cloud/instance/scripts)
[44067.000002] cloud-init[209]: 2026-11-25 14:07:19,577 - util.py[WARNING]: Running module scripts-user \
(<module>) failed
[44067.100000] cloud-init[209]: Cloud-init v. 22.4.2 finished at Wed, 25 Nov 2026 14:07:19 +0000.
"""
FINISHED = '[44067.1] cloud-init[209]: Cloud-init v. 22.4.2 finished at Wed, 25 Nov 2026 14:07:19 +0000.\n'
HANDLER = """[44141.9] cloud-init[132]: 2026-11-25 14:08:34,014 - util.py[WARNING]: Failed calling handler \
JinjaTemplatePartHandler: [['text/jinja2']] (text/jinja2, part-001, 3) with frequency once-per-instance
"""
UNDEFINED = (
    BOOT
    + """[44061.497952] cloud-init[132]: 2026-11-25 14:07:14,073 - jinja_template.py[WARNING]: Could not render jinja \
template variables in file 'part-001': 'no_such_thing'
[44066.700000] cloud-init[209]: error: nodeRegistration.name: Invalid value: "ci_missing_jinja_var/no_such_thing": a \
lowercase RFC 1123 subdomain must consist of lower case
"""
    + SCRIPTS
)
KUBEADM = """[43689.100000] cloud-init[210]: [init] Using Kubernetes version: v1.34.10
[43689.200000] cloud-init[210]: [preflight] Running pre-flight checks
[43689.300000] cloud-init[210]: \t[WARNING SystemVerification]: cgroups v1 support is in maintenance mode
"""
STARTED = """[43690.000000] cloud-init[210]: [kubelet-start] Starting the kubelet
[43690.100000] systemd[1]: Started kubelet.service - kubelet: The Kubernetes Node Agent.
[43690.200000] cloud-init[210]: [kubelet-check] Waiting for a healthy kubelet at http://127.0.0.1:10248/healthz. This \
can take up to 4m0s
"""
EXITS = """[43690.300000] systemd[1]: kubelet.service: Main process exited, code=exited, status=1/FAILURE
[43690.400000] systemd[1]: kubelet.service: Scheduled restart job, restart counter is at 1.
[43691.300000] systemd[1]: kubelet.service: Main process exited, code=exited, status=1/FAILURE
"""
GAVE_UP = """[43930.2] cloud-init[210]: [kubelet-check] The kubelet is not healthy after 4m0.000s
[43930.3] cloud-init[210]: error execution phase kubelet-start: failed while waiting for the kubelet to start
"""
HEALTHY = '[43691.0] cloud-init[210]: [kubelet-check] The kubelet is healthy after 501.6ms\n'
JOINED = '[43699.0] cloud-init[207]: This node has joined the cluster:\n'
REFUSED = """[43699.0] cloud-init[207]: error execution phase preflight: couldn't validate the identity of the API \
Server: failed to request the cluster-info ConfigMap: dial tcp 198.18.2.55:6443: i/o timeout
"""
EXIT = 'code=exited, status=1/FAILURE'


@pytest.mark.parametrize(
    ('text', 'told', 'kind'),
    [
        ('', [console.EMPTY], errors.BootProblem),
        (' \n\n', [console.EMPTY], errors.BootProblem),
        (BOOT + KUBEADM + STARTED + HEALTHY + JOINED, [], errors.InfrastructureProblem),
        (BOOT + '[ 1.5] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n',
         ['the system broke: Kernel panic - not syncing: VFS: Unable to mount root fs'], errors.BootProblem),
        (UNDEFINED,
         ['cloud-init cannot use user data: Could not render jinja template variables in file',
          'kubeadm: error: nodeRegistration.name: Invalid value: "ci_missing_jinja_var/no_such_thing"'],
         errors.ProductProblem),
        (BOOT + KUBEADM + STARTED + EXITS, [f'{console.UNHEALTHY} (it exits again and again: {EXIT})'],
         errors.ProductProblem),
        (BOOT + KUBEADM + STARTED + EXITS + GAVE_UP + SCRIPTS,
         [f'{console.UNHEALTHY} (it exits again and again: {EXIT})'], errors.ProductProblem),
        (BOOT + KUBEADM + STARTED, [console.UNHEALTHY], errors.ProductProblem),
        (BOOT + KUBEADM + REFUSED + SCRIPTS, ["kubeadm: error execution phase preflight: couldn't validate"],
         errors.NetworkProblem),
        (BOOT + '[9.0] cloud-init[2]: /var/lib/cloud/instance/scripts/runcmd: 3: no-such-tool: command not found\n'
         + SCRIPTS, ['a command of user data failed: /var/lib/cloud/instance/scripts/runcmd: 3: no-such'],
         errors.ProductProblem),
        (BOOT + SCRIPTS, ['a command of user data failed: Failed to run module scripts-user'], errors.ProductProblem),
        (BOOT + HANDLER + FINISHED, ['cloud-init cannot use user data: Failed calling handler Jinja'],
         errors.ProductProblem),
        (BOOT + FINISHED, ['cloud-init finished without running kubeadm'], errors.InfrastructureProblem),
        (BOOT + KUBEADM, ['kubeadm did not get beyond: [preflight] Running pre-flight checks'],
         errors.InfrastructureProblem),
    ],
)  # fmt: skip
def test_causes(text: str, told: list[str], kind: type[errors.Problem]) -> None:
    found = console.causes(text)
    assert len(found) == len(told), found
    assert all(text.startswith(start) for text, start in zip(found, told, strict=True)), found
    complaints = [Complaint('console of m', 'Console', text, 16) for text in found]
    assert type(problem('gave up on', 'Cluster c', 'waiting', complaints, product=False)) is kind


def test_colours_and_times_are_no_part_of_a_line() -> None:
    text = (
        '\x1b[0;32m  OK  \x1b[0m\n<14>Nov 25 13:52:15 cloud-init: hello\n[    5.123456] cloud-init[7]: \t[ERROR X]: y\n'
    )
    assert console.lines(text) == ['  OK  ', 'hello', '\t[ERROR X]: y']


def test_each_cause_once_and_not_too_long() -> None:
    line = '[1.0] cloud-init[2]: error: ' + 'x' * 1000 + '\n'
    (found,) = console.causes(line * 5)
    assert len(found) < 400


SILENT_KUBEADM = f"""[7993.114710] cloud-init[205]: [kubelet-start] Starting the kubelet
{EXITS}[8055.362873] cloud-init[205]: error: error execution phase wait-control-plane: cannot obtain client without \
bootstrap: could not bootstrap the admin user in file admin.conf: unable to create ClusterRoleBinding
{SCRIPTS}"""


def test_a_kubelet_that_exits_is_named_also_where_kubeadm_does_not_ask_it() -> None:
    assert console.causes(SILENT_KUBEADM) == [
        f'{console.UNHEALTHY} (it exits again and again: code=exited, status=1/FAILURE)'
    ]


def test_one_exit_is_none_of_a_kubelet_that_kubeadm_started() -> None:
    once = EXITS.splitlines(keepends=True)[0] + '[1.0] cloud-init[205]: [kubelet-start] Starting the kubelet\n'
    assert not [cause for cause in console.causes(once) if console.UNHEALTHY in cause]
