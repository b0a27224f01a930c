// Any run lengths are read as a mask; counting and tracing must agree on it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "tfdp/boundary.hpp"
#include "tfdp/contour.hpp"

namespace {

/// The first byte is the height; the others are run lengths, and the width is whatever they fill.
bool read(const std::uint8_t* data, std::size_t size, tfdp::Runs& runs) {
    std::vector<std::uint32_t> counts(data + 1, data + size);
    std::int64_t pixels = 0;
    for (const std::uint32_t count : counts) {
        pixels += count;
    }
    const std::int32_t height = 1 + data[0] % 40;
    const auto width = static_cast<std::int32_t>((pixels + height - 1) / height);
    counts.push_back(0);
    counts.push_back(0);
    counts[counts.size() - (counts.size() % 2 == 1 ? 1 : 2)] =
        static_cast<std::uint32_t>(std::int64_t{height} * width - pixels);
    return tfdp::runs_from_counts(counts.data(), static_cast<std::int64_t>(counts.size()), {height, width},
                                  runs) == tfdp::Status::ok;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    tfdp::Runs runs;
    if (size < 2 || size > 2000 || !read(data, size, runs)) {
        return 0;
    }
    tfdp::BoundaryCounter counter;
    tfdp::ContourTracer tracer;
    tfdp::Contours contours;
    tracer.trace(runs, contours);
    tfdp::BoundaryCounts primary;
    for (std::size_t i = 0; i + 1 < contours.offsets.size(); ++i) {
        const std::int64_t begin = contours.offsets[i];
        const tfdp::BoundaryCounts counts =
            tfdp::counts_of_contour(contours.points.data() + begin, contours.offsets[i + 1] - begin);
        if (i == 0 || counts.area2 > primary.area2) {
            primary = counts;
        }
    }
    tfdp::Runs transposed;
    tfdp::transpose(runs, transposed);
    if (counter.primary(runs) != primary || counter.primary(transposed) != primary) {
        std::abort();
    }
    return 0;
}
