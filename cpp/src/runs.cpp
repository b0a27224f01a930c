#include "tfdp/runs.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace tfdp {

bool Runs::contains(std::int32_t x, std::int32_t y) const noexcept {
    const std::int32_t line = axis_ == Axis::column ? x : y;
    const std::int32_t at = axis_ == Axis::column ? y : x;
    const std::int64_t i = std::int64_t{line} - first_line_;
    if (i < 0 || i >= line_count()) {
        return false;
    }
    const Run* const begin = data() + line_begin(i);
    const Run* const end = data() + line_begin(i + 1);
    const Run* const run =
        std::upper_bound(begin, end, at, [](std::int32_t value, const Run& r) { return value < r.end; });
    return run != end && run->begin <= at;
}

std::int64_t Runs::pixels() const noexcept {
    return std::accumulate(data(), data() + size(), std::int64_t{0},
                           [](std::int64_t sum, const Run& run) { return sum + (run.end - run.begin); });
}

Status runs_from_counts(const std::uint32_t* counts, std::int64_t n, Size size, Runs& runs) {
    runs.clear(Axis::column);
    if (!size.valid()) {
        return Status::size_out_of_range;
    }
    const std::int64_t total = std::accumulate(counts, counts + n, std::int64_t{0});
    if (total != size.pixels()) {
        return Status::runs_do_not_fill_mask;
    }
    if (total > 0) {
        runs.assign_counts(counts, n, size);
    }
    return Status::ok;
}

void Runs::assign_counts(const std::uint32_t* counts, std::int64_t n, Size size) {
    const std::int64_t height = size.height;
    // Each count makes one run, and one more for each column that it reaches into.
    Appender appender(*this, n / 2 + size.width, size.width);
    std::int32_t column = 0;
    std::int64_t y = 0;
    for (std::int64_t i = 0; i + 1 < n; i += 2) {
        y += counts[i];
        if (y >= height) {
            y -= height;  // mostly the background reaches into the next column, and no further
            ++column;
            if (y >= height) {
                column += static_cast<std::int32_t>(y / height);
                y %= height;
            }
        }
        // A run goes on at the top of the next column.
        for (std::int64_t rest = counts[i + 1]; rest > 0;) {
            const std::int64_t end = std::min(y + rest, height);
            appender.append(column, static_cast<std::int32_t>(y), static_cast<std::int32_t>(end));
            rest -= end - y;
            y = end;
            if (y == height) {
                y = 0;
                ++column;
            }
        }
    }
}

Status counts_from_runs(const Runs& runs, Size size, std::vector<std::uint32_t>& counts) {
    if (runs.axis() == Axis::row) {
        Runs columns;
        transpose(runs, columns);
        return counts_from_runs(columns, size, counts);
    }
    counts.clear();
    if (!size.valid()) {
        return Status::size_out_of_range;
    }
    if (size.pixels() > std::numeric_limits<std::uint32_t>::max()) {
        return Status::rle_count_out_of_range;
    }
    std::int64_t at = 0;  // pixels written, counted down the columns
    for (std::int64_t i = 0; i < runs.line_count(); ++i) {
        const std::int64_t top = (runs.first_line() + i) * size.height;
        for (std::int64_t r = runs.line_begin(i); r < runs.line_begin(i + 1); ++r) {
            const Run run = runs.data()[r];
            const auto length = static_cast<std::uint32_t>(run.end - run.begin);
            if (top + run.begin == at && !counts.empty()) {
                counts.back() += length;  // the run of the column before reaches its lower edge
            } else {
                counts.push_back(static_cast<std::uint32_t>(top + run.begin - at));
                counts.push_back(length);
            }
            at = top + run.end;
        }
    }
    if (at < size.pixels() || counts.empty()) {
        counts.push_back(static_cast<std::uint32_t>(size.pixels() - at));
    }
    return Status::ok;
}

namespace {

/// Calls only_a(begin, end) and only_b(begin, end) for the maximal intervals covered by one list of runs and
/// not by the other.
template <class OnlyA, class OnlyB>
void for_each_difference(const Run* a, const Run* a_end, const Run* b, const Run* b_end, OnlyA only_a,
                         OnlyB only_b) {
    constexpr std::int32_t never = std::numeric_limits<std::int32_t>::max();
    std::int32_t at = std::numeric_limits<std::int32_t>::min();
    while (a != a_end || b != b_end) {
        const std::int32_t next_a = a == a_end ? never : (at < a->begin ? a->begin : a->end);
        const std::int32_t next_b = b == b_end ? never : (at < b->begin ? b->begin : b->end);
        const std::int32_t next = std::min(next_a, next_b);
        const bool in_a = a != a_end && at >= a->begin;
        const bool in_b = b != b_end && at >= b->begin;
        if (in_a && !in_b) {
            only_a(at, next);
        } else if (in_b && !in_a) {
            only_b(at, next);
        }
        at = next;
        a += (a != a_end && a->end == at) ? 1 : 0;
        b += (b != b_end && b->end == at) ? 1 : 0;
    }
}

}  // namespace

void transpose(const Runs& runs, Runs& transposed) {
    transposed.clear(runs.axis() == Axis::column ? Axis::row : Axis::column);
    if (runs.empty()) {
        return;
    }
    const Run* const all = runs.data();
    std::int32_t low = std::numeric_limits<std::int32_t>::max();
    std::int32_t high = 0;
    for (std::int64_t r = 0; r < runs.size(); ++r) {
        low = std::min(low, all[r].begin);
        high = std::max(high, all[r].end);
    }
    // Going through the lines, a position that becomes foreground opens a run of the other axis, and one that
    // becomes background closes it.
    struct Closed {
        std::int32_t position;
        Run run;
    };
    std::vector<std::int32_t> opened(static_cast<std::size_t>(high - low));
    std::vector<std::int64_t> begins(static_cast<std::size_t>(high - low) + 1);
    std::vector<Closed> closed;
    const Run* before = all;
    const Run* before_end = all;
    for (std::int64_t i = 0; i <= runs.line_count(); ++i) {
        const auto line = static_cast<std::int32_t>(runs.first_line() + i);
        const Run* const now = all + runs.line_begin(i);
        const Run* const now_end = i < runs.line_count() ? all + runs.line_begin(i + 1) : now;
        for_each_difference(
            before, before_end, now, now_end,
            [&](std::int32_t begin, std::int32_t end) {
                for (std::int32_t p = begin; p < end; ++p) {
                    closed.push_back({p - low, {opened[static_cast<std::size_t>(p - low)], line}});
                    ++begins[static_cast<std::size_t>(p - low) + 1];
                }
            },
            [&](std::int32_t begin, std::int32_t end) {
                std::fill(opened.begin() + (begin - low), opened.begin() + (end - low), line);
            });
        before = now;
        before_end = now_end;
    }
    // Runs are closed in ascending order, so a stable sort by position puts each new line into order.
    std::partial_sum(begins.begin(), begins.end(), begins.begin());
    std::vector<Run> sorted(closed.size());
    for (const Closed& c : closed) {
        sorted[static_cast<std::size_t>(begins[static_cast<std::size_t>(c.position)]++)] = c.run;
    }
    std::int64_t r = 0;
    for (std::int32_t p = 0; p < high - low; ++p) {
        for (; r < begins[static_cast<std::size_t>(p)]; ++r) {
            const Run run = sorted[static_cast<std::size_t>(r)];
            transposed.append(low + p, run.begin, run.end);
        }
    }
}

}  // namespace tfdp
