"""Images as Python objects, in the forms of several libraries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tfdp_fast as tfdp
from record_support import (
    FORMS,
    REAL,
    CocoDetection,
    Record,
    assert_same,
    coco_named,
    general,
    made_coco,
    scores_of,
)
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats import records
from tfdp_fast.formats.dataset import Progress

SQUARE = [[0, 0, 9, 0, 9, 9, 0, 9]]
MASK = np.zeros((10, 10), bool)
MASK[2:7, 3:8] = True


def record(image_id: Any = 1, **more: Any) -> Record:
    annotation = {"segmentation": SQUARE, "category_id": 3}
    return {"image_id": image_id, "height": 10, "width": 10, "annotations": [annotation], **more}


def annotated(**annotation: Any) -> Record:
    return record(annotations=[{"segmentation": SQUARE, "category_id": 3, **annotation}])


# --- forms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("form", FORMS)
def test_forms_score_as_coco_does(form: str, threads: int) -> None:
    coco = made_coco()
    assert_same(tfdp.score(FORMS[form](coco), threads=threads), scores_of(coco))


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("form", FORMS)
def test_real_annotations(request: pytest.FixtureRequest, form: str, name: str) -> None:
    coco = coco_named(name, request)
    assert_same(tfdp.score(FORMS[form](coco)), scores_of(coco))


@pytest.mark.parametrize("polygons", ["coco", "opencv"])
def test_pieces_of_any_size(monkeypatch: pytest.MonkeyPatch, polygons: Any) -> None:
    coco = made_coco()
    expected = tfdp.score(list(general(coco)), polygons=polygons)
    for images, instances, pixels in ((1, 512, 1 << 24), (64, 3, 1 << 24), (64, 512, 1)):
        monkeypatch.setattr(records, "PIECE_IMAGES", images)
        monkeypatch.setattr(records, "PIECE_ANNOTATIONS", instances)
        monkeypatch.setattr(records, "PIECE_PIXELS", pixels)
        for form in ("general", "torchvision"):
            found = tfdp.score(FORMS[form](coco), polygons=polygons, threads=2)
            if form == "general" or polygons == "coco":
                assert_same(found, expected)


def test_masks_of_every_kind() -> None:
    rle = tfdp.to_rle([MASK])[0]
    kinds = [
        SQUARE,
        [np.array(SQUARE[0]).reshape(-1, 2)],
        rle,
        {**rle, "counts": rle["counts"].encode()},
        {"counts": [32, *[5, 5] * 4, 5, 23]},
        MASK,
        MASK.astype(np.uint8),
        np.asfortranarray(MASK),
        None,
        [],
    ]
    annotations = [{"segmentation": mask, "category_id": 1} for mask in kinds]
    instances = tfdp.score([record(annotations=annotations)]).instances
    assert instances is not None
    expected = tfdp.measure(kinds, size=(10, 10))
    assert instances.area2.tolist() == expected.area2.tolist()
    assert instances.straight.tolist() == expected.straight.tolist()
    assert expected.area2.tolist() == [128, 128, *[32] * 6, 0, 0]


def test_what_an_image_may_leave_out() -> None:
    target = {"masks": MASK[None], "labels": [4]}
    scores = tfdp.score([target, (np.zeros((10, 10)), [])])
    assert scores.images.id.tolist() == [0, 1]
    assert scores.images.file_name.tolist() == [None, None]
    assert scores.instances is not None
    assert scores.instances.id.tolist() == [0]
    none: Record = {"annotations": []}
    assert tfdp.score([none, none]).images.id.tolist() == [0, 1]


def test_annotations_are_numbered_unless_all_of_them_have_ids() -> None:
    some = record(
        annotations=[{"segmentation": SQUARE, "category_id": 3, "id": 70}, *record()["annotations"]]
    )
    for images, ids in (([some], [0, 1]), ([annotated(id=70)], [70]), ([annotated(id="a")], ["a"])):
        instances = tfdp.score(images).instances
        assert instances is not None
        assert instances.id.tolist() == ids


@pytest.mark.parametrize(
    ("image_id", "expected"),
    [
        (np.int32(5), 5),
        (np.uint64(5), 5),
        (np.array(5), 5),
        (np.array([5]), 5),
        ("é", "é"),
        (np.str_("x"), "x"),
        (-(2**63), -(2**63)),
    ],
)
def test_ids(image_id: Any, expected: Any) -> None:
    scores = tfdp.score([record(image_id, annotations=[{"segmentation": SQUARE, "category_id": image_id}])])
    assert scores.images.id.tolist() == [expected]
    assert scores.classes is not None
    assert scores.classes.id.tolist() == [expected]
    assert scores.classes.name.tolist() == [str(expected)]


def test_sizes_of_images() -> None:
    class Tensor:
        shape = (3, 10, 12)

    pillow = SimpleNamespace(size=(12, 10))
    for image in (np.zeros((10, 12, 3)), np.zeros((10, 12)), Tensor(), pillow):
        data = tfdp.open_dataset([(image, [{"segmentation": SQUARE, "category_id": 1, "image_id": 8}])])
        scores = tfdp.score(data)
        assert data.image_sizes.tolist() == [[10, 12]]
        assert scores.images.id.tolist() == [8]


def test_a_sample_of_webdataset() -> None:
    about = {"height": 10, "width": 10, "annotations": record()["annotations"]}
    samples = [{"__key__": "a/1", "__url__": "x.tar", "jpg": b"", "json": about}]
    assert tfdp.score(samples).images.id.tolist() == ["a/1"]
    image = {"image_id": 5, "width": 10, "height": 10, "file_name": "sa_5.jpg"}
    annotation = {"segmentation": SQUARE, "id": 77}
    flat = {**image, "annotations": [{**annotation, "stability_score": 0.9}]}
    for about in ({"image": image, "annotations": [annotation]}, flat):
        scores = tfdp.score([{"__key__": "sa_5", "json": about}])
        assert (scores.images.id.tolist(), scores.images.file_name.tolist()) == ([5], ["sa_5.jpg"])
        assert scores.classes is not None
        assert scores.classes.id.tolist() == [1]


def test_ignored_and_crowd() -> None:
    images = [annotated(ignore=1, segmentation="not looked at"), annotated(iscrowd=np.array(1)), annotated()]
    for i, image in enumerate(images):
        image["image_id"] = i
    scores = tfdp.score(images)
    assert (scores.ignored, scores.crowd) == (1, 1)
    assert scores.images.annotations.tolist() == [0, 1, 1]
    assert scores.images.instances.tolist() == [0, 0, 1]


# --- data sets ----------------------------------------------------------------------------------------------


class Positions:
    """As PyTorch's data sets: a length and positions, and no error beyond the end."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: int) -> Record:
        return record(index * 10)


