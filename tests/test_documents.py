"""SA-1B, WebDataset and lines of JSON: what is read from documents of one image each, in every layout."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

import tfdp_fast as tfdp
from documents_support import (
    LAYOUTS,
    SQUARE,
    Layout,
    as_files,
    as_folders,
    as_lines,
    as_one_tar,
    as_tars,
    general,
    made,
    measured,
    read_lines,
    rle,
    sa1b,
    text,
    write_tar,
)
from tfdp_fast import _core
from tfdp_fast.errors import OptionError
from tfdp_fast.formats import _json_lines, _numbered_files, _tar_shards
from tfdp_fast.formats.opening import open_dataset

EVERY_LAYOUT = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)


def cut_into_pieces_of(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pieces of one document, or of many."""
    monkeypatch.setattr(_tar_shards, "PIECE", n)
    monkeypatch.setattr(_json_lines, "PIECE", n)
    monkeypatch.setattr(_json_lines, "_STEP", max(n, 16))
    monkeypatch.setattr(_numbered_files, "FILES", n)


@EVERY_LAYOUT
@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("size", [1, 1000])
def test_made_documents(
    layout: Layout, threads: int, size: int, tmp_path: Path, opencv: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_into_pieces_of(size, monkeypatch)
    documents, masks = made(12)
    data, counts, statuses = measured(layout(tmp_path / "a", documents), threads)
    assert counts.tolist() == [list(opencv.counts(mask)) for mask in masks]
    assert not statuses.any()
    parsed = [json.loads(documents[number]) for number in sorted(documents)]
    assert data.image_ids.tolist() == sorted(documents)
    assert data.image_sizes.tolist() == [[p["image"]["height"], p["image"]["width"]] for p in parsed]
    prefixes = {as_folders.__name__: ["sa_2/"] * 4 + ["sa_9/"] * 4 + ["sa_10/"] * 4}
    before = prefixes.get(layout.__name__, [""] * 12)
    assert isinstance(data.file_names, np.ndarray)
    assert data.file_names.tolist() == [
        f"{prefix}sa_{number}.jpg" for prefix, number in zip(before, sorted(documents), strict=True)
    ]
    annotations = [(i, a) for i, p in enumerate(parsed) for a in p["annotations"]]
    assert data.annotation_ids.tolist() == [a["id"] for _, a in annotations]
    assert data.image_index.tolist() == [i for i, _ in annotations]
    assert data.rows.tolist() == list(range(data.records)) == list(range(len(masks)))
    assert (data.category_ids.tolist(), data.category_names) == ([1], ["object"])
    assert not data.category_index.any()
    assert not data.crowd.any()
    assert (data.ignored, data.problems) == (0, [])


@pytest.mark.parametrize("name", ["coco_val2014_100.json", "lvis_val_100.json", "voc2012_train.json"])
@EVERY_LAYOUT
def test_real_annotations(name: str, layout: Layout, shared_data: Path, tmp_path: Path) -> None:
    """The same boundary counts as from COCO's JSON: compressed RLE holds every mask exactly."""
    wanted, counts, _ = measured(shared_data / name)
    scored = ~wanted.crowd
    expected = dict(zip(wanted.annotation_ids[scored].tolist(), counts[scored].tolist(), strict=True))
    data = json.loads((shared_data / name).read_text())
    of_image: dict[int, list[Any]] = {image["id"]: [] for image in data["images"]}
    for annotation in data["annotations"]:
        if annotation["id"] in expected:
            of_image[annotation["image_id"]].append(annotation)
    documents = {}
    for number, image in enumerate(data["images"]):
        size = (image["height"], image["width"])
        records = of_image[image["id"]]
        document = sa1b(image["id"], tfdp.to_rle([record["segmentation"] for record in records], size), size)
        for mine, record in zip(document["annotations"], records, strict=True):
            mine["id"] = record["id"]
        documents[number] = text(document)
    found, counts, _ = measured(layout(tmp_path / "a", documents), threads=2)
    assert dict(zip(found.annotation_ids.tolist(), counts.tolist(), strict=True)) == expected


def test_segmentations_of_every_kind(opencv: Any) -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[3:9, 4:20] = mask[10:12, 10:25] = 1
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat, prepend=0))
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    polygon = [[4.0, 3.0, 20.0, 3.0, 20.0, 9.0, 4.0, 9.0]]
    as_mask = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygon, 20, 30)))
    kinds = [
        rle(mask),
        {"counts": runs, "size": [20, 30]},
        {"size": [20, 30], "counts": runs},
        polygon,
        [],
        None,
    ]
    _, counts, _ = read_lines(general(1, kinds))
    expected = [mask, mask, mask, as_mask, 0 * mask, 0 * mask]
    assert counts.tolist() == [list(opencv.counts(one)) for one in expected]


