#pragma once

#include "tfdp/boundary_counts.hpp"
#include "tfdp/outlines.hpp"
#include "tfdp/runs.hpp"

namespace tfdp {

/// Counts the boundary of a mask's primary contour over its runs, without walking the border.
///
/// The primary contour is the outer contour that encloses the largest area (Eq. 5); among equals, the first
/// in OpenCV's order. One object per thread; its memory is reused.
class BoundaryCounter {
  public:
    /// Of the primary contour; all zero for an empty mask.
    [[nodiscard]] BoundaryCounts primary(const Runs& runs);

  private:
    OutlineFinder finder_;
};

}  // namespace tfdp
