import enum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

UInt8: TypeAlias = NDArray[np.uint8]
UInt32: TypeAlias = NDArray[np.uint32]
Int32: TypeAlias = NDArray[np.int32]
Int64: TypeAlias = NDArray[np.int64]
Float64: TypeAlias = NDArray[np.float64]

__version__: str
build: str
max_side: int

class FillConvention(enum.Enum):
    COCO = 0
    OPENCV = 1

class SegmentationKind(enum.IntEnum):
    EMPTY = 0
    POLYGONS = 1
    COMPRESSED_RLE = 2
    RLE = 3

class SegmentationBatch:
    @staticmethod
    def from_objects(segmentations: list[Any], sizes: Int32) -> SegmentationBatch: ...
    @staticmethod
    def from_json(text: Buffer, spans: Int64, sizes: Int32) -> SegmentationBatch: ...
    @property
    def kinds(self) -> UInt8: ...
    @property
    def statuses(self) -> UInt8: ...
    @property
    def sizes(self) -> Int32: ...
    @property
    def coordinates(self) -> Float64: ...
    @property
    def polygon_offsets(self) -> Int64: ...
    @property
    def instance_offsets(self) -> Int64: ...
    @property
    def text(self) -> UInt8: ...
    @property
    def text_offsets(self) -> Int64: ...
    @property
    def counts(self) -> UInt32: ...
    @property
    def counts_offsets(self) -> Int64: ...

def spans_of(pieces: list[Any], text: Buffer) -> Int64: ...
def measure_rle(counts: UInt32, offsets: Int64, sizes: Int32) -> tuple[Int64, UInt8]: ...
def measure_polygons(
    coordinates: Float64,
    polygon_offsets: Int64,
    instance_offsets: Int64,
    sizes: Int32,
    convention: FillConvention,
) -> tuple[Int64, UInt8]: ...
def measure_dense(masks: UInt8) -> tuple[Int64, UInt8]: ...
def measure_labels(label_map: NDArray[np.integer[Any]], background: int) -> tuple[Int64, Int64]: ...
def trace_rle(counts: UInt32, offsets: Int64, sizes: Int32) -> tuple[Int32, Int64, Int64, UInt8]: ...
def trace_polygons(
    coordinates: Float64,
    polygon_offsets: Int64,
    instance_offsets: Int64,
    sizes: Int32,
    convention: FillConvention,
) -> tuple[Int32, Int64, Int64, UInt8]: ...
def encode_rle(counts: UInt32, offsets: Int64, sizes: Int32) -> tuple[UInt32, Int64, UInt8]: ...
def encode_polygons(
    coordinates: Float64,
    polygon_offsets: Int64,
    instance_offsets: Int64,
    sizes: Int32,
    convention: FillConvention,
) -> tuple[UInt32, Int64, UInt8]: ...
