"""Training: one configuration, one loop, a run folder that can be stopped, resumed and watched."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
