"""Files that say what is where in pictures: Pascal VOC, COCO, YOLO, LabelMe."""

from darter.dataset.annotations.find import Annotated, annotated, read_coco

__all__ = ["Annotated", "annotated", "read_coco"]
