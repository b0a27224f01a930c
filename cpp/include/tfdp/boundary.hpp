#pragma once

#include "tfdp/boundary_counts.hpp"
#include "tfdp/components.hpp"
#include "tfdp/runs.hpp"

namespace tfdp {

/// Counts the boundary of a mask's primary contour over its runs, without walking the border.
///
/// The primary contour is the outer contour that encloses the largest area (Eq. 5); among equals, the first in
/// OpenCV's order. Let F be the component that it surrounds, holes filled, and look at every block of 2 x 2
/// pixels. With Q2 the number of blocks in which exactly two adjacent pixels are in F, Q3 exactly three, Q4 all
/// four, and Qd exactly two diagonal ones:
///
///     straight = Q2,   diagonal = Q3 + 2 Qd,   area2 = 2 Q4 + Q3.
///
/// Each of these is a sum over the runs of F and over the pairs of touching runs in adjacent lines. One object
/// per thread; its memory is reused.
class BoundaryCounter {
  public:
    /// Of the primary contour; all zero for an empty mask.
    [[nodiscard]] BoundaryCounts primary(const Runs& runs);

  private:
    ComponentLabeller labeller_;
    HoleFiller filler_;
    Runs filled_;
};

}  // namespace tfdp
