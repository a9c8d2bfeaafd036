"""For every run of pytest here: SIGTERM unwinds it as Ctrl-C does, so that fixtures take down what they started."""

import signal


def pytest_configure() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
