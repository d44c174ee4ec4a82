"""What the commands share of the terminal."""

import signal

import pytest

from napari_gmsr.cli.console import interrupts


def test_an_interrupt_that_somebody_swallows_is_remembered():
    before = signal.getsignal(signal.SIGINT)
    with interrupts() as pressed:
        assert not pressed()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert pressed()
    assert signal.getsignal(signal.SIGINT) is before
