"""Colour: camera responses, illuminants, encodings, and the RGB picture of a cube."""

import lazy_loader

# colour-science takes more than a second to import: only the names that need it do so, when they
# are first called.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