def test_positions_and_a_length() -> None:
    seen: list[Progress] = []
    assert tfdp.score(Positions(3), progress=seen.append).images.id.tolist() == [0, 10, 20]
    assert seen[-1] == Progress(3, 3, 3)


def test_positions_without_a_length() -> None:
    class Unsized:
        def __getitem__(self, index: int) -> Record:
            if index == 4:
                raise IndexError
            return record(index)

    assert tfdp.score(Unsized()).images.id.tolist() == [0, 1, 2, 3]


def test_an_iterator_is_read_once() -> None:
    seen: list[Progress] = []
    data = tfdp.open_dataset(record(i) for i in range(3))
    assert tfdp.score(data, progress=seen.append).images.id.tolist() == [0, 1, 2]
    assert seen[-1].all_images is None
    with pytest.raises(
        DataError, match=r"^<generator>: is an iterator that has been read: it can be read once$"
    ):
        tfdp.score(data)
    again = tfdp.open_dataset([record(1)])
    assert tfdp.score(again).images.id.tolist() == tfdp.score(again).images.id.tolist()


def test_what_the_iterable_raises_is_raised() -> None:
    def broken() -> Iterator[Record]:
        yield record()
        raise RuntimeError("mine")

    for threads in (1, 2):
        with pytest.raises(RuntimeError, match=r"^mine$"):
            tfdp.score(broken(), threads=threads)


def test_names_of_classes() -> None:
    coco = made_coco()
    classes = tfdp.score(CocoDetection(coco)).classes
    assert classes is not None
    assert classes.name.tolist() == ["class 0", "class 1", "class 2"]

    class Named(list[Any]):
        metainfo = {"classes": ("a", "b", "c", "d")}  # noqa: RUF012

    classes = tfdp.score(Named([record()])).classes
    assert classes is not None
    assert classes.name.tolist() == ["a", "b", "c", "d"]
    assert classes.instances.tolist() == [0, 0, 0, 1]
    with pytest.raises(DataError, match="image 1: annotation 0: category 9 is none of the 4 classes"):
        tfdp.score(Named([annotated(category_id=9)]))


