import enum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

_UInt8: TypeAlias = NDArray[np.uint8]
_UInt32: TypeAlias = NDArray[np.uint32]
_Int32: TypeAlias = NDArray[np.int32]
_Int64: TypeAlias = NDArray[np.int64]
_Float64: TypeAlias = NDArray[np.float64]

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
    def from_objects(segmentations: list[Any], sizes: _Int32) -> SegmentationBatch: ...
    @staticmethod
    def from_image(segmentations: list[Any], height: int, width: int) -> SegmentationBatch: ...
    @staticmethod
    def from_json(text: Buffer, spans: _Int64, sizes: _Int32) -> SegmentationBatch: ...
    @property
    def kinds(self) -> _UInt8: ...
    @property
    def statuses(self) -> _UInt8: ...
    @property
    def sizes(self) -> _Int32: ...
    @property
    def coordinates(self) -> _Float64: ...
    @property
    def polygon_offsets(self) -> _Int64: ...
    @property
    def instance_offsets(self) -> _Int64: ...
    @property
    def text(self) -> _UInt8: ...
    @property
    def text_offsets(self) -> _Int64: ...
    @property
    def text_pixels(self) -> _Int64: ...
    @property
    def counts(self) -> _UInt32: ...
    @property
    def counts_offsets(self) -> _Int64: ...

def spans_of(pieces: list[Any], text: Buffer) -> _Int64: ...
def measure_batch(
    batch: SegmentationBatch,
    convention: FillConvention,
    decoded: _UInt32,
    decoded_offsets: _Int64,
    decoded_statuses: _UInt8,
) -> tuple[_Int64, _UInt8]: ...
def measure_dense(masks: _UInt8) -> _Int64: ...
def measure_labels(label_map: NDArray[np.integer[Any]], background: int) -> tuple[_Int64, _Int64]: ...
def trace_rle(counts: _UInt32, offsets: _Int64, sizes: _Int32) -> tuple[_Int32, _Int64, _Int64, _UInt8]: ...
def trace_polygons(
    coordinates: _Float64,
    polygon_offsets: _Int64,
    instance_offsets: _Int64,
    sizes: _Int32,
    convention: FillConvention,
) -> tuple[_Int32, _Int64, _Int64, _UInt8]: ...
def encode_rle(counts: _UInt32, offsets: _Int64, sizes: _Int32) -> tuple[_UInt32, _Int64, _UInt8]: ...
def encode_polygons(
    coordinates: _Float64,
    polygon_offsets: _Int64,
    instance_offsets: _Int64,
    sizes: _Int32,
    convention: FillConvention,
) -> tuple[_UInt32, _Int64, _UInt8]: ...
