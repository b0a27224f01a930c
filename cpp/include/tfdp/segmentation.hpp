#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tfdp/status.hpp"

namespace tfdp {

/// What a segmentation is written as.
enum class SegmentationKind : std::uint8_t {
    empty = 0,           ///< null or an empty list: no pixel
    polygons = 1,        ///< a list of polygons, each a list x0, y0, x1, y1, ...
    compressed_rle = 2,  ///< COCO's RLE with its counts as text
    rle = 3,             ///< COCO's RLE with its counts as whole numbers
};

/// A size that is not known.
inline constexpr Size unknown_size{-1, -1};

/// The segmentations of a batch of instances, as columns.
///
/// kinds, statuses and sizes have an entry per instance. The other columns hold the instances of one kind, in
/// the order of the batch: `x_offsets[i] .. x_offsets[i + 1] - 1` is what the i-th instance of that kind
/// owns. An instance whose status is not ok is of kind empty and owns nothing.
class SegmentationBatch {
  public:
    std::vector<std::uint8_t> kinds;
    std::vector<std::uint8_t> statuses;
    std::vector<std::int32_t> sizes;  ///< height, width

    std::vector<double> coordinates;
    std::vector<std::int64_t> polygon_offsets{0};   ///< into coordinates, by polygon
    std::vector<std::int64_t> instance_offsets{0};  ///< into the polygons, by instance of kind polygons

    std::vector<std::uint8_t> text;
    std::vector<std::int64_t> text_offsets{0};

    std::vector<std::uint32_t> counts;
    std::vector<std::int64_t> counts_offsets{0};

    /// Ends the instance whose data has been appended to the columns of its kind. `own` is the size that the
    /// segmentation itself states, `image` is the image's; one of them may be unknown_size, and an empty
    /// segmentation needs neither.
    void finish(SegmentationKind kind, Size own, Size image);

    /// Ends an instance that could not be read and takes back what has been appended for it.
    void fail(Status status);
};

/// Reads one segmentation from JSON text and appends it to the batch, whatever it turns out to be. Accepts
/// what Python's json module writes (NaN and Infinity are read, and refused as coordinates).
void append_json(std::string_view json, Size image, SegmentationBatch& batch);

}  // namespace tfdp
