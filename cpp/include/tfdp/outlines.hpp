#pragma once

#include <cstdint>
#include <vector>

#include "tfdp/boundary_counts.hpp"
#include "tfdp/disjoint_sets.hpp"
#include "tfdp/runs.hpp"

namespace tfdp {

/// An 8-connected component of the foreground that does not lie inside a hole of another one, with its holes
/// filled and with whatever lies inside of them: what an outer contour surrounds.
struct Outline {
    BoundaryCounts counts;
    /// Its first pixel in raster order (least y, then least x).
    std::int32_t first_x = 0;
    std::int32_t first_y = 0;

    /// OpenCV lists outer contours by their first pixel in DESCENDING raster order.
    [[nodiscard]] bool listed_before(const Outline& other) const noexcept {
        return first_y != other.first_y ? first_y > other.first_y : first_x > other.first_x;
    }
};

/// Finds the outlines of a mask with a union-find over its runs, and counts their boundaries on the way.
///
/// Let F be a set of pixels, and look at every block of 2 x 2 pixels. With Q2 the number of blocks in which
/// exactly two adjacent pixels are in F, Q3 exactly three, Q4 all four, and Qd exactly two diagonal ones, the
/// borders of F have
///
///     straight = Q2,   diagonal = Q3 + 2 Qd,   area2 = 2 Q4 + Q3,
///
/// and each of these is a sum over the runs of F and over the pairs of touching runs in adjacent lines.
/// Filling a hole changes them by a sum over the runs of the hole (the gaps between runs of F) and over their
/// pairs, so that nothing is ever filled. One object per thread; its memory is reused.
class OutlineFinder {
  public:
    /// The outlines of a mask, in no particular order; valid until the next call.
    [[nodiscard]] const std::vector<Outline>& find(const Runs& runs);

  private:
    struct Gaps;

    [[nodiscard]] std::int64_t label_runs(const Runs& runs);
    [[nodiscard]] std::int64_t components() noexcept;
    void label_gaps(const Runs& runs);
    void label_gaps_of_line(const Gaps& before, const Gaps& now);
    void fill_holes(const Runs& runs);
    void collect();

    std::vector<Outline> outlines_;
    DisjointSets sets_;
    std::vector<Outline> pieces_;       // by label
    std::vector<std::int32_t> labels_;  // by run
    DisjointSets gap_sets_;
    std::vector<BoundaryCounts> gap_counts_;  // by gap label: what filling it changes
    std::vector<std::int32_t> gap_owners_;    // by gap label: the label of a run beside it
    std::vector<std::int32_t> gap_labels_;    // by run: the label of the gap before it
};

}  // namespace tfdp
