"""Scripts that carry archives: what the shell sees, and that nobody else can read them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scs_ci.core.errors import ToolProblem
from scs_ci.plane import carrier

pytestmark = pytest.mark.unit


def test_variables_and_payload_come_through_as_they_are(tmp_path: Path) -> None:
    script = tmp_path / 'print.sh'
    script.write_text('#!/bin/sh\nprintf "%s|" "$odd"\ntail -c "+$payload" "$0"\n')
    odd, payload = 'it\'s "$HOME"\n`id` \\', b'exit 1\n\0\xff'
    with carrier.written(tmp_path / 'out.sh', script, {'odd': odd}) as file:
        file.write(payload)
    done = subprocess.run(['/bin/sh', tmp_path / 'out.sh'], capture_output=True, timeout=60, check=True)
    assert done.stdout == odd.encode() + b'|' + payload


def test_it_is_for_its_owner_only_and_replaces_nothing(tmp_path: Path) -> None:
    script = tmp_path / 'empty.sh'
    script.write_text('')
    with carrier.written(tmp_path / 'out.sh', script, {}):
        assert (tmp_path / 'out.sh').stat().st_mode & 0o777 == 0o600
    with (
        pytest.raises(ToolProblem, match='cannot pack .*out.sh: File exists'),
        carrier.written(tmp_path / 'out.sh', script, {}),
    ):
        pass


def test_a_script_that_is_too_long_is_not_cut() -> None:
    with pytest.raises(ValueError, match='8192 is the limit'):
        carrier.head('x' * carrier.PAYLOAD, {})


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    with (
        pytest.raises(ToolProblem, match='cannot make a directory in .*/gone: No such file or directory\n  next: '),
        carrier.fresh('x', tmp_path / 'gone'),
    ):
        pass
