"""Turn a Debian tree into the image of a system container: no devices, no kernel, cloud-init from the config drive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# No udev, no getty, no timers, no file systems of the kernel: a container has none of it, and each would cost memory
# and boot time.
MASKED = (
    'apt-daily-upgrade.timer',
    'apt-daily.timer',
    'console-getty.service',
    'dev-hugepages.mount',
    'dev-mqueue.mount',
    'dpkg-db-backup.timer',
    'e2scrub_all.timer',
    'e2scrub_reap.service',
    'fstrim.timer',
    'getty.target',
    'sys-fs-fuse-connections.mount',
    'sys-kernel-config.mount',
    'sys-kernel-debug.mount',
    'sys-kernel-tracing.mount',
    'systemd-firstboot.service',
    'systemd-logind.service',
    'systemd-modules-load.service',
    'systemd-networkd-wait-online.service',
    'systemd-networkd.service',
    'systemd-oomd.service',
    'systemd-pstore.service',
    'systemd-remount-fs.service',
    'systemd-resolved.service',
    'systemd-timesyncd.service',
    'systemd-udev-trigger.service',
    'systemd-udevd-control.socket',
    'systemd-udevd-kernel.socket',
    'systemd-udevd.service',
    'motd-news.timer',
)

FILES = {
    '/etc/fstab': '',
    '/etc/machine-id': 'uninitialized\n',
    '/etc/hostname': 'localhost\n',
    # Addresses are set from outside before the first process runs, as DHCP would; one kind of host key is enough and
    # the fastest to make.
    '/etc/cloud/cloud.cfg.d/99-sandbox.cfg': (
        'datasource_list: [ConfigDrive]\nnetwork: {config: disabled}\nssh_genkeytypes: [ed25519]\nlocale: false\n'
    ),
    # The console shows what a serial console shows; the kernel's log belongs to the host.
    '/etc/systemd/journald.conf.d/sandbox.conf': (
        '[Journal]\nStorage=persistent\nReadKMsg=no\nForwardToConsole=yes\nMaxLevelConsole=info\nSystemMaxUse=64M\n'
    ),
    # The journal on the console says the same as systemd's own lines, and more.
    '/etc/systemd/system.conf.d/sandbox.conf': '[Manager]\nShowStatus=no\n',
    # Nothing answers DNS in the lab: no lookups when a client comes in.
    '/etc/ssh/sshd_config.d/10-sandbox.conf': 'UseDNS no\n',
}

# Traces of the builder, and identity that each server must make for itself.
REMOVED = ('etc/apt/apt.conf.d/99mmdebstrap', 'etc/dpkg/dpkg.cfg.d/99mmdebstrap', 'var/lib/dbus/machine-id')


def customize(root: Path) -> None:
    """Write, mask and remove files below root, the top of a freshly built tree."""
    for name in MASKED:
        unit = root / 'etc/systemd/system' / name
        unit.unlink(missing_ok=True)
        unit.symlink_to('/dev/null')
    write(root, FILES)
    for path in REMOVED:
        (root / path).unlink(missing_ok=True)
    for file in (root / 'etc/ssh').glob('ssh_host_*'):
        file.unlink()
    for file in (root / 'etc/resolv.conf', root / 'etc/hosts'):
        file.unlink(missing_ok=True)


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files below root, whatever was there. files: absolute path in the tree to text."""
    for path, text in files.items():
        file = root / path.lstrip('/')
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(text)
        file.chmod(0o644)
