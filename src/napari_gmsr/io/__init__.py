"""Files to pictures and cubes, and cubes to files: one module a format."""

import lazy_loader

# Each format's library is imported when a file of that format is opened.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
