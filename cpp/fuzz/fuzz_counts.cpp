// Any run lengths are read as a mask; counting and tracing must agree on it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "tfdp/boundary.hpp"
#include "tfdp/contour.hpp"

namespace {

/// The first byte is the height; the others are run lengths, and the width is whatever they fill.
tfdp::Size read(const std::uint8_t* data, std::size_t size, std::vector<std::uint32_t>& counts) {
    counts.assign(data + 1, data + size);
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
    return {height, width};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2 || size > 2000) {
        return 0;
    }
    std::vector<std::uint32_t> lengths;
    const tfdp::Size image = read(data, size, lengths);
    const auto n = static_cast<std::int64_t>(lengths.size());
    tfdp::Runs runs;
    if (tfdp::runs_from_counts(lengths.data(), n, image, runs) != tfdp::Status::ok) {
        std::abort();
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
    tfdp::BoundaryCounts of_lengths;
    if (counter.primary_of_counts(lengths.data(), n, image, of_lengths) != tfdp::Status::ok ||
        of_lengths != primary || counter.primary(runs) != primary || counter.primary(transposed) != primary) {
        std::abort();
    }
    return 0;
}