def test_the_order_of_classes() -> None:
    classes = tfdp.score([annotated(category_id=9), record(2)]).classes
    assert classes is not None
    assert classes.id.tolist() == [3, 9]


# --- what cannot be used ------------------------------------------------------------------------------------

UNFIT: list[tuple[Any, str]] = [
    (5, "images[0]: is int: looked for"),
    ({"a": 1}, "images[0]: has neither of 'annotations', 'objects', 'instances', 'masks'"),
    ((MASK, 5), "images[0]: has a target that is int: looked for"),
    (record(1.5), "images[0]: its id is 1.5, not a whole number of 64 bits or text"),
    (record(True), "images[0]: its id is true, not"),
    (record(2**63), "images[0]: its id is 9223372036854775808, not"),
    (record("a\0"), 'images[0]: its id is "a\\u0000", not'),
    (record("two\nlines", height=-1), 'image "two\\nlines": "height" is -1, not a whole number from 0 to'),
    (record(width=None), 'image 1: has no "width"'),
    (record(width=2.5), 'image 1: "width" is 2.5, not'),
    (record(file_name=7), 'image 1: "file_name" is 7, not text'),
    (record(annotations=5), 'images[0]: has "annotations" that is int, not a list'),
    (record(annotations=[5]), "image 1: annotation 0: is int, not a mapping"),
    (record(annotations=[{}]), 'image 1: annotation 0: has no "segmentation"'),
    (record(annotations=[{"segmentation": SQUARE}]), 'image 1: annotation 0: has no "category_id"'),
    (record(annotations={"segmentation": [1, 2], "category": [1]}),
     "has lists of different lengths: segmentation 2, category 1"),
    (annotated(category_id=None), 'image 1: annotation 0: "category_id" is null, not'),
    (annotated(id=[1]), 'image 1: annotation 0: "id" is an array, not'),
    (annotated(id=8, iscrowd="yes"), 'annotation 8: "iscrowd" is "yes", not true, false or a number'),
    (annotated(ignore=np.nan), 'image 1: annotation 0: "ignore" is NaN, not'),
    (annotated(segmentation=5), "image 1: annotation 0: the segmentation is neither"),
    (annotated(segmentation=np.zeros((9, 10), bool)), "annotation 0: the mask's own size is not the image's"),
    (annotated(segmentation=MASK.astype(float)), "annotation 0: the segmentation is neither"),
    (annotated(segmentation=np.ma.masked_array(MASK)), "its mask says twice what is foreground"),
    ({"instances": [5], "height": 1, "width": 1}, "image 0: annotation 0: is int, not a mapping"),
    ({"instances": [{"mask": []}], "height": 1, "width": 1}, 'image 0: annotation 0: has no "bbox_label"'),
    ({"masks": MASK, "labels": [1]}, "images[0]: has masks of shape [10, 10], not [N, H, W]"),
    ({"masks": MASK[None] * 1.0, "labels": [1]}, "has masks that cannot be used: a dense mask holds bool or"),
    ({"masks": 5, "labels": [1]}, "images[0]: has masks that are int, not an array or a list"),
    ({"masks": MASK[None]}, 'images[0]: has no "labels"'),
    ({"masks": MASK[None], "labels": 7}, 'has "labels" that is int, not a list or an array'),
    ({"masks": MASK[None], "labels": [1, 2]}, 'images[0]: has 1 masks and 2 values of "labels"'),
    ((MASK, [{"image_id": 1}, {"image_id": 2}]), "its annotations have different values of image_id"),
    (SimpleNamespace(xyxy=[1], mask=None, class_id=[1]), "images[0]: has 1 detections and no mask of them"),
    (SimpleNamespace(xyxy=[1], mask=MASK[None], class_id=None), "images[0]: has detections without class_id"),
]  # fmt: skip


