"""Flavors, images and networks by properties, never by a fixed name. Pure; each choice tells what it passed over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ..core.errors import CapacityProblem, ImageProblem, InfrastructureProblem, NetworkProblem
from .model import Flavor, FlavorWish, Image, ImageWish, Network, Rejected, Zone


class Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar('T', bound=Named)

# What SCS calls an image for general use; images without the property are older than the standard and accepted last.
GENERIC = 'generic'
DEFAULT_PROPERTIES: Mapping[str, str] = {'os_distro': 'debian,ubuntu', 'os_purpose': GENERIC, 'architecture': 'x86_64'}
USERS = {
    'ubuntu': 'ubuntu',
    'debian': 'debian',
    'centos': 'cloud-user',
    'fedora': 'fedora',
    'rocky': 'rocky',
    'almalinux': 'almalinux',
}
USER_PROPERTIES = ('image_original_user', 'os_admin_user')
OLD_PURPOSES = frozenset({'oldgeneric'})
NAMES_SHOWN = 8  # of passed-over candidates in a message


@dataclass(frozen=True)
class Choice(Generic[T]):
    """fitting: best first, never empty; the rest are fallbacks."""

    fitting: tuple[T, ...]
    passed_over: tuple[Rejected, ...] = ()

    @property
    def best(self) -> T:
        return self.fitting[0]


def flavors(wish: FlavorWish, offered: Iterable[Flavor], image: Image | None = None) -> Choice[Flavor]:
    """Fitting flavors, the smallest first; flavors with a disk before diskless ones of the same size.

    image: what has to fit on them, if it is known. InfrastructureProblem when none fits.
    """
    candidates = list(offered)
    fitting, rejected = _split(
        candidates, lambda flavor: _flavor_misfit(wish, flavor) or (_too_small(flavor, image) if image else '')
    )
    if not fitting:
        raise InfrastructureProblem(
            'cannot find',
            f'a flavor with {describe_flavor(wish)}',
            _tried(rejected),
            'lower the wish or ask for a flavor',
        )
    # a root volume of the wanted size replaces the disk, but costs a volume: hence last among equals
    order = sorted(fitting, key=lambda f: (f.vcpus, f.ram, f.disk == 0, f.disk, f.name))
    return Choice(tuple(order), tuple(rejected))


def describe_flavor(wish: FlavorWish) -> str:
    if wish.name:
        return f'name {wish.name}'
    extra = ''.join(f', {key}={value}' for key, value in wish.properties.items())
    return f'>= {wish.vcpus} vCPU, >= {wish.ram} MiB, >= {wish.disk} GB or no disk{extra}'


def _flavor_misfit(wish: FlavorWish, flavor: Flavor) -> str:
    if wish.name:
        return '' if wish.name in (flavor.name, flavor.id) else 'another name'
    for key, value in wish.properties.items():
        if not _equal(flavor.properties.get(key), value):
            return f'{key} is {flavor.properties.get(key)!r}'
    for name, need, have in (('vCPU', wish.vcpus, flavor.vcpus), ('MiB', wish.ram, flavor.ram)):
        if have < need:
            return f'{have} {name} < {need}'
    return f'{flavor.disk} GB < {wish.disk}' if 0 < flavor.disk < wish.disk else ''


def _too_small(flavor: Flavor, image: Image) -> str:
    if flavor.ram < image.min_ram:
        return f'{flavor.ram} MiB < {image.min_ram} that image {image.name} needs'
    too_small = 0 < flavor.disk < image.min_disk
    return f'{flavor.disk} GB < {image.min_disk} that image {image.name} needs' if too_small else ''


def images(wish: ImageWish, offered: Iterable[Image]) -> Choice[Image]:
    """Fitting images, the newest first: by os_version, then by date. ImageProblem when none fits."""
    properties = wish.properties or ({} if wish.name else dict(DEFAULT_PROPERTIES))
    fitting, rejected = _split(list(offered), lambda image: _image_misfit(wish.name, properties, image))
    if not fitting:
        what = f'name {wish.name}' if wish.name else ', '.join(f'{k}={v}' for k, v in properties.items())
        raise ImageProblem(
            'cannot find', f'an image with {what}', _tried(rejected), 'ask for another image or upload it'
        )
    newest = sorted(
        fitting, key=lambda i: (_version(i.properties.get('os_version', '')), i.created, i.id), reverse=True
    )
    # versions compare only within a distribution: the wish's order of distributions comes first
    distributions = [part.strip().lower() for part in properties.get('os_distro', '').split(',')]
    order = sorted(newest, key=lambda i: _position(distributions, i.properties.get('os_distro', '')))
    return Choice(tuple(order), tuple(rejected))


def named_image(name: str, offered: Iterable[Image]) -> Image:
    """The active image of that very name, as stacks name their cluster images; hidden ones count, two are an error."""
    named = [image for image in offered if image.name == name]
    active = [image for image in named if image.status == 'active']
    if len(active) == 1:
        return active[0]
    answer = (
        f'{len(active)} active images have that name'
        if active
        else ', '.join(f'status {i.status}' for i in named) or 'there is none'
    )
    raise ImageProblem('cannot use', f'image {name}', answer, 'upload the image, or delete the wrong one')


def _image_misfit(name: str | None, properties: Mapping[str, str], image: Image) -> str:
    if image.status != 'active':
        return f'status {image.status}'
    if name:
        return '' if name in (image.name, image.id) else 'another name'
    if image.hidden:
        return 'hidden'
    purpose = image.properties.get('os_purpose')
    if purpose in OLD_PURPOSES and properties.get('os_purpose') != purpose:
        return f'os_purpose {purpose}'
    for key, value in properties.items():
        if not _equal(image.properties.get(key), value):
            return f'{key} is {image.properties.get(key)!r}'
    return ''


def user_of(image: Image) -> str:
    """Login user of an image: what it says itself, else by its distribution."""
    for key in USER_PROPERTIES:
        if image.properties.get(key):
            return image.properties[key]
    distribution = image.properties.get('os_distro', '')
    if distribution not in USERS:
        raise ImageProblem(
            'cannot tell the login user of', f'image {image.name} ({image.id})', f'os_distro is {distribution!r}',
            f'set its property {USER_PROPERTIES[0]}',
        )  # fmt: skip
    return USERS[distribution]


def simulated_of(image: Image) -> tuple[str, ...]:
    """What is not real about servers of this image."""
    return tuple(part for part in image.properties.get('scs_ci_simulated', '').split(',') if part)


def root_volume(flavor: Flavor, image: Image, wish: FlavorWish) -> int:
    """Size in GB of the root volume, 0 when the flavor has a disk of its own."""
    return 0 if flavor.disk else max(wish.disk, image.min_disk, -(-image.size // 2**30), 1)


def zones(wanted: Sequence[str], offered: Iterable[Zone]) -> Choice[Zone]:
    """The wanted zones that are up, in the wanted order; CapacityProblem when none of them is."""
    known = {zone.name: zone for zone in offered}
    up = [name for name, zone in known.items() if zone.available]
    fitting = tuple(known[name] for name in wanted if name in up)
    passed = tuple(Rejected(f'zone {name}', 'not available') for name in wanted if name not in up)
    if not fitting:
        answer = f'the cloud has {", ".join(up) or "no available zone"}'
        raise CapacityProblem('cannot use', f'zones {", ".join(wanted)}', answer, 'name one of these, or none')
    return Choice(fitting, passed)


def volume_type(names: Iterable[str]) -> str:
    """The type to name where the cloud has no default: the first by name."""
    found = sorted(names)
    if not found:
        raise InfrastructureProblem(
            'cannot find', 'a volume type', 'the cloud offers none', 'choose a flavor with a disk, or ask for a type'
        )
    return found[0]


def external_network(networks: Iterable[Network], named: str | None) -> Network:
    """The external network: the named one, or the only one."""
    external = [network for network in networks if network.external]
    fitting = [network for network in external if named in (None, network.name, network.id)]
    have = ', '.join(network.name for network in external) or 'none'
    if not fitting:
        raise NetworkProblem(
            'cannot find', f'external network {named or ""}'.strip(), f'the cloud has {have}', 'name one of these'
        )
    if len(fitting) > 1:
        raise NetworkProblem(
            'cannot choose', 'the external network', f'the cloud has {have}', 'name one (option external)'
        )
    return fitting[0]


def own_network(networks: Iterable[Network], named: str) -> Network:
    """An existing network by name or id; two of the same name are an error, not a guess."""
    fitting = [network for network in networks if named in (network.name, network.id)]
    if len(fitting) != 1:
        answer = f'{len(fitting)} networks have that name or id'
        raise NetworkProblem('cannot use', f'network {named}', answer, 'give the id of an existing network')
    return fitting[0]


def _split(items: Sequence[T], misfit: Callable[[T], str]) -> tuple[list[T], list[Rejected]]:
    judged = [(item, misfit(item)) for item in items]
    return [item for item, why in judged if not why], [Rejected(item.name, why) for item, why in judged if why]


def _equal(have: str | None, want: str) -> bool:
    return have is not None and have.lower() in {part.strip().lower() for part in want.split(',')}


def _position(order: Sequence[str], value: str) -> int:
    return order.index(value.lower()) if value.lower() in order else len(order)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split('.') if part.isdigit())


def _tried(rejected: Sequence[Rejected]) -> str:
    if not rejected:
        return 'the cloud offers none at all'
    shown = ', '.join(f'{r.name} ({r.reason})' for r in rejected[:NAMES_SHOWN])
    return shown if len(rejected) <= NAMES_SHOWN else f'{shown} and {len(rejected) - NAMES_SHOWN} more'
