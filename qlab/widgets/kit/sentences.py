"""What to notice in a picture, in sentences of a size to be read."""


def sentences(said):
    """Set each on a line of its own."""
    style = "font-size: 14px; line-height: 1.5; max-width: 60em; margin: 4px 2px"
    lines = "".join(f"<div>{line}</div>" for line in said)
    return f'<div class="qlab-notes" role="status" style="{style}">{lines}</div>'
