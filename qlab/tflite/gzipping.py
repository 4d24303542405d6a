"""How small bytes become when they are sent or stored: gzip, at one level for the whole course."""

from __future__ import annotations

import gzip

# What the gzip command takes when nothing is said. Level 9 makes a sparse file up to a tenth
# smaller, but takes ten times as long for it (119 ms for 9), and a slider would wait for that.
GZIP_LEVEL = 6
GZIPPED = f"gzipped at level {GZIP_LEVEL}"
FRAME_BYTES = 18  # of gzip itself, around the stream: a header of 10, checksum and length


def gzip_size(data):
    """Bytes of the gzipped data."""
    return len(gzip.compress(data, compresslevel=GZIP_LEVEL, mtime=0))


def deflate_size(data):
    """Bytes of the stream alone (DEFLATE), as gzip would write it; 0 for no data."""
    return gzip_size(data) - FRAME_BYTES if data else 0
