"""Comparisons: models, datasets and seeds from one file to the paper's tables and figures."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
