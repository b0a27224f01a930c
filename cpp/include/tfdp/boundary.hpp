#pragma once

#include "tfdp/boundary_counts.hpp"
#include "tfdp/contour_sums.hpp"
#include "tfdp/flat_runs.hpp"
#include "tfdp/outlines.hpp"
#include "tfdp/polygon.hpp"
#include "tfdp/runs.hpp"
#include "tfdp/status.hpp"

namespace tfdp {

/// Counts the boundary of a mask's primary contour over its runs, without walking the border.
///
/// The primary contour is the outer contour that encloses the largest area (Eq. 5); among equals, the first
/// in OpenCV's order. One object per thread; its memory is reused.
class BoundaryCounter {
  public:
    /// Of the primary contour; all zero for an empty mask.
    [[nodiscard]] BoundaryCounts primary(const Runs& runs);

    /// The same for COCO's run lengths, for which runs_from_counts() tells what can be wrong.
    [[nodiscard]] Status primary_of_counts(const std::uint32_t* counts, std::int64_t n, Size size,
                                           BoundaryCounts& primary);

    /// The same for the polygons of one instance; see PolygonFiller.
    [[nodiscard]] Status primary_of_polygons(const double* coordinates, const std::int64_t* offsets,
                                             std::int64_t polygons, Size size, FillConvention convention,
                                             BoundaryCounts& primary);

  private:
    PolygonFiller filler_;
    FlatRuns flat_;
    ContourSums sums_;
    OutlineFinder finder_;
    Runs runs_;
};

}  // namespace tfdp
