#include "tfdp/boundary.hpp"

namespace tfdp {

BoundaryCounts BoundaryCounter::primary(const Runs& runs) {
    BoundaryCounts counts;
    if (flat_.assign(runs) && sums_.primary(flat_, counts)) {
        return counts;
    }
    // Very large, or a tie that the order of the contours decides.
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

Status BoundaryCounter::primary_of_counts(const std::uint32_t* counts, std::int64_t n, Size size,
                                          BoundaryCounts& primary) {
    if (flat_.assign_counts(counts, n, size) && sums_.primary(flat_, primary)) {
        return Status::ok;
    }
    const Status status = runs_from_counts(counts, n, size, runs_);
    primary = status == Status::ok ? this->primary(runs_) : BoundaryCounts{};
    return status;
}

Status BoundaryCounter::primary_of_polygons(const double* coordinates, const std::int64_t* offsets,
                                            std::int64_t polygons, Size size, FillConvention convention,
                                            BoundaryCounts& primary) {
    if (size.pixels() < FlatRuns::max_pixels) {
        const Status status = filler_.fill(coordinates, offsets, polygons, size, convention, flat_);
        if (status != Status::ok) {
            primary = {};
            return status;
        }
        if (sums_.primary(flat_, primary)) {
            return Status::ok;
        }
    }
    const Status status = filler_.fill(coordinates, offsets, polygons, size, convention, runs_);
    primary = status == Status::ok ? this->primary(runs_) : BoundaryCounts{};
    return status;
}

}  // namespace tfdp
