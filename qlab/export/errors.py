"""The one error of this room."""


class ExportError(ValueError):
    """An export that cannot be done; the message says why and what to do."""