def test_the_general_form() -> None:
    document = general(
        "é/1",
        file_name="a b.jpg",
        annotations=[
            {"segmentation": SQUARE, "category_id": "dog", "id": 2**63 - 1},
            {"segmentation": SQUARE, "category_id": "cat", "id": -7, "iscrowd": 1},
            {"segmentation": SQUARE, "category_id": "cat", "id": 0, "ignore": True, "iscrowd": None},
            {"segmentation": SQUARE, "category_id": "dog", "id": 5, "ignore": 0.0},
        ],
    )
    without_id = general("2", annotations=[{"segmentation": SQUARE, "category_id": "cat"}])
    data, _, _ = read_lines(document, without_id)
    assert data.annotation_ids.tolist() == data.rows.tolist() == [0, 1, 3, 4]
    data, counts, _ = read_lines(document)
    assert data.image_ids.tolist() == ["é/1"]
    assert data.file_names[0] == "a b.jpg"
    assert data.annotation_ids.tolist() == [2**63 - 1, -7, 5]
    assert data.rows.tolist() == [0, 1, 3]
    assert data.category_ids.tolist() == data.category_names == ["cat", "dog"]
    assert data.category_index.tolist() == [1, 0, 1]
    assert data.crowd.tolist() == [False, True, False]
    assert (data.records, data.ignored, len(counts)) == (4, 1, 3)


def test_the_form_follows_from_the_keys() -> None:
    """SA-1B's form has ``image``, which alone has the size; a category that is given counts in either."""
    given = sa1b(1, [SQUARE])
    given["annotations"][0]["category_id"] = 9
    data, _, _ = read_lines(given, sa1b(2, [SQUARE]), general(3, image="3.jpg"), general(4, image={}))
    assert data.image_ids.tolist() == [1, 2, 3, 4]
    assert data.category_ids.tolist() == [1, 5, 9]
    assert data.category_names == ["1", "5", "9"]
    data, _, _ = read_lines(given)
    assert (data.category_ids.tolist(), data.category_names) == ([9], ["9"])


def test_what_python_writes_beyond_json() -> None:
    """NaN where it does not matter, a byte order mark, whole numbers as floats."""
    odd = general(1, [SQUARE, SQUARE], score=float("nan"), height=20.0, why='"NaN\\')
    odd["annotations"][1]["area"] = float("-inf")
    plain, counts, _ = read_lines(general(1, [SQUARE, SQUARE]), general(2))
    data, same, _ = read_lines(b"\xef\xbb\xbf" + text(odd), general(2))
    assert same.tolist() == counts.tolist()
    assert data.image_sizes.tolist() == plain.image_sizes.tolist() == [[20, 30], [20, 30]]


def test_numbers_order_files_and_shards(tmp_path: Path) -> None:
    """Numbers are numbers; a file with leading zeros is found again."""
    folder = tmp_path / "a"
    folder.mkdir()
    for name in ("sa_10.json", "sa_9.json", "sa_0010.json", "sa_123456789012345678.json"):
        (folder / name).write_bytes(text(sa1b(len(name), [SQUARE])))
    (folder / "sa_x.json").write_bytes(b"passed over")
    data, _, _ = measured(folder)
    assert data.image_ids.tolist() == [len("sa_9.json"), len("sa_10.json"), len("sa_0010.json"), 26]
    assert data.image_folder == folder


def test_webdataset_takes_shards_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("2.tar", "10.tar", "1.tar"):
        write_tar(tmp_path / name, [(f"{name}.json".replace(".tar", ""), text(general(int(name[:-4]))))])
    data, _, _ = measured(tmp_path)
    assert data.image_ids.tolist() == [1, 10, 2]


def test_webdataset_keys(tmp_path: Path) -> None:
    """The key is the id, and its image the name, where the document says none."""
    nameless = {key: value for key, value in general(0).items() if key != "image_id"}
    path = write_tar(
        tmp_path / "a.tar",
        [
            ("./d.x/one.cls", b"3"),
            ("./d.x/one.json", text(nameless)),
            ("./d.x/one.seg.PNG", b""),
            ("./d.x/one.png", b""),
            ("./d.x/two.JSON", text(nameless)),
            ("._two.json", b"\0\5\x16\7"),
            (".hidden", b""),
            ("three.other.json", b"another column"),
            ("three.json", text(general("3", file_name="own.jpg"))),
            ("three.jpg", b""),
        ],
    )
    data, _, _ = measured(path)
    assert data.image_ids.tolist() == ["./d.x/one", "./d.x/two", "3"]
    assert list(data.file_names) == ["./d.x/one.png", None, "own.jpg"]


@pytest.mark.parametrize("name", ["ä ö.json", "a" * 150 + "/" + "b" * 90 + ".json", "x/" * 120 + "y.json"])
@pytest.mark.parametrize("dialect", ["PAX", "GNU", "USTAR"])
def test_long_and_foreign_names(name: str, dialect: str, tmp_path: Path) -> None:
    content = text({**general(0), "image_id": name})
    path = tmp_path / "sh ärd\udcff.tar"
    with tarfile.open(path, "w", format=getattr(tarfile, f"{dialect}_FORMAT")) as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        try:
            tar.addfile(member, io.BytesIO(content))
        except ValueError:  # what USTAR has no place for
            pytest.skip("the dialect cannot hold the name")
    data, _, _ = measured(path, fingerprint=True)
    assert data.image_ids.tolist() == [name]


