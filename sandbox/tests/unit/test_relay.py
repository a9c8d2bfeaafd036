"""What a relay may be asked for."""

from __future__ import annotations

import pytest

from scs_sandbox.errors import SandboxError
from scs_sandbox.relay import Route, parse

pytestmark = pytest.mark.unit


def test_route() -> None:
    route = parse('127.0.0.1:8080=198.18.1.7:80')
    assert route == Route(('127.0.0.1', 8080), ('198.18.1.7', 80))
    assert str(route) == '127.0.0.1:8080 -> 198.18.1.7:80'


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('0.0.0.0:80=198.18.1.7:80', 'loopback'),
        ('198.18.0.5:80=198.18.1.7:80', 'loopback'),
        ('127.0.0.1:0=198.18.1.7:80', 'between 1 and 65535'),
        ('127.0.0.1:80=198.18.1.7:70000', 'between 1 and 65535'),
        ('127.0.0.1:80=198.18.1.777:80', '198.18.1.777'),
        ('127.0.0.1:80', 'not of the form'),
        ('localhost:80=198.18.1.7:80', 'not of the form'),
        ('', 'not of the form'),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(SandboxError) as caught:
        parse(text)
    assert reason in str(caught.value)
    assert 'next: for instance 127.0.0.1:' in str(caught.value)
