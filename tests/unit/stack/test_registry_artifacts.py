"""The list of artifacts that a registry should hold, and the judgement of what it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scs_ci.core.errors import UsageProblem
from scs_ci.stack import artifacts, manifest
from scs_ci.stack.artifacts import Artifact, Held
from scs_ci.stack.manifest import Part

pytestmark = pytest.mark.unit
# A busy machine is no defect of what is tested.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEDS = Path(__file__).resolve().parents[3] / 'examples/registry/artifacts.toml'


def test_the_seeds_are_a_list_of_repositories() -> None:
    found = artifacts.read(SEEDS)
    assert len({artifact.repository for artifact in found}) == len(found) == 3
    assert all('/' in artifact.repository for artifact in found)


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('[[artifact]', 'cannot read list of artifacts'),
        ('', 'has no entry'),
        ('[[artifact]]\nname = "x"\n', "'repository' is missing"),
        ('[[artifact]]\nname = "x"\nrepository = "h/r"\ntags = "y"\n', "unknown key 'tags'"),
        ('[[artifact]]\nname = "x"\nrepository = "h/r"\nmost_days = "y"\n', "'y' is not float"),
    ],
)
def test_a_list_that_cannot_be_read_says_where(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / 'list.toml').write_text(text)
    with pytest.raises(UsageProblem, match=says.replace('[', r'\[')):
        artifacts.read(tmp_path / 'list.toml')
    with pytest.raises(UsageProblem, match='No such file'):
        artifacts.read(tmp_path / 'absent.toml')


@pytest.mark.parametrize(
    ('tags', 'newest'),
    [
        ((), ''),
        (('0.9.0', '0.10.0', '0.10.0-rc.1', 'latest', 'sha256-0.sig'), '0.10.0'),
        (('v0.2.0-alpha.1', 'v0.1.9'), 'v0.2.0-alpha.1'),
        (('latest', 'main'), 'main'),
    ],
)
def test_the_newest_tag_is_the_highest_version(tags: tuple[str, ...], newest: str) -> None:
    assert artifacts.newest(tags) == newest


@pytest.mark.parametrize(
    ('wanted', 'held', 'says'),
    [
        (Artifact('x', 'h/r'), Held('1', 'sha256:a', None), ''),
        (Artifact('x', 'h/r', digest='sha256:a', most_days=2), Held('1', 'sha256:a', 2.0), ''),
        (
            Artifact('x', 'h/r', digest='sha256:a'),
            Held('1', 'sha256:b', 0),
            'tag 1 has digest sha256:b, wanted sha256:a',
        ),
        (Artifact('x', 'h/r', most_days=2), Held('1', 'sha256:b', 3.0), 'tag 1 is 3 days old, wanted at most 2'),
        (Artifact('x', 'h/r', most_days=2), Held('1', 'sha256:b', None), 'tag 1 does not say when it was made'),
    ],
)
def test_another_digest_and_a_greater_age_are_faults(wanted: Artifact, held: Held, says: str) -> None:
    assert artifacts.fault(wanted, held) == says


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just('sha256:00'),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(['layers', 'config', 'manifests', 'annotations', 'digest', 'size', manifest.TITLE]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@UNHURRIED
@given(st.dictionaries(st.sampled_from(['layers', 'config', 'manifests', 'annotations']), ANYTHING))
def test_whatever_a_manifest_is_its_parts_have_digests_and_sizes(content: dict[str, object]) -> None:
    config = manifest.config(content)
    parts = [*manifest.layers(content), *manifest.images(content), *([config] if config else [])]
    assert all(':' in part.digest and isinstance(part.size, int) and isinstance(part.title, str) for part in parts)
    assert all(isinstance(text, str) for text in manifest.noted(content).values())


def test_the_parts_of_a_manifest_are_found() -> None:
    layer = {'digest': 'sha256:00', 'size': 5, 'annotations': {manifest.TITLE: 'metadata.yaml'}}
    content = {
        'layers': [layer, {'size': 1}],
        'config': {'digest': 'sha256:11', 'size': 2},
        'annotations': {'a': 'b', 'c': 1},
    }
    assert manifest.layers(content) == (Part('sha256:00', 5, 'metadata.yaml'),)
    assert manifest.config(content) == Part('sha256:11', 2, '')
    assert manifest.images(content) == ()
    assert manifest.noted(content) == {'a': 'b'}
