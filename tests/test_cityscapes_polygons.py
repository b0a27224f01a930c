"""Cityscapes' polygons: drawn as cityscapesScripts draws them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cityscapes_support import MAPS, POLYGONS, make_cityscapes, polygons
from map_support import measured, refusal
from tfdp_fast.errors import DataError
from tfdp_fast.formats._cityscapes_polygons import LABELS, WITH_INSTANCES, draw_polygons

GROUPS = [
    "cargroup",
    "persongroup",
    "ridergroup",
    "bicyclegroup",
    "caravangroup",
    "skygroup",
    "polegroupgroup",
]
SQUARE = [[2, 3], [20, 3], [20, 30], [2, 30]]


def drawn(objects: list[Any], **more: Any) -> Any:
    data = {"imgHeight": 40, "imgWidth": 50, "objects": objects} | more
    return draw_polygons("x.json", json.dumps(data).encode())


def test_labels_are_those_of_cityscapesscripts() -> None:
    theirs = pytest.importorskip("cityscapesscripts.helpers.labels").labels
    assert {label.name: label.id for label in theirs} == LABELS
    assert [label.id for label in theirs if label.hasInstances] == list(WITH_INSTANCES)


@pytest.mark.parametrize("seed", range(30))
def test_maps_are_those_of_cityscapesscripts(seed: int, tmp_path: Path) -> None:
    drawing = pytest.importorskip("cityscapesscripts.preparation.json2instanceImg")
    path = tmp_path / f"a{POLYGONS}"
    path.write_text(json.dumps(polygons(seed, [*LABELS, *GROUPS, *["car", "person"] * 10])))
    annotation = drawing.Annotation()
    annotation.fromJsonFile(str(path))
    theirs = np.asarray(drawing.createInstanceImage(annotation, "ids"))
    assert len(np.unique(theirs)) > 10
    assert np.array_equal(draw_polygons(str(path), path.read_bytes()), theirs)


def test_order_groups_and_what_is_not_drawn() -> None:
    corner = [[0, 0], [5, 0], [5, 5], [0, 5]]
    found = drawn(
        [
            {"label": "car", "polygon": SQUARE},
            {"label": "person", "polygon": SQUARE, "deleted": 1},
            {"label": "license plate", "polygon": SQUARE},
            {"label": "car", "polygon": corner},
            {"label": "cargroup", "polygon": [[30, 30], [40, 35]]},
            {"label": "polegroup", "polygon": [[45, 0], [45, 3]]},
            {"label": "unlabeled", "polygon": [[1, 1], [2, 1], [2, 2], [1, 2]]},
        ]
    )
    assert found.shape == (40, 50)
    assert np.unique(found).tolist() == [0, 18, 26, 26000, 26001]
    assert (found[3, 3], found[1, 1], found[10, 10], found[3, 45]) == (26001, 0, 26000, 18)


def test_polygons_and_their_map_score_the_same(tmp_path: Path) -> None:
    stems = [f"ulm/ulm_{i:06}_000019" for i in range(4)]
    labels = ["car", "person", "cargroup", "road", "bicycle", "caravan"]
    found = {stem: polygons(i, labels) for i, stem in enumerate(stems)}
    drawings = make_cityscapes(tmp_path / "drawings", found)
    maps = {
        stem: draw_polygons(stem, json.dumps(data).encode()).astype(np.uint16) for stem, data in found.items()
    }
    painted = make_cityscapes(tmp_path / "painted", maps)
    ours, counts = measured(drawings)
    theirs, expected = measured(painted)
    assert (counts == expected).all()
    for column in ("image_ids", "image_sizes", "image_index", "category_index", "crowd", "rows"):
        assert (getattr(ours, column) == getattr(theirs, column)).all()
    # The map comes first, where there are both.
    (painted / f"gtFine/train/{stems[1]}{POLYGONS}").write_text("not looked at")
    assert (measured(painted)[1] == expected).all()
    # Some of one kind, some of the other.
    (drawings / f"gtFine/train/{stems[2]}{POLYGONS}").unlink()
    Image.fromarray(maps[stems[2]]).save(drawings / f"gtFine/train/{stems[2]}{MAPS}")
    mixed, counts = measured(drawings)
    assert (counts == expected).all()
    assert (mixed.image_ids == ours.image_ids).all()


CAR = {"label": "car", "polygon": SQUARE}
FAULTS: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "label": ([CAR, {"label": "unicorn", "polygon": SQUARE}], {}, "object 1 ('unicorn'): is no label of"),
    "group": ([{"label": "unicorngroup", "polygon": SQUARE}], {}, "('unicorngroup'): is no label of"),
    "one point": ([{"label": "car", "polygon": [[1, 2]]}], {}, "object 0 ('car'): has no two points"),
    "one coordinate": ([{"label": "car", "polygon": [[1], [2], [3]]}], {}, "has no two points, or a point"),
    "far away": ([{"label": "car", "polygon": [[1, 2], [3e8, 1], [3, 3]]}], {}, "beyond +-2**28"),
    "many": ([CAR] * 1001, {}, "object 1000 ('car'): is one of more than 1000"),
    "no polygon": ([{"label": "car"}], {}, "missing required field `polygon`"),
    "text": ([{"label": "car", "polygon": "x"}], {}, "Expected `array`, got `str`"),
    "no size": ([CAR], {"imgWidth": 0}, "has no size: 40 x 0"),
    "huge": ([CAR], {"imgHeight": 10**9, "imgWidth": 10**9}, "claims 1000000000 x 1000000000 pixels"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_files_that_cannot_be_used(fault: str) -> None:
    objects, more, message = FAULTS[fault]
    with pytest.raises(DataError) as caught:
        drawn(objects, **more)
    assert caught.value.source == "x.json"
    assert message in caught.value.reason
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"imgHeight": NaN}', b"\xff", b"[" * 100_000])
def test_text_that_is_no_such_file(data: bytes) -> None:
    with pytest.raises(DataError, match=r"^x\.json: is no file of Cityscapes' polygons: "):
        draw_polygons("x.json", data)


def test_one_fault_sets_the_image_aside(tmp_path: Path) -> None:
    root = make_cityscapes(
        tmp_path,
        {
            "ulm/a": polygons(0, ["car"]),
            "ulm/b": polygons(1, ["car", "unicorn"]),
            "ulm/c": polygons(2, ["car"]),
        },
    )
    assert refusal(root).record == "image b"
    data, _ = measured(root, on_error="skip")
    assert data.image_ids.tolist() == ["a", "c"]
    assert data.problems[0].file == str(root / f"gtFine/train/ulm/b{POLYGONS}")
