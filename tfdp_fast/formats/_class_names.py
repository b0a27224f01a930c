"""Names of classes, where a library's data set has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Categories = list[tuple[int | str, str]]


def classes_of(source: Any) -> Categories | None:
    """Ids and names of the classes of a data set, in ascending order; None if it does not say them.

    Those of ``classes`` in `supervision.DetectionDataset`, of ``coco`` in torchvision's ``CocoDetection``, of
    ``metainfo`` in mmdet's data sets, and of ``features`` in Hugging Face's.
    """
    cats = getattr(getattr(source, "coco", None), "cats", None)
    if isinstance(cats, Mapping):
        return sorted(
            (category_id, str(about.get("name", category_id))) for category_id, about in cats.items()
        )
    metainfo = getattr(source, "metainfo", None)
    if isinstance(metainfo, Mapping) and isinstance(metainfo.get("classes"), (list, tuple)):
        return numbered(metainfo["classes"])
    classes = getattr(source, "classes", None)
    if isinstance(classes, (list, tuple)) and isinstance(getattr(source, "annotations", None), Mapping):
        return numbered(classes)
    to_dict = getattr(getattr(source, "features", None), "to_dict", None)
    return None if to_dict is None else classes_of_features(to_dict())


def classes_of_features(features: Any) -> Categories | None:
    """The classes that Hugging Face's ``ClassLabel`` names, from the features as JSON has them.

    Examples
    --------
    >>> label = {"names": ["cat", "dog"], "_type": "ClassLabel"}
    >>> classes_of_features({"objects": {"feature": {"category": label}, "_type": "List"}})
    [(0, 'cat'), (1, 'dog')]
    """
    for path in (("annotations",), ("objects",), ()):
        place = features
        for key in path:
            place = _inner(place).get(key)
        for key in ("category_id", "category"):
            label = _inner(_inner(place).get(key))
            if label.get("_type") == "ClassLabel" and isinstance(label.get("names"), list):
                return numbered(label["names"])
    return None


def _inner(feature: Any) -> Mapping[str, Any]:
    """What a list is of; no key at all if it is no feature."""
    while True:
        if isinstance(feature, list) and len(feature) == 1:
            feature = feature[0]
        elif isinstance(feature, Mapping) and isinstance(feature.get("feature"), (Mapping, list)):
            feature = feature["feature"]
        else:
            return feature if isinstance(feature, Mapping) else {}


def numbered(names: list[Any] | tuple[Any, ...]) -> Categories:
    """Classes whose ids are their positions."""
    return list(enumerate(map(str, names)))
