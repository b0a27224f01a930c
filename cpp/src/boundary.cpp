#include "tfdp/boundary.hpp"

#include "touching_runs.hpp"

namespace tfdp {

namespace {

/// Most masks are one chain of touching runs, one per line. A chain is one component and has no hole, so the
/// sums are all there is to it. Returns whether the mask is a chain.
bool count_chain(const Runs& runs, BoundaryCounts& counts) noexcept {
    if (runs.size() != runs.line_count()) {
        return false;
    }
    const Run* const run = runs.data();
    counts = counts_of_run(run[0]);
    for (std::int64_t i = 1; i < runs.size(); ++i) {
        if (!touching(run[i - 1], run[i])) {
            return false;
        }
        counts += counts_of_run(run[i]);
        counts += counts_of_touching(run[i - 1], run[i]);
    }
    return true;
}

}  // namespace

BoundaryCounts BoundaryCounter::primary(const Runs& runs) {
    BoundaryCounts counts;
    if (runs.empty() || count_chain(runs, counts)) {
        return counts;
    }
    const std::vector<Outline>& outlines = finder_.find(runs);
    const Outline* primary = &outlines.front();
    for (const Outline& outline : outlines) {
        if (outline.counts.area2 > primary->counts.area2 ||
            (outline.counts.area2 == primary->counts.area2 && outline.listed_before(*primary))) {
            primary = &outline;
        }
    }
    return primary->counts;
}

}  // namespace tfdp
