"""What explorers and notebooks measure: one topic a module, without any widget or picture.

A trial makes files through the engine, scores them with LiteRT, and keeps what it found.
"""

from pkgutil import iter_modules

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, [x.name for x in iter_modules(__path__)]
)
