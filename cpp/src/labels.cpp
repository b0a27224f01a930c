#include "tfdp/labels.hpp"

#include <algorithm>
#include <numeric>

namespace tfdp {

template <class T>
void LabelRuns::read(const T* labels, std::ptrdiff_t row_stride, Size size, std::int64_t background) {
    indices_.clear();
    seen_.clear();
    read_.clear();
    std::int64_t last_label = background;
    std::size_t last_index = 0;
    for (std::int32_t y = 0; y < size.height; ++y) {
        const T* const row =
            reinterpret_cast<const T*>(reinterpret_cast<const std::uint8_t*>(labels) + y * row_stride);
        for (std::int32_t x = 0; x < size.width;) {
            const T value = row[x];
            std::int32_t end = x + 1;
            while (end < size.width && row[end] == value) {
                ++end;
            }
            const auto label = static_cast<std::int64_t>(value);
            if (label != background) {
                if (label != last_label) {
                    last_label = label;
                    last_index = index_of(label);
                }
                read_.push_back({last_index, {y, {x, end}}});
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
    for (const auto& [index, row_run] : read_) {
        ++begins_[ranks[index] + 1];
    }
    std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
    std::vector<std::int64_t> next(begins_.begin(), begins_.end());
    row_runs_.resize(read_.size());
    for (const auto& [index, row_run] : read_) {
        row_runs_[static_cast<std::size_t>(next[ranks[index]]++)] = row_run;
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
