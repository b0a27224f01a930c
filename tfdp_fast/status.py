"""Why an instance could not be measured."""

from __future__ import annotations

import enum


class Status(enum.IntEnum):
    """Status of one instance of a batch, as the core and the kernels report it.

    The numbers are those of ``cpp/include/tfdp/status.hpp`` and are never reused.
    """

    OK = 0
    RUNS_DO_NOT_FILL_MASK = 1
    RLE_TRUNCATED = 2
    RLE_BAD_CHARACTER = 3
    RLE_COUNT_OUT_OF_RANGE = 4
    COORDINATE_NOT_FINITE = 5
    COORDINATE_OUT_OF_RANGE = 6
    COORDINATES_ODD = 7
    SEGMENTATION_TYPE = 8
    SIZE_MISMATCH = 9
    SIZE_OUT_OF_RANGE = 10
    SIZE_MISSING = 11
    RLE_COUNTS_TYPE = 12
    JSON_MALFORMED = 13

    @property
    def reason(self) -> str:
        """What is wrong, as the end of a sentence that names the instance."""
        return _REASONS[self]


_REASONS = {
    Status.OK: "ok",
    Status.RUNS_DO_NOT_FILL_MASK: "the runs do not sum to height * width",
    Status.RLE_TRUNCATED: "the compressed RLE ends in the middle of a count",
    Status.RLE_BAD_CHARACTER: "the compressed RLE has a character outside '0'..'o'",
    Status.RLE_COUNT_OUT_OF_RANGE: "an RLE count is negative, or exceeds the mask or 32 bits",
    Status.COORDINATE_NOT_FINITE: "a polygon coordinate is NaN or infinite",
    Status.COORDINATE_OUT_OF_RANGE: "a polygon coordinate is beyond +-2**28",
    Status.COORDINATES_ODD: "a polygon has an odd number of coordinates",
    Status.SEGMENTATION_TYPE: "the segmentation is neither a list of polygons nor an RLE",
    Status.SIZE_MISMATCH: "the mask's own size is not the image's",
    Status.SIZE_OUT_OF_RANGE: "the height or the width is negative or beyond 2**29",
    Status.SIZE_MISSING: "the size of the image is not known",
    Status.RLE_COUNTS_TYPE: "RLE counts are neither text nor a list of whole numbers",
    Status.JSON_MALFORMED: "the segmentation is not valid JSON",
}
