"""Checkpoints: the ones that are shipped, their model cards, and the file format."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
