"""Spectra as views: smoothing, derivative, continuum, likeness, regions. Data never changes.

Every function takes the band axis first: a spectrum (band,), pixels (band, n), a cube (band, y, x).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
