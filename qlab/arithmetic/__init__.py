"""The arithmetic of making networks small, in NumPy alone.

Affine grids, observers, rounding, masks, clusters, softened probabilities, and the statistics that
say how sure a number is. Nothing here knows a file, a runtime or a picture, so each function can be
tested by property and against an independent oracle.
"""

from pkgutil import iter_modules

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, [x.name for x in iter_modules(__path__)]
)
