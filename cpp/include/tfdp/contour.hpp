#pragma once

#include <cstdint>
#include <vector>

#include "tfdp/boundary_counts.hpp"
#include "tfdp/outlines.hpp"
#include "tfdp/runs.hpp"

namespace tfdp {

/// A pixel centre.
struct Point {
    std::int32_t x;
    std::int32_t y;

    [[nodiscard]] friend bool operator==(Point a, Point b) noexcept { return a.x == b.x && a.y == b.y; }
    [[nodiscard]] friend bool operator!=(Point a, Point b) noexcept { return !(a == b); }
};

/// Closed contours: contour i has points offsets[i] .. offsets[i + 1] - 1.
struct Contours {
    std::vector<Point> points;
    std::vector<std::int64_t> offsets{0};
};

/// Traces the outer contours of a mask by following their borders (Suzuki and Abe 1985).
///
/// The contours are those of cv2.findContours(RETR_EXTERNAL, CHAIN_APPROX_SIMPLE), point by point: one for
/// each 8-connected component that does not lie inside a hole, in OpenCV's order; each begins at its first
/// pixel in raster order, goes downwards on the left, and drops the inner points of horizontal, vertical and
/// diagonal stretches. One object per thread; its memory is reused.
class ContourTracer {
  public:
    /// Appends the contours of one mask.
    void trace(const Runs& runs, Contours& contours);

  private:
    OutlineFinder finder_;
    std::vector<Outline> listed_;
};

/// The counts of one closed contour of n points whose segments are horizontal, vertical or diagonal: the
/// cross-check of BoundaryCounter, by the definitions (Eq. 6 and 7).
[[nodiscard]] BoundaryCounts counts_of_contour(const Point* points, std::int64_t n) noexcept;

}  // namespace tfdp
