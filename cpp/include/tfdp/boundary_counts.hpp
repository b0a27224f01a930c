#pragma once

#include <cstdint>

namespace tfdp {

/// What is measured of a closed contour through pixel centres, exactly.
///
/// Its perimeter is straight + sqrt(2) * diagonal (Eq. 6), its area is area2 / 2 (Eq. 7).
struct BoundaryCounts {
    std::int64_t straight = 0;  ///< horizontal and vertical steps
    std::int64_t diagonal = 0;  ///< diagonal steps
    std::int64_t area2 = 0;     ///< twice the enclosed area

    BoundaryCounts& operator+=(const BoundaryCounts& other) noexcept {
        straight += other.straight;
        diagonal += other.diagonal;
        area2 += other.area2;
        return *this;
    }
    [[nodiscard]] friend bool operator==(const BoundaryCounts& a, const BoundaryCounts& b) noexcept {
        return a.straight == b.straight && a.diagonal == b.diagonal && a.area2 == b.area2;
    }
    [[nodiscard]] friend bool operator!=(const BoundaryCounts& a, const BoundaryCounts& b) noexcept {
        return !(a == b);
    }
};

}  // namespace tfdp