@EVERY_LAYOUT
@pytest.mark.parametrize("size", [1, 1000])
def test_fingerprint(layout: Layout, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of documents in files and tars, that of the files as ``tar`` would unpack them."""
    cut_into_pieces_of(size, monkeypatch)
    documents, _ = made()
    source = layout(tmp_path / "a", documents)
    data, _, _ = measured(source, 2, fingerprint=True)
    found = data.fingerprint()
    assert found is not None
    if "lines" in layout.__name__:
        whole = source.read_bytes()
        assert (found.files, found.size, found.sha256) == (1, len(whole), hashlib.sha256(whole).hexdigest())
        return
    hashed = dict(zip(data.image_ids.tolist(), map(str, data.file_names), strict=True))
    shards = {"as_tars": "sa_{}.tar", "as_packed_tars": "sa_{}.tar.gz"}
    text_of_all = b""
    numbers = sorted(documents)
    names = {
        "as_webdataset": [f"train-{i:03d}.tar/" for i in (0, 0, 0, 1, 1, 2, 2)],
        **{key: [form.format(i) + "/" for i in (2, 2, 2, 9, 9, 10, 10)] for key, form in shards.items()},
    }.get(layout.__name__, [""] * 7)
    for number, before in zip(numbers, names, strict=True):
        digest = hashlib.sha256(documents[number]).hexdigest()
        name = before + hashed[number].replace(".jpg", ".json")
        text_of_all += f"{digest}  {name}\n".encode()
    size_of_all = sum(map(len, documents.values()))
    expected = (7, size_of_all, hashlib.sha256(text_of_all).hexdigest())
    assert (found.files, found.size, found.sha256) == expected


def test_fingerprint_of_one_document(tmp_path: Path) -> None:
    content = text(sa1b(3, [SQUARE]))
    (tmp_path / "sa_3.json").write_bytes(content)
    data, _, _ = measured(tmp_path / "sa_3.json", fingerprint=True, format="sa1b")
    found = data.fingerprint()
    assert found is not None
    assert found.sha256 == hashlib.sha256(content).hexdigest()


def test_progress_knows_the_number_of_files(tmp_path: Path) -> None:
    documents, _ = made()
    for layout, known in ((as_files, 7), (as_folders, 7), (as_tars, None), (as_lines, None)):
        seen: list[Any] = []
        tfdp.score(layout(tmp_path / layout.__name__, documents), progress=seen.append)
        assert (seen[-1].images, seen[-1].all_images) == (7, known)


def test_options_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="sa1b is read from a path, not from list"):
        open_dataset([1], format="sa1b")
    with pytest.raises(OptionError, match="split makes no sense for the format webdataset"):
        open_dataset(as_one_tar(tmp_path / "a", made()[0]), format="webdataset", split="train")


def test_empty_lines_and_documents_without_annotations() -> None:
    data, counts, _ = read_lines(b"", general(1, []), b"  \t\r", general(2, []))
    assert (data.image_ids.tolist(), len(counts), data.category_names) == ([1, 2], 0, [])


PEAK = """
import sys, tracemalloc
from tfdp_fast._core import FillConvention
from tfdp_fast.formats.opening import open_dataset

open_dataset(sys.argv[1]).measure(FillConvention.COCO, threads=1, progress=None)
tracemalloc.start()
data = open_dataset(sys.argv[2])
data.measure(FillConvention.COCO, threads=1, progress=None)
print(*tracemalloc.get_traced_memory(), len(data.rows), len(data.image_ids))
"""


@pytest.mark.parametrize("layout", [as_files, as_tars, as_lines])
@pytest.mark.skipif("sanitized" in _core.build, reason="AddressSanitizer keeps what has been freed")
def test_only_columns_stay_in_memory(layout: Layout, tmp_path: Path) -> None:
    mask = {"size": [2000, 2], "counts": rle(np.zeros((2000, 2), np.uint8))["counts"]}
    padding = " " * 20_000
    many = {number: text(sa1b(number, [mask] * 25, (2000, 2), padding=padding)) for number in range(2000)}
    few = {0: many[0], 1: many[1], 2: many[2]}
    paths = [str(layout(tmp_path / name, documents)) for name, documents in (("few", few), ("many", many))]
    done = subprocess.run([sys.executable, "-c", PEAK, *paths], check=True, capture_output=True, text=True)
    kept, peak, annotations, images = map(int, done.stdout.split())
    size = sum(map(len, many.values()))
    assert (annotations, images) == (50_000, 2000)
    assert kept < 45 * annotations + 100 * images
    assert peak < size // 2
