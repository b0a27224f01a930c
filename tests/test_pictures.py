"""Images with the contours of their annotations, as they are drawn."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

import tfdp_fast as tfdp
from picture_support import measured, picture_of, three_images, with_images
from tfdp_fast.report._colours import COLOURS, colours_of
from tfdp_fast.report._labels import Layout, point_inside
from tfdp_fast.report.pictures import Picture, Ranking, take_pictures

ORIENTATION = 0x0112


def pixels(picture: Picture) -> Any:
    assert picture.pixels is not None
    assert picture.pixels.mode == "RGB"
    return np.asarray(picture.pixels).astype(int)


# --- contours and roles -------------------------------------------------------------------------------------


def test_outlines_are_those_of_opencv(opencv: Any) -> None:
    rng = np.random.default_rng(3)
    masks = rng.random((4, 40, 50)) < 0.6
    images = [{"image_id": f"im{i}", "masks": masks[[i]], "labels": [i]} for i in range(4)]
    found = measured(images)
    for picture in take_pictures(found, [3, 0, 2], threads=2):
        mask = masks[picture.position].astype(np.uint8)
        [outline] = picture.outlines
        assert picture.id == f"im{picture.position}"
        assert [contour.tolist() for contour in outline.contours] == [
            c.tolist() for c in opencv.contours(mask)
        ]
        assert outline.contours[outline.primary].tolist() == opencv.primary(mask).tolist()
        assert (outline.row, outline.role) == (picture.position, "scored")


def test_roles_and_rows() -> None:
    data = three_images()
    data["annotations"].append({"id": 6, "image_id": 8, "category_id": 5, "segmentation": [[1, 1, 2]]})
    found = measured(data, on_error="skip")
    scores = found.scores("tfdp")
    pictures = take_pictures(found, range(3), threads=1)
    assert [(p.id, p.file_name, p.height, p.width, p.pixels, p.note) for p in pictures] == [
        (image["id"], image["file_name"], 20, 30, None, None) for image in data["images"]
    ]
    roles = {outline.id: outline.role for picture in pictures for outline in picture.outlines}
    assert roles == {1: "scored", 2: "scored", 3: "scored", 4: "scored", 5: "crowd", 6: "set aside"}
    assert scores.instances is not None
    for outline in (
        outline for picture in pictures for outline in picture.outlines if outline.row is not None
    ):
        assert scores.instances.id[outline.row] == outline.id
        assert outline.category_name == {5: "cat", 6: "dog"}[scores.instances.category_id[outline.row].item()]


def test_ranking_is_that_of_select() -> None:
    scores = measured(three_images()).scores("tfdp")
    ranking = Ranking.of(scores)
    subset = tfdp.select(scores, keep=1.0)
    assert scores.images.id[ranking.positions].tolist() == subset.ranking.tolist()
    assert ranking.ranks[ranking.positions].tolist() == [1, 2]
    assert ranking.ranks[2] == 0


def test_an_image_may_be_named_twice_and_none_at_all() -> None:
    found = measured(three_images())
    assert [picture.id for picture in take_pictures(found, [2, 0, 2], threads=1)] == [9, 7, 9]
    assert take_pictures(found, [], threads=1) == []


# --- pixels -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "P", "1", "LA"])
def test_every_mode_becomes_rgb(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new("RGB", (30, 20), (200, 200, 200)).convert(mode).save(path)
    shown = pixels(picture_of(path, (20, 30)))
    assert shown.shape == (20, 30, 3)
    assert abs(shown.mean() - 200) < (60 if mode == "1" else 8)


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (30, 20), (10, 20, 30, 0)).save(tmp_path / "a.png")
    assert (pixels(picture_of(tmp_path / "a.png", (20, 30))) == 255).all()


def test_sixteen_bits_are_stretched(tmp_path: Path) -> None:
    values = np.linspace(1000, 3000, 600).reshape(20, 30).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    shown = pixels(picture_of(tmp_path / "a.png", (20, 30)))
    assert (shown.min(), shown.max()) == (0, 255)
    assert (np.diff(shown[..., 0].ravel()) >= 0).all()


def test_a_large_image_is_reduced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    halves = Image.new("RGB", (2000, 1000), "black")
    halves.paste((255, 255, 255), (1000, 0, 2000, 1000))
    halves.save(tmp_path / "a.jpg")
    drafts = []
    plugin = JpegImagePlugin.JpegImageFile
    original = plugin.draft

    def noted(image: Any, mode: Any, size: Any) -> Any:
        result = original(image, mode, size)
        drafts.append(image.size)
        return result

    monkeypatch.setattr(plugin, "draft", noted)
    shown = pixels(picture_of(tmp_path / "a.jpg", (1000, 2000), longest=100))
    assert shown.shape == (50, 100, 3)
    assert (shown[:, :45] < 10).all()
    assert (shown[:, 55:] > 245).all()
    assert drafts == [(250, 125)]  # decoded at an eighth


@pytest.mark.parametrize("longest", [None, 15])
def test_exif_turns_it_if_the_annotations_are_of_the_turned_one(longest: int | None, tmp_path: Path) -> None:
    upright = Image.new("RGB", (32, 16), "black")
    upright.paste((255, 255, 255), (0, 0, 16, 16))  # white on the left
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned by 90 degrees clockwise
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "a.png", exif=exif)
    shown = pixels(picture_of(tmp_path / "a.png", (16, 32), longest=longest))
    height, width = (16, 32) if longest is None else (8, 15)
    assert shown.shape == (height, width, 3)
    assert (shown[:, : width // 2 - 2] > 200).all()
    assert (shown[:, width // 2 + 2 :] < 50).all()
    stored = pixels(picture_of(tmp_path / "a.png", (32, 16)))
    assert (stored[:12] < 50).all()
    assert (stored[20:] > 200).all()


FAULTS = {
    "wrong size": "is 31 × 20 pixels, and its annotations are of 30 × 20",
    "not there": "is not there",
    "damaged": "is no image that can be read",
    "cut off": "is no image that can be read",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_image_that_cannot_be_shown(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    width = 31 if fault == "wrong size" else 30
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (20, width, 3), np.uint8)).save(path)
    if fault == "not there":
        path.unlink()
    elif fault == "damaged":
        path.write_bytes(b"nothing")
    elif fault == "cut off":
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(tfdp.DataError, match="image 1: ") as caught:
        picture_of(path, (20, 30))
    assert str(caught.value) == f"{path}: image 1: {FAULTS[fault]}"
    picture = picture_of(path, (20, 30), on_error="skip")
    assert (picture.pixels, picture.note) == (None, FAULTS[fault])


@pytest.mark.parametrize("name", ["../b.png", "/etc/b.png", "x/../../b.png"])
def test_a_name_that_leads_out_of_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    data = three_images()
    data["images"][0]["file_name"] = name
    (tmp_path / "images").mkdir()
    Image.new("RGB", (30, 20)).save(tmp_path / "b.png")
    for on_error in ("raise", "skip"):
        found = measured(data, on_error=on_error)
        if on_error == "raise":
            with pytest.raises(tfdp.DataError, match="leads out of the folder"):
                take_pictures(found, [0], images=tmp_path / "images", threads=1)
        else:
            [picture] = take_pictures(found, [0], images=tmp_path / "images", threads=1)
            assert picture.pixels is None
            assert "leads out of the folder" in str(picture.note)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(tfdp.DataError, match="is no folder of images"):
        take_pictures(measured(three_images()), [0], images=tmp_path / "nothing", threads=1)


# --- what is drawn ------------------------------------------------------------------------------------------

SCALE = 8


def rendered(picture: Picture) -> Any:
    """The picture, each pixel of it as SCALE x SCALE pixels."""
    figures = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")
    from tfdp_fast.report._canvas import drawing_style
    from tfdp_fast.report._picture_drawing import draw_picture

    with drawing_style():
        figure = figures.Figure(figsize=(picture.width / 72, picture.height / 72))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        draw_picture(axes, picture, {0: "#ff0000", 1: "#0000ff"}, picture.width)
        memory = io.BytesIO()
        figure.savefig(memory, format="png", dpi=72 * SCALE)
    shown = np.asarray(Image.open(memory).convert("RGB")).astype(int)
    assert shown.shape == (picture.height * SCALE, picture.width * SCALE, 3)
    return shown[SCALE // 2 :: SCALE, SCALE // 2 :: SCALE]


@pytest.mark.parametrize("over_pixels", [False, True])
def test_contours_lie_where_opencv_draws_them(over_pixels: bool, tmp_path: Path) -> None:
    data = three_images()
    images = with_images(tmp_path, data) if over_pixels else None
    [picture] = take_pictures(measured(data), [1], images=images, threads=1)
    red = rendered(picture)
    border = np.zeros((20, 30), np.uint8)
    cv2.drawContours(border, [outline.contours[0] for outline in picture.outlines], -1, 1, 1)
    near = cv2.dilate(border, np.ones((3, 3), np.uint8)).astype(bool)
    is_red = (red[..., 0] > 200) & (red[..., 1:].max(axis=-1) < 60)
    assert border.sum() > 40
    assert is_red[border.astype(bool)].all()
    assert not is_red[~near].any()
    ground = np.array([128, 128, 128]) if over_pixels else np.array([242, 241, 238])
    assert (np.abs(red[15:19, 2:28] - ground) <= 1).all()


# --- labels and colours -------------------------------------------------------------------------------------


def test_labels_do_not_cover_each_other() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    rng = np.random.default_rng(1)
    layout, boxes = Layout(300, 200, far=True), []
    for index in range(100):
        low = rng.uniform((0, 0), (280, 180))
        contour = low + np.array([[0, 0], [9, 0], [9, 9], [0, 9]])
        place = layout.place(index, (12.0, 7.0), contour)
        if place is not None:
            boxes.append((place.x - 6, place.y - 3.5, place.x + 6, place.y + 3.5))
    assert len(boxes) == 100
    placed = np.array(boxes)
    assert placed.min() >= 0
    assert (placed[:, 2] <= 300).all()
    assert (placed[:, 3] <= 200).all()
    left, top, right, bottom = placed.T
    overlap = (
        (left < right[:, None]) & (left[:, None] < right) & (top < bottom[:, None]) & (top[:, None] < bottom)
    )
    assert overlap.sum() == 100  # each with itself


def test_a_label_without_room_is_left_out() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    contour = np.array([[0.0, 0.0], [9, 0], [9, 9], [0, 9]])
    layout = Layout(20, 10, far=False)
    assert layout.place(0, (12.0, 7.0), contour) is not None
    assert layout.place(1, (12.0, 7.0), contour) is None
    assert Layout(5, 5, far=True).place(0, (12.0, 7.0), contour) is None


def test_a_point_inside_of_what_is_hollow() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    horseshoe = np.array(
        [[0, 0], [30, 0], [30, 30], [20, 30], [20, 10], [10, 10], [10, 30], [0, 30]], np.float64
    )
    x, y = point_inside(horseshoe)
    assert cv2.pointPolygonTest(horseshoe.astype(np.float32), (x, y), True) > 3
    assert point_inside(np.array([[3.0, 4.0]])) == (3.0, 4.0)


def test_colours_go_by_class() -> None:
    n = len(COLOURS)
    assert colours_of([2, 0, 2]) == {0: COLOURS[0], 2: COLOURS[2]}
    assert colours_of([n + 1]) == {n + 1: COLOURS[1]}
    assert len(set(colours_of(range(n)).values())) == n
    assert len(colours_of(range(3 * n))) == 3 * n
