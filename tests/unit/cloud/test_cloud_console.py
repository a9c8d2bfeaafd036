"""One line about why a node is of no use, from what its console shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_cloud import FakeCloud
from test_cloud_nodes import OWN, FakeProbe, request, with_console

from scs_ci.cloud import console, nodes
from scs_ci.core.errors import BootProblem, NetworkProblem

pytestmark = pytest.mark.unit

BOOTED = '[    0.000000] Linux version 6.12.0\n[    2.1] systemd[1]: Started sshd.\n'
DONE = 'Cloud-init v. 25.1.4 finished at Fri, 27 Nov 2026. Datasource DataSourceConfigDrive.  Up 9 seconds\n'
KEYS = 'ci-info: ++++++Authorized keys from /home/{0}/.ssh/authorized_keys for user {0}+++++\n'
CASES = [
    (
        '[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs',
        '',
        'kernel panic: Kernel panic - not syncing',
    ),
    ('SeaBIOS\nNo bootable device.\n', '', 'the image does not boot: No bootable device.'),
    ('You are in emergency mode. After logging in', '', 'the system ended in emergency mode'),
    ('2026 - DataSourceNone.py[WARNING]: Used fallback datasource', '', 'neither config drive nor metadata service'),
    ('[  5.0] dhclient[331]: No DHCPOFFERS received.', '', 'no network: No DHCPOFFERS received.'),
    ('[FAILED] Failed to start systemd-networkd-wait-online.service', '', 'no network: [FAILED] Failed to start'),
    ('util.py[WARNING]: ci: Failed loading yaml blob. Invalid format at line 2', '', 'cloud-init failed: '),
    ('[FAILED] Failed to start cloud-final.service - Execute cloud user/final scripts.', '', 'cloud-init failed: '),
    ('[   77.1] Out of memory: Killed process 812 (python3)', '', 'out of memory: Out of memory: Killed process 812'),
    (
        BOOTED + KEYS.format('fedora') + DONE,
        'debian',
        'wrong user: cloud-init gave the key to fedora and not to debian',
    ),
    (
        BOOTED + 'ci-info: no authorized SSH keys fingerprints found for user debian.\n' + DONE,
        'debian',
        'cloud-init installed no key for user debian',
    ),
    (BOOTED, '', 'it had not finished booting: [    2.1] systemd[1]: Started sshd.'),
    ('', '', 'its console is empty'),
    (' \n\n', '', 'its console is empty'),
]


@pytest.mark.parametrize(('text', 'user', 'reason'), CASES, ids=[reason[:30] for _, _, reason in CASES])
def test_signs(text: str, user: str, reason: str) -> None:
    found = console.diagnose(text, user)
    assert reason in found
    assert '\n' not in found


@pytest.mark.parametrize('user', ['', 'debian'])
def test_nothing_is_said_of_a_console_that_shows_nothing_wrong(user: str) -> None:
    assert console.diagnose(BOOTED + KEYS.format('debian') + DONE, user) == ''


def test_the_panic_explains_what_comes_before() -> None:
    text = 'No DHCPOFFERS received.\nKernel panic - not syncing: Attempted to kill init!\n'
    assert console.diagnose(text).startswith('kernel panic')


def test_long_lines_are_cut() -> None:
    assert len(console.diagnose('Kernel panic ' + 'x' * 9999)) < 300


@pytest.mark.parametrize(
    ('text', 'probe', 'problem', 'reason'),
    [
        ('Kernel panic - not syncing: x', FakeProbe(answers=False), NetworkProblem, 'kernel panic'),
        (
            KEYS.format('core') + DONE,
            FakeProbe(login='Permission denied (publickey).'),
            BootProblem,
            'wrong user: cloud-init gave the key to core',
        ),
    ],
)
def test_the_reason_is_in_the_message_and_kept_with_the_console(
    tmp_path: Path, text: str, probe: FakeProbe, problem: type[Exception], reason: str
) -> None:
    fake = with_console(FakeCloud(boot=3), text)
    asked = request(tmp_path, fake, 1, timeout=30, probe=probe)
    with pytest.raises(problem, match=reason):
        nodes.present(fake.cloud, asked)
    assert reason in asked.troubles[OWN.node(0)]
    assert [path.name for path in (tmp_path / 'logs').iterdir()] == [f'{OWN.node(0)}.console.log']


def test_only_consoles_of_failing_nodes_are_kept(tmp_path: Path) -> None:
    fake = with_console(FakeCloud(boot=3), BOOTED)
    fake.errors = {OWN.node(1): 'boom'}
    asked = request(tmp_path, fake, 3)
    with pytest.raises(BootProblem, match='boom'):
        nodes.present(fake.cloud, asked)
    assert list(asked.troubles) == [OWN.node(1)]
    assert [path.name for path in (tmp_path / 'logs').iterdir()] == [f'{OWN.node(1)}.console.log']
