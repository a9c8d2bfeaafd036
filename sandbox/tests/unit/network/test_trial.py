"""What is told of a host whose kernel cannot make the lab's networks."""

from __future__ import annotations

import pytest

from scs_sandbox.errors import SandboxError
from scs_sandbox.network import trial

pytestmark = pytest.mark.unit


def test_what_a_kernel_refuses_is_told_with_its_words_and_the_cure() -> None:
    tried: list[str] = []

    def execute(command: tuple[str, ...], text: str) -> None:
        tried.append(command[0])
        if command[0] == 'nft':
            raise SandboxError('cannot try', '', 'Error: Could not process rule:\n  No such file or directory', '')

    (text,) = trial.shortfalls(execute)
    assert tried == ['ip', 'nft']
    assert text.startswith('this kernel makes no rules of nftables with address translation (Error: Could not process')
    assert 'rule: No such file or directory): modprobe -a nf_tables ' in text


def test_nothing_is_told_of_a_host_that_does_it_all() -> None:
    assert trial.shortfalls(lambda command, text: None) == []
