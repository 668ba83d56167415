"""From the bytes of a file to pixels, one module per format that needs care."""

from darter.picture.decoders.jpeg import decode_jpeg, orientation, scale_factor
from darter.picture.decoders.pillow import Loaded, decode_with_pillow

__all__ = ["Loaded", "decode_jpeg", "decode_with_pillow", "orientation", "scale_factor"]
