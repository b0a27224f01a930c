#pragma once

#include <cstdint>

namespace tfdp {

/// Why an instance could not be measured. Batch functions never throw for bad data: they write one status
/// per instance, and the caller decides what to do with the failures. The numbers are part of the interface
/// with the Python layer and are never reused.
enum class Status : std::uint8_t {
    ok = 0,
    runs_do_not_fill_mask = 1,    ///< the runs do not sum to height * width
    rle_truncated = 2,            ///< a compressed count has no last character
    rle_bad_character = 3,        ///< a character outside '0'..'o'
    rle_count_out_of_range = 4,   ///< a count is negative, or exceeds the mask or 32 bits
    coordinate_not_finite = 5,    ///< NaN or infinity
    coordinate_out_of_range = 6,  ///< too large for either fill convention
    coordinates_odd = 7,          ///< a polygon without the last y
    segmentation_type = 8,        ///< neither polygons, RLE, null nor empty
    size_mismatch = 9,            ///< the RLE's own size is not the image's
    size_out_of_range = 10,       ///< a negative height or width, or one beyond max_side
    size_missing = 11,            ///< neither the RLE nor the caller says how large the image is
    rle_counts_type = 12,         ///< counts are neither text nor whole numbers
    json_malformed = 13,          ///< the segmentation is not JSON
};

/// The largest height or width of an image. Coordinates on both sides of it fit into 32 bits.
inline constexpr std::int32_t max_side = 1 << 29;

/// Height and width of an image, in pixels.
struct Size {
    std::int32_t height = 0;
    std::int32_t width = 0;

    [[nodiscard]] constexpr std::int64_t pixels() const noexcept {
        return std::int64_t{height} * std::int64_t{width};
    }
    [[nodiscard]] constexpr bool valid() const noexcept {
        return height >= 0 && height <= max_side && width >= 0 && width <= max_side;
    }
};

}  // namespace tfdp
