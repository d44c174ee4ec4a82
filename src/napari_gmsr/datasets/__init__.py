"""Scenes to try and to train on: simulated from photographs and measured spectra."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
