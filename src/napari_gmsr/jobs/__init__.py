"""Long work in a child process: typed events out, a real cancel in, crashes stay inside.

The calling process never imports torch for it. Arrays travel as ``.npy`` files in a private
temporary folder, everything else as JSON lines over pipes.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
