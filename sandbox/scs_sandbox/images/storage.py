"""Images of cinder-csi and of what runs beside it, as the charts of cloud-provider-openstack name them.

A volume of the sandbox is a directory that a machine sees below /dev/disk/by-id (see machines.disk), not a block
device, so the programs that the driver calls for disks are scripts here: mkfs makes directories in it, mount lays an
overlay of them, which is a file system of its own for whoever looks, blkid tells whether they are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from .contents import Addon, Part, network_layer, plain_layer, single
from .oci import Entry, Image

SIDECARS = 'registry.k8s.io/sig-storage'
DRIVER = 'registry.k8s.io/provider-os/cinder-csi-plugin'
PROGRAM = 'cinder-csi-plugin'
# Of all charts from 2.34.1 to 2.35.0; the snapshotter changed on the way.
ADDONS = (
    Addon(f'{SIDECARS}/csi-attacher', Part('csi-attacher', '/csi-attacher'), 'v4.10.0'),
    Addon(f'{SIDECARS}/csi-provisioner', Part('csi-provisioner', '/csi-provisioner'), 'v5.3.0'),
    Addon(f'{SIDECARS}/csi-resizer', Part('csi-resizer', '/csi-resizer'), 'v1.14.0'),
    Addon(f'{SIDECARS}/csi-snapshotter', Part('csi-snapshotter', '/csi-snapshotter'), 'v8.4.0'),
    Addon(f'{SIDECARS}/csi-snapshotter', Part('csi-snapshotter', '/csi-snapshotter'), 'v8.3.0'),
    Addon(f'{SIDECARS}/livenessprobe', Part('livenessprobe', '/livenessprobe'), 'v2.17.0'),
    Addon(
        f'{SIDECARS}/csi-node-driver-registrar',
        Part('csi-node-driver-registrar', '/csi-node-driver-registrar'),
        'v2.15.0',
    ),
)
FILE_SYSTEMS = ('ext2', 'ext3', 'ext4', 'xfs')
# Called as `blkid -p -s TYPE -s PTTYPE -o export DEVICE`; 2 means that there is no file system.
BLKID = f"""#!/bin/sh
for device; do :; done
for type in {' '.join(FILE_SYSTEMS)}; do
    if [ -d "$device/$type" ]; then echo "TYPE=$type"; exit 0; fi
done
exit 2
"""
# Called by the name of the file system; the device is the last argument.
MKFS = """#!/bin/sh
set -e
for device; do :; done
[ -d "$device" ] || { echo "$0: $device is no volume of the sandbox" >&2; exit 1; }
mkdir -p "$device/${0##*.}/data" "$device/${0##*.}/work" "$device/${0##*.}/empty"
"""
# A file system of directories needs no check.
FSCK = '#!/bin/sh\nexit 0\n'
# Called as `mount [--no-canonicalize] [-t TYPE] [-o OPTIONS] SOURCE TARGET`. The config drive is a directory, too. Once
# is enough: an overlay over the same directories twice would be two that know nothing of each other.
MOUNT = """#!/bin/sh
set -e
type= options=
while [ $# -gt 2 ]; do
    case "$1" in
    -t) type=$2; shift 2 ;;
    -o) options=$2; shift 2 ;;
    *) shift ;;
    esac
done
source=$1 target=$2 parts=$1/$type
if [ "$type" = iso9660 ] && [ -d "$source" ]; then exec busybox mount -o bind "$source" "$target"; fi
if [ -n "$type" ] && [ -d "$parts/data" ]; then
    if grep -q " $target .* - overlay " /proc/self/mountinfo; then exit 0; fi
    case ",$options," in *,ro,*) access=ro ;; *) access=rw ;; esac
    layers=lowerdir=$parts/empty,upperdir=$parts/data,workdir=$parts/work
    exec busybox mount -t overlay -o "$access,$layers" "$source" "$target"
fi
exec busybox mount ${type:+-t "$type"} ${options:+-o "$options"} "$source" "$target"
"""
SCRIPTS = {
    'blkid': BLKID,
    'fsck': FSCK,
    'mount': MOUNT,
    **{f'mkfs.{kind}': MKFS for kind in FILE_SYSTEMS},
}
SIMULATED = (
    'cinder-csi-plugin: a volume is a directory of the machine under an overlay; no size limit; no block mode; no'
    ' growth in the node'
)


def images(programs: Path, versions: Mapping[str, str], debian: Path) -> list[Image]:
    """The driver and its sidecars. programs, versions, debian: as for contents.addons."""
    plain = plain_layer(debian)
    sidecars = [single(f'{addon.name}:{addon.tag}', addon.part, programs, versions, plain) for addon in ADDONS]
    return [*sidecars, _driver(programs, versions, debian)]


def _driver(programs: Path, versions: Mapping[str, str], debian: Path) -> Image:
    """The chart names the program in its arguments, so it must not be the entry point. Its place is /bin, which is a
    link where the distribution has merged it; an entry below would replace that."""
    place = '/usr/bin' if (debian / 'bin').is_symlink() else '/bin'
    part = Part(PROGRAM, f'{place}/{PROGRAM}', entrypoint=False)
    made = single(f'{DRIVER}:{versions[PROGRAM]}', part, programs, versions, network_layer(debian))
    # before those of busybox in PATH
    scripts = tuple(Entry(f'/usr/local/sbin/{name}', 0o755, text=text) for name, text in SCRIPTS.items())
    return replace(made, layers=(*made.layers, scripts), simulated=(*made.simulated, SIMULATED))
