#include "tfdp/labels.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <type_traits>

#include "tfdp/lanes.hpp"

namespace tfdp {

namespace {

/// The first index >= begin at which a row holds another value, or n. Runs are long, so 64 bytes are compared
/// at a time.
template <class T>
[[nodiscard]] std::int32_t end_of_run(const T* row, std::int32_t begin, std::int32_t n, T value) noexcept {
    constexpr auto width = static_cast<std::int32_t>(sizeof(LanePairs) / sizeof(T));
    // The value in each place of a word: 0x0101..., 0x00010001... or so times its bits.
    using Bits = std::make_unsigned_t<T>;
    constexpr std::uint64_t places =
        std::numeric_limits<std::uint64_t>::max() / std::numeric_limits<Bits>::max();
    const std::uint64_t repeated = places * static_cast<Bits>(value);
    const LanePairs values{repeated, repeated};
    const auto differ = [&](std::int32_t i) { return load<LanePairs>(row + i) ^ values; };
    const auto all_zero = [](LanePairs bits) { return (bits[0] | bits[1]) == 0; };
    std::int32_t i = begin;
    while (i + 4 * width <= n &&
           all_zero(differ(i) | differ(i + width) | differ(i + 2 * width) | differ(i + 3 * width))) {
        i += 4 * width;
    }
    while (i + width <= n && all_zero(differ(i))) {
        i += width;
    }
    while (i < n && row[i] == value) {
        ++i;
    }
    return i;
}

}  // namespace

template <class T>
void LabelRuns::read(const T* labels, std::ptrdiff_t row_stride, Size size, std::int64_t background) {
    indices_.clear();
    seen_.clear();
    read_.clear();
    // Neighbours alternate between a few labels, each of which is looked up once.
    constexpr std::uint64_t recent_labels = 64;
    std::array<std::int64_t, recent_labels> recent;
    recent.fill(background);
    std::array<std::size_t, recent_labels> recent_indices{};
    for (std::int32_t y = 0; y < size.height; ++y) {
        const T* const row =
            reinterpret_cast<const T*>(reinterpret_cast<const std::uint8_t*>(labels) + y * row_stride);
        for (std::int32_t x = 0; x < size.width;) {
            const T value = row[x];
            const std::int32_t end = end_of_run(row, x + 1, size.width, value);
            const auto label = static_cast<std::int64_t>(value);
            if (label != background) {
                const auto slot = static_cast<std::size_t>(static_cast<std::uint64_t>(label) % recent_labels);
                if (recent[slot] != label) {
                    recent[slot] = label;
                    recent_indices[slot] = index_of(label);
                }
                read_.push_back({recent_indices[slot], {y, {x, end}}});
            }
            x = end;
        }
    }
    sort_by_label();
}

std::size_t LabelRuns::index_of(std::int64_t label) {
    const auto [at, is_new] = indices_.try_emplace(label, seen_.size());
    if (is_new) {
        seen_.push_back(label);
    }
    return at->second;
}

void LabelRuns::sort_by_label() {
    labels_ = seen_;
    std::sort(labels_.begin(), labels_.end());
    std::vector<std::size_t> ranks(seen_.size());
    for (std::size_t i = 0; i < seen_.size(); ++i) {
        const auto at = std::lower_bound(labels_.begin(), labels_.end(), seen_[i]);
        ranks[i] = static_cast<std::size_t>(at - labels_.begin());
    }
    begins_.assign(labels_.size() + 1, 0);
    for (const ReadRun& read : read_) {
        ++begins_[ranks[read.index] + 1];
    }
    std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
    std::vector<std::int64_t> next(begins_.begin(), begins_.end());
    row_runs_.resize(static_cast<std::size_t>(read_.size()));
    for (const ReadRun& read : read_) {
        row_runs_[static_cast<std::size_t>(next[ranks[read.index]]++)] = read.run;
    }
}

void LabelRuns::runs_of(std::int64_t i, Runs& runs) const {
    runs.clear(Axis::row);
    const auto at = static_cast<std::size_t>(i);
    for (auto r = static_cast<std::size_t>(begins_[at]); r < static_cast<std::size_t>(begins_[at + 1]); ++r) {
        runs.append(row_runs_[r].row, row_runs_[r].run.begin, row_runs_[r].run.end);
    }
}

template void LabelRuns::read(const std::int8_t*, std::ptrdiff_t, Size, std::int64_t);
template void LabelRuns::read(const std::uint8_t*, std::ptrdiff_t, Size, std::int64_t);
template void LabelRuns::read(const std::int16_t*, std::ptrdiff_t, Size, std::int64_t);
template void LabelRuns::read(const std::uint16_t*, std::ptrdiff_t, Size, std::int64_t);
template void LabelRuns::read(const std::int32_t*, std::ptrdiff_t, Size, std::int64_t);
template void LabelRuns::read(const std::uint32_t*, std::ptrdiff_t, Size, std::int64_t);
template void LabelRuns::read(const std::int64_t*, std::ptrdiff_t, Size, std::int64_t);

}  // namespace tfdp
