#pragma once

#include <algorithm>
#include <cstdint>

#include "tfdp/boundary_counts.hpp"
#include "tfdp/runs.hpp"

namespace tfdp {

/// Do two runs of adjacent lines touch, be it diagonally?
[[nodiscard]] inline bool touching(const Run& a, const Run& b) noexcept {
    return a.begin <= b.end && b.begin <= a.end;
}

/// What a run adds to the sums of BoundaryCounter by itself: its inner pairs of pixels, each as a straight step
/// on either side.
[[nodiscard]] inline BoundaryCounts counts_of_run(const Run& run) noexcept {
    return {2 * (std::int64_t{run.end} - run.begin - 1), 0, 0};
}

/// What two touching runs of adjacent lines add: the 2 x 2 blocks that lie on both.
///
/// With an overlap of n > 0 pixels, n - 1 blocks are full (Q4), each of which takes back the two straight steps
/// that its pairs have added, and at each of the two ends the block is either a corner of three (Q3), which
/// takes back one step, or, where both runs end together, a straight step across (Q2). With no overlap the runs
/// touch in one diagonal block (Qd).
[[nodiscard]] inline BoundaryCounts counts_of_touching(const Run& a, const Run& b) noexcept {
    const std::int64_t overlap = std::int64_t{std::min(a.end, b.end)} - std::max(a.begin, b.begin);
    if (overlap == 0) {
        return {0, 2, 0};
    }
    const std::int64_t full = overlap - 1;
    const std::int64_t corners = static_cast<std::int64_t>(a.begin != b.begin) + (a.end != b.end);
    return {2 - 2 * corners - 2 * full, corners, 2 * full + corners};
}

}  // namespace tfdp
