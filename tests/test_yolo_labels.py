"""Label files of YOLO: what the core reads is what Python reads, line by line."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tfdp_fast import _core
from tfdp_fast._core import FillConvention
from tfdp_fast.formats._chunk_builder import ChunkBuilder
from tfdp_fast.formats._streamed import Chunk
from tfdp_fast.formats._yolo_chunks import LabelledImages
from tfdp_fast.formats._yolo_labels import LabelReader, LineFaultError
from yolo_support import BAD_LINES, TRIANGLE

HEIGHT, WIDTH = 40, 60
BOM = b"\xef\xbb\xbf"


def read(stored: list[bytes], reader: LabelReader) -> Chunk:
    """The chunk of some label files."""
    images = LabelledImages()
    for i, text in enumerate(stored):
        images.add(f"{i}.png", HEIGHT, WIDTH, f"{i}.txt", text)
    return images.measured(reader, FillConvention.COCO, [])[0]


def read_slowly(stored: list[bytes], reader: LabelReader) -> Chunk:
    """The same, every line by itself and by Python."""
    builder = ChunkBuilder()
    for i, text in enumerate(stored):
        builder.add_image(f"{i}.png", HEIGHT, WIDTH, f"{i}.png")
        seen: set[tuple[int, bytes]] = set()
        for number, line in enumerate(text.removeprefix(BOM).splitlines(), 1):
            words = line.split()
            if not words:
                continue
            record, file = f"line {number}", f"{i}.txt"
            try:
                category, coordinates = reader.polygon(words)
            except LineFaultError as fault:
                builder.add_problem(record, str(fault), file=file)
                continue
            key = category, coordinates.astype(np.float32).tobytes()
            if key in seen:
                builder.add_ignored()
                continue
            seen.add(key)
            points = coordinates.reshape(-1, 2) * np.array([WIDTH, HEIGHT], np.float64)
            builder.add_annotation([points], category, record=record, file=file)
    return builder.measured(FillConvention.COCO)


def assert_same(stored: list[bytes], pose_words: int = 0) -> None:
    reader = LabelReader(3, pose_words)
    fast, slow = read(stored, reader), read_slowly(stored, reader)
    for name in (field.name for field in fields(Chunk)):
        ours, expected = getattr(fast, name), getattr(slow, name)
        if isinstance(expected, np.ndarray):
            assert ours.dtype == expected.dtype, name
            np.testing.assert_array_equal(ours, expected, name)
        else:
            assert ours == expected, name


share = st.floats(0, 1)
form = st.sampled_from(["", ".6f", ".6g", ".3e", ".17g", ".40f", "+.2f", ".0f"])
word = st.one_of(
    st.builds(format, share, form),
    st.builds(format, share, form),
    st.builds(format, st.floats(), form),
    st.integers(-1, 3).map(str),
    st.from_regex(r"[-+]{0,2}[0-9_]{0,22}\.?[0-9]{0,60}([eE][-+]?[0-9]{0,4})?", fullmatch=True),
    st.sampled_from(
        ["nan", "-inf", "Infinity", "NaN", "0x1", "0_1", "1_", ".5", "5.", "-0.0", "1e-999", "é"]
    ),
)
blank = st.sampled_from([" ", " ", " ", "\t", "  ", "\v", "\f", "\x1c", "\u00a0"])
good_line = st.builds(
    lambda category, numbers: " ".join([str(category), *map(repr, numbers)]),
    st.integers(0, 3),
    st.lists(share, min_size=6, max_size=9),
)
odd_line = st.lists(st.tuples(word, blank), max_size=10).map(lambda parts: "".join(map("".join, parts)))
line = st.one_of(good_line, good_line, odd_line, st.sampled_from([*BAD_LINES, TRIANGLE, TRIANGLE, ""]))
ending = st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n", "\n\r", "\x85", "\x1e"])
lines = st.lists(st.tuples(line, ending), max_size=8).map(lambda parts: "".join(map("".join, parts)).encode())


@st.composite
def label_files(draw: st.DrawFn) -> bytes:
    """Lines good and bad, cut anywhere."""
    text = draw(st.sampled_from([b"", b"", BOM])) + draw(lines)
    return text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text


@given(st.lists(label_files(), max_size=3), st.sampled_from([0, 0, 9]))
@example([b"0 0 0 0 1 1 1\n0 -0.0 0 0 1 1 1\n0 0.0 0 0 1 1 1.00000000001\n00 0 0 0 1 1 1"], 0)
@example([TRIANGLE.encode(), TRIANGLE.encode()], 7)
@example([b"0. 0 0 0 1 1 1\n0 0 0 0 1 1 1\n3 0 0 0 1 1 1\n0 0 0 0 1 1 1.005"], 0)
def test_same_as_line_by_line(stored: list[bytes], pose_words: int) -> None:
    assert_same(stored, pose_words)


@given(st.lists(st.binary(max_size=60), max_size=3))
def test_any_bytes(stored: list[bytes]) -> None:
    assert_same(stored)


@given(st.lists(word, min_size=6, max_size=12))
def test_numbers(words: list[str]) -> None:
    text = " ".join(["0", *words])
    *_, classes, offsets, coordinates = _core.read_label_lines([text.encode()])
    assert offsets.tolist() == [0, len(coordinates)]
    if classes[0] >= 0:
        assert list(map(repr, coordinates.tolist())) == [repr(float(number)) for number in text.split()[1:]]
    else:
        assert len(coordinates) == 0


@pytest.mark.parametrize("text", [TRIANGLE, "0 0.1 1e-3 5E-1 1 0.30000000000000004 0", "0\t0 0  1. -0 1 1 "])
def test_what_is_plain(text: str) -> None:
    """Or else everything above could pass without the core."""
    *_, classes, _, coordinates = _core.read_label_lines([text.encode()])
    assert classes.tolist() == [0]
    assert coordinates.tolist() == list(map(float, text.split()[1:]))
