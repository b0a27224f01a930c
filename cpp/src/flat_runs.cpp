#include "tfdp/flat_runs.hpp"

#include <algorithm>

#include "tfdp/lanes.hpp"

namespace tfdp {

bool FlatRuns::assign(const Runs& runs) {
    std::int32_t length = 1;
    for (std::int64_t r = 0; r < runs.size(); ++r) {
        length = std::max(length, runs.data()[r].end);
    }
    if (length >= max_pixels || runs.line_count() * length >= max_pixels) {
        return false;
    }
    line_length_ = length;
    Run* out = room_for(runs.size());
    const Run* run = runs.data();
    std::int32_t top = 0;
    const auto add_until = [&](const Run* end) {
        for (; run != end; ++run) {
            *out++ = {top + run->begin, top + run->end};
        }
        top += length;
    };
    for (std::int64_t i = 1; i < runs.line_count(); ++i) {
        add_until(runs.data() + runs.line_begin(i));
    }
    add_until(runs.data() + runs.size());
    end_at(out);
    return true;
}

bool FlatRuns::assign_counts(const std::uint32_t* counts, std::int64_t n, Size size) {
    if (!size.valid() || size.pixels() >= max_pixels) {
        return false;
    }
    line_length_ = size.height;
    const std::int64_t n_runs = n / 2;
    Run* const runs = room_for(n_runs + 1);
    auto* const ends = reinterpret_cast<std::int32_t*>(runs);  // of the counts: begins and ends of runs
    const auto pixels = static_cast<std::int32_t>(size.pixels());
    // A negative lane says that a length was 0 or huge, or that the sum went beyond the image. Without any of
    // these, no sum can have wrapped around.
    SumLanes least{0, 1, 1, 1};
    SumLanes bad{};
    SumLanes sum{};
    std::int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const auto lengths = load<SumLanes>(counts + i);
        const auto shifted = reinterpret_cast<SumLanes>(reinterpret_cast<LanePairs>(lengths) << 32);
        const SumLanes of_two = lengths + shifted;
        sum += of_two;
        sum += SumLanes{0, 0, of_two[1], of_two[1]};
        store(ends + i, sum);
        bad |= lengths | (lengths - least) | sum | (static_cast<std::uint32_t>(pixels) - sum);
        least[0] = 1;
        sum = SumLanes{sum[3], sum[3], sum[3], sum[3]};
    }
    std::uint32_t at = sum[0];
    std::uint32_t bad_rest = 0;
    for (; i < n; ++i) {
        const std::uint32_t length = counts[i];
        at += length;
        ends[i] = static_cast<std::int32_t>(at);
        bad_rest |= length | (length - (i > 0 ? 1U : 0U)) | at | (static_cast<std::uint32_t>(pixels) - at);
    }
    end_at(runs + n_runs);
    bad[0] |= bad_rest;
    return !any_negative(reinterpret_cast<Lanes>(bad)) && at == static_cast<std::uint32_t>(pixels);
}

}  // namespace tfdp
