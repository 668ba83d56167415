"""One picture: decode it, look at it through one warp, augment it, make it a model's input.

decode(source)                       any file to upright RGB
Augment(...)                         random views, drawn by number
Preprocess(size)                     what a model does to every picture
views(...)                           the fixed views that answers are averaged over
make_look(["views:10x5"], …)         these, mirror images, random draws: several looks at a picture
Pillow loads at the first picture that is no ordinary JPEG.
"""

from darter.picture import formats
from darter.picture.augment import (
    SETS,
    TRANSFORMS,
    Augment,
    Transform,
    draws,
    options_of,
    transform,
)
from darter.picture.color import jitter, pca_noise
from darter.picture.decode import Picture, decode
from darter.picture.encoded import Encoded, Pixels, open_pixels, size_of
from darter.picture.formats import EXTENSIONS
from darter.picture.frame import Frame
from darter.picture.geometry import (
    area_crop,
    erase,
    flip,
    lens,
    perspective,
    random_frame,
    rotate,
    scale_crop,
    shear,
    stretch,
    translate,
)
from darter.picture.kinds import CONVERTED, KINDS, LEFT_OUT, NOTED, Kind
from darter.picture.looks import Look, draws_of, is_look, make_look, views_for
from darter.picture.move import boxes_back, move_boxes, move_points
from darter.picture.preprocess import Preprocess
from darter.picture.shard_index import (
    INDEX,
    VERSION,
    Entry,
    Member,
    ShardIndex,
    is_pack,
    locate,
    read_index,
)
from darter.picture.source import MAX_PIXELS, PictureError, ValueRange, read
from darter.picture.thumbnail import thumbnail
from darter.picture.views import Views, views
from darter.picture.warp import Warp, apply, finish

__all__ = [
    "CONVERTED",
    "EXTENSIONS",
    "INDEX",
    "KINDS",
    "LEFT_OUT",
    "MAX_PIXELS",
    "NOTED",
    "SETS",
    "TRANSFORMS",
    "VERSION",
    "Augment",
    "Encoded",
    "Entry",
    "Frame",
    "Kind",
    "Look",
    "Member",
    "Picture",
    "PictureError",
    "Pixels",
    "Preprocess",
    "ShardIndex",
    "Transform",
    "ValueRange",
    "Views",
    "Warp",
    "apply",
    "area_crop",
    "boxes_back",
    "decode",
    "draws",
    "draws_of",
    "erase",
    "finish",
    "flip",
    "formats",
    "is_look",
    "is_pack",
    "jitter",
    "lens",
    "locate",
    "make_look",
    "move_boxes",
    "move_points",
    "open_pixels",
    "options_of",
    "pca_noise",
    "perspective",
    "random_frame",
    "read",
    "read_index",
    "rotate",
    "scale_crop",
    "shear",
    "size_of",
    "stretch",
    "thumbnail",
    "transform",
    "translate",
    "views",
    "views_for",
]