@pytest.mark.parametrize(("image", "message"), UNFIT, ids=[message for _, message in UNFIT])
def test_what_cannot_be_used(image: Any, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        tfdp.score([image])
    assert str(caught.value).startswith("<list>: ")
    assert "\n" not in str(caught.value)
    scores = tfdp.score([image], on_error="skip")
    assert [str(problem.error("<list>")) for problem in scores.problems] == [str(caught.value)]
    assert scores.instances is not None
    assert len(scores.instances) == 0


def test_a_tensor_elsewhere() -> None:
    class Elsewhere:
        def __array__(self, *_: Any, **__: Any) -> Any:
            raise TypeError("can't convert cuda:0 device type tensor to numpy.\nUse Tensor.cpu()")

    reason = "cannot be turned into an array: can't convert cuda:0 device type tensor to numpy."
    with pytest.raises(DataError, match=re.escape(f"image 1: annotation 0: its mask {reason}") + "$"):
        tfdp.score([annotated(segmentation=Elsewhere())])
    with pytest.raises(DataError, match=re.escape(f"has masks that cannot be used: {reason}") + "$"):
        tfdp.score([{"masks": Elsewhere(), "labels": [1]}])


def test_problems_in_order() -> None:
    bad = [{"segmentation": [[1, 2, 3]], "category_id": 1}, {}, *record()["annotations"]]
    images = [record(1), record(2, height="x"), record(3, annotations=bad), 7, record(4, annotations=bad[:1])]
    for threads in (1, 2, 7):
        scores = tfdp.score(images, on_error="skip", threads=threads)
        assert [(problem.record, problem.row) for problem in scores.problems] == [
            ("image 2", 1),
            ("image 3: annotation 0", 1),
            ("image 3: annotation 1", 2),
            ("images[3]", 4),
            ("image 4: annotation 0", 4),
        ]
        assert scores.images.id.tolist() == [1, 3, 4]
        assert scores.images.annotations.tolist() == [1, 1, 0]
        with pytest.raises(DataError, match='image 2: "height" is "x"'):
            tfdp.score(images, threads=threads)


def test_ids_of_some_images_only() -> None:
    without = {**record(), "image_id": None}
    with pytest.raises(DataError, match=r"images\[1\]: has no id, unlike the images before it"):
        tfdp.score([record(), without])
    with pytest.raises(DataError, match=r"images\[1\]: has an id, unlike the images before it"):
        tfdp.score([without, record()])


ONE_IMAGE: list[Any] = [
    record(),
    {"masks": MASK[None], "labels": [1]},
    {"instances": []},
    SimpleNamespace(xyxy=[], mask=None, class_id=None),
]


@pytest.mark.parametrize("image", ONE_IMAGE, ids=lambda image: type(image).__name__)
def test_one_image_is_no_data_set(image: Any) -> None:
    with pytest.raises(DataError, match=r"is one image, not a data set: put it into a list$"):
        tfdp.score(image)


def test_a_dict_of_coco_is_coco() -> None:
    with pytest.raises(DataError, match='has no "images"'):
        tfdp.score({"annotations": [], "categories": []})


def test_a_path_is_no_records() -> None:
    with pytest.raises(DataError, match=r"^x\.json: is a path: records are objects$"):
        tfdp.score("x.json", format="records")


def test_a_loader_is_no_data_set() -> None:
    loader = SimpleNamespace(dataset=[record()], collate_fn=list, __iter__=None)
    with pytest.raises(DataError, match=r"is a loader of batches: give its data set \(\.dataset\)$"):
        tfdp.score(loader, format="records")


@pytest.mark.parametrize("destination", ["x.json", "x.jsonl", "x"])
def test_there_is_nothing_to_write(tmp_path: Any, destination: str) -> None:
    with pytest.raises(OptionError, match=r"use score and select, and keep the images in subset.image_ids$"):
        tfdp.prune([record()], tmp_path / destination, rate=0.5)
    assert list(tmp_path.iterdir()) == []
    data = tfdp.open_dataset([record()])
    tfdp.score(data)
    with pytest.raises(OptionError, match="has no file format"):
        data.write_subset(tmp_path / destination, np.ones(1, bool), np.empty(0, np.int64))


def test_there_is_nothing_to_hash() -> None:
    data = tfdp.open_dataset([record()], fingerprint=True)
    tfdp.score(data)
    assert data.fingerprint() is None


def test_the_way_that_the_error_names() -> None:
    coco = made_coco()
    images: Callable[[], Iterator[Record]] = lambda: general(coco)  # noqa: E731
    subset = tfdp.select(tfdp.score(images()), rate=0.5)
    kept = [image for image in images() if image["image_id"] in set(subset.image_ids.tolist())]
    assert len(kept) == len(subset)
