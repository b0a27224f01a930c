#pragma once

#include <algorithm>
#include <cstdint>

#include "tfdp/boundary_counts.hpp"
#include "tfdp/runs.hpp"

// The terms of the sums over 2 x 2 blocks that OutlineFinder explains.

namespace tfdp {

/// The number of pixels that two runs of adjacent lines have side by side; negative if they are apart.
[[nodiscard]] inline std::int64_t overlap_of(const Run& a, const Run& b) noexcept {
    return std::int64_t{std::min(a.end, b.end)} - std::max(a.begin, b.begin);
}

/// How many of their two ends are in the same place.
[[nodiscard]] inline std::int64_t common_ends(const Run& a, const Run& b) noexcept {
    return static_cast<std::int64_t>(a.begin == b.begin) + static_cast<std::int64_t>(a.end == b.end);
}

/// A run by itself: each of its pairs of adjacent pixels makes two straight steps, one on either side.
[[nodiscard]] inline BoundaryCounts counts_of_run(const Run& run) noexcept {
    return {2 * (std::int64_t{run.end} - run.begin - 1), 0, 0};
}

/// Two touching runs, by the blocks that lie on both.
///
/// Side by side over n > 0 pixels they have n - 1 full blocks (Q4), each of which takes back the straight
/// steps of its two pairs. At each end, the block is a corner of three pixels (Q3), which takes back one
/// step, or, where both runs end together, a straight step across (Q2). Side by side nowhere (n = 0), the
/// runs touch in one diagonal block (Qd), and the same formula gives its two diagonal steps.
[[nodiscard]] inline BoundaryCounts counts_of_touching(const Run& a, const Run& b) noexcept {
    const std::int64_t n = overlap_of(a, b);
    const std::int64_t common = common_ends(a, b);
    return {2 * common - 2 * n, 2 - common, 2 * n - common};
}

/// What filling a gap by itself changes: every block with two of its pixels was a straight step (Q2) and
/// becomes full, the blocks at its four corners were corners of three (Q3, or Qd where the pixel opposite is
/// background, too, and then becomes a corner itself).
[[nodiscard]] inline BoundaryCounts filled_by_gap(const Run& gap) noexcept {
    const std::int64_t n = std::int64_t{gap.end} - gap.begin;
    return {-2 * (n - 1), -4, 4 * n};
}

/// What it changes, beyond that, to fill two gaps that are side by side: the blocks that lie on both had been
/// taken for two blocks each.
[[nodiscard]] inline BoundaryCounts filled_by_touching_gaps(const Run& a, const Run& b) noexcept {
    const std::int64_t n = overlap_of(a, b);
    const std::int64_t common = common_ends(a, b);
    return {2 * n - 2 * common, 2 + common, common - 2 * n};
}

}  // namespace tfdp
