"""Image sources and the cache."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from scs_sandbox import cache
from scs_sandbox.errors import SandboxError
from scs_sandbox.images import build, customize

pytestmark = pytest.mark.unit

TARGETS = """\
http://mirror.example/debian/|bookworm|main|Debian
http://mirror.example/debian/|bookworm|main|Debian
http://mirror.example/debian/|bookworm|contrib|Debian
http://mirror.example/debian-security/|bookworm-security|main|Debian
http://mirror.example/debian/|trixie|main|Debian
https://packages.example/apt|bookworm|main|Someone
"""


def test_only_the_distribution_itself_is_a_source() -> None:
    assert build.sources(TARGETS, build.Release('debian', 'bookworm')) == [
        'deb http://mirror.example/debian/ bookworm main',
        'deb http://mirror.example/debian-security/ bookworm-security main',
    ]


def test_key_depends_on_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    first = build.key(build.Release('debian', 'bookworm'))
    assert first == build.key(build.Release('debian', 'bookworm')) != build.key(build.Release('debian', 'trixie'))
    monkeypatch.setattr(customize, 'MASKED', ())
    assert build.key(build.Release('debian', 'bookworm')) != first


def test_customize_masks_writes_and_removes(tmp_path: Path) -> None:
    (tmp_path / 'etc/systemd/system').mkdir(parents=True)
    (tmp_path / 'etc/ssh').mkdir()
    (tmp_path / 'etc/ssh/ssh_host_rsa_key').touch()
    (tmp_path / 'etc/resolv.conf').symlink_to('/run/nowhere')
    customize.customize(tmp_path)
    assert (tmp_path / 'etc/systemd/system/systemd-udevd.service').readlink() == Path('/dev/null')
    assert 'ConfigDrive' in (tmp_path / 'etc/cloud/cloud.cfg.d/99-sandbox.cfg').read_text()
    assert not list((tmp_path / 'etc/ssh').glob('ssh_host_*'))
    assert not (tmp_path / 'etc/resolv.conf').is_symlink()


def test_an_entry_is_made_once_by_two_at_a_time(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(place: Path) -> None:
        made.append(place)
        time.sleep(0.1)
        (place / 'file').write_text('x')

    threads = [threading.Thread(target=cache.entry, args=(tmp_path, 'thing-1', make)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert (tmp_path / 'thing-1/file').read_text() == 'x'


def test_a_failed_make_leaves_nothing_and_a_killed_one_is_replaced(tmp_path: Path) -> None:
    def fail(place: Path) -> None:
        (place / 'half').touch()
        raise SandboxError('cannot build', 'thing', 'no', 'do')

    with pytest.raises(SandboxError):
        cache.entry(tmp_path, 'thing', fail)
    assert not list(tmp_path.glob('thing*/'))
    (tmp_path / 'thing.tmp').mkdir()
    (tmp_path / 'thing.tmp/old').touch()
    assert not (cache.entry(tmp_path, 'thing', lambda place: (place / 'new').touch()) / 'old').exists()


def test_cache_home_follows_xdg() -> None:
    assert cache.cache_home({'XDG_CACHE_HOME': '/a'}) == Path('/a/scs-ci')
