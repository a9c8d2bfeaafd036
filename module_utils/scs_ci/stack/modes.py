"""The versions of a release: by its hash, counted up from the release before, or as the caller says."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..core.errors import ProductProblem, UsageProblem
from .content import Content
from .release import Versions
from .treehash import Hashes
from .versions import DOTTED, STABLE, Identity, ReleaseVersion, parse_release, parse_tag

MODES = ('hash', 'stable', 'custom')
FIRST = ReleaseVersion(1)
# Names of Kubernetes objects are made of versions, and a leading zero would be another name for the same version.
SAFE = re.compile(r'v(?:0|[1-9]\d*)(?:-[a-z0-9]+\.[a-z0-9]+)?', re.ASCII)


class Unchanged(ProductProblem):
    """The stack is what was released last: there is nothing to release."""

    verdict = 'unchanged'


def custom(stack: str, addon: str = '', node_image: str = '') -> Versions:
    """The versions that the caller wants, in dotted form; those of the components default to the stack's."""
    return Versions(_wanted(stack), _wanted(addon or stack), _wanted(node_image or stack))


def _wanted(text: str) -> ReleaseVersion:
    if not SAFE.fullmatch(text) or not DOTTED.fullmatch(text) or text.startswith(f'{text.split("-")[0]}-{STABLE}.'):
        answer = 'it is neither vN nor vN-channel.patch, of digits and lower-case letters, or its channel is stable'
        raise UsageProblem('cannot release', f'version {text!r}', answer, 'give for example v2 or v2-beta.1')
    return parse_release(text)


def newest_stable(tags: Iterable[str], identity: Identity) -> str:
    """The tag of the newest stable release of the same provider, stack and minor, '' without one."""
    parsed = {tag: named for tag in tags if (named := parse_tag(tag))}
    fitting = {
        tag: version
        for tag, (found, version) in parsed.items()
        if version.channel == STABLE and found.base == identity.base
    }
    return max(fitting, key=lambda tag: fitting[tag].order, default='')


def stable(hashes: Hashes, node_images: bytes | None, before: Content | None) -> Versions:
    """Versions after those of the stable release before, v1 without one; a component counts up when it changed.

    hashes, node_images: of the stack now. Raises Unchanged when the whole stack is as it was released.
    """
    if before is None:
        return Versions.all_equal(FIRST)
    if before.hashes.cluster_stack == hashes.cluster_stack:
        answer = f'it has the hash of the stack, {hashes.cluster_stack}'
        raise Unchanged('nothing to release after', before.title, answer, 'change the stack, or deploy that release')
    old = before.versions
    addon_same = (before.hashes.addon_dir, before.hashes.addon_values) == (hashes.addon_dir, hashes.addon_values)
    image_same = (before.hashes.node_image_dir, before.node_images) == (hashes.node_image_dir, node_images)
    return Versions(
        next_major(old.stack),
        old.addon if addon_same else next_major(old.addon),
        old.node_image if image_same else next_major(old.node_image),
    )


def next_major(version: ReleaseVersion) -> ReleaseVersion:
    """The stable version after."""
    return ReleaseVersion(version.major + 1)
