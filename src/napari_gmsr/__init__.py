"""Spectra from RGB pictures: GMSR-Net for napari, Python and the command line."""

from importlib.metadata import version

import lazy_loader

# Heavy modules (torch, numba, colour) are imported when a name is first used, so that napari finds
# the plugin at once.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = version("napari-gmsr")
