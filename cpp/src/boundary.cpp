#include "tfdp/boundary.hpp"

#include "touching_runs.hpp"

namespace tfdp {

namespace {

/// Most masks are one chain of touching runs, one per line. A chain has no hole and is one component, so the
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
    labeller_.label(runs);
    if (labeller_.holes() > 0) {
        filler_.fill(runs, filled_);
        labeller_.label(filled_);
    }
    const Component* primary = nullptr;
    for (const Component& component : labeller_.components()) {
        if (primary == nullptr || component.counts.area2 > primary->counts.area2 ||
            (component.counts.area2 == primary->counts.area2 && component.listed_before(*primary))) {
            primary = &component;
        }
    }
    return primary->counts;
}

}  // namespace tfdp
