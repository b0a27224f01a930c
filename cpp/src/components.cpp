#include "tfdp/components.hpp"

#include <algorithm>
#include <limits>

#include "touching_runs.hpp"

namespace tfdp {

namespace {

Component piece_of(Axis axis, std::int32_t line, const Run& run) noexcept {
    Component piece;
    piece.counts = counts_of_run(run);
    piece.first_x = axis == Axis::column ? line : run.begin;
    piece.first_y = axis == Axis::column ? run.begin : line;
    return piece;
}

void absorb(Component& into, const Component& piece) noexcept {
    into.counts += piece.counts;
    if (into.listed_before(piece)) {
        into.first_x = piece.first_x;
        into.first_y = piece.first_y;
    }
}

}  // namespace

void ComponentLabeller::label(const Runs& runs) {
    sets_.clear();
    pieces_.clear();
    labels_.clear();
    const Run* const all = runs.data();
    std::int64_t touches = 0;
    std::int64_t before = 0;  // the first run of the line before
    for (std::int64_t i = 0; i < runs.line_count(); ++i) {
        const auto line = static_cast<std::int32_t>(runs.first_line() + i);
        const std::int64_t begin = runs.line_begin(i);
        const std::int64_t end = runs.line_begin(i + 1);
        std::int64_t first = before;
        for (std::int64_t r = begin; r < end; ++r) {
            while (first < begin && all[first].end < all[r].begin) {
                ++first;
            }
            Component piece = piece_of(runs.axis(), line, all[r]);
            std::int32_t label = -1;
            for (std::int64_t other = first; other < begin && all[other].begin <= all[r].end; ++other) {
                const std::int32_t there = labels_[static_cast<std::size_t>(other)];
                label = label < 0 ? sets_.root(there) : sets_.unite(label, there);
                piece.counts += counts_of_touching(all[other], all[r]);
                ++touches;
            }
            if (label < 0) {
                label = sets_.add();
                pieces_.push_back(piece);
            } else {
                absorb(pieces_[static_cast<std::size_t>(label)], piece);
            }
            labels_.push_back(label);
        }
        before = begin;
    }
    collect();
    // The graph of touching runs is planar and each of its inner faces surrounds one hole, so Euler's formula
    // gives their number.
    holes_ = touches - runs.size() + static_cast<std::int64_t>(components_.size());
}

void ComponentLabeller::collect() {
    components_.clear();
    for (std::int32_t label = 0; label < sets_.size(); ++label) {
        const std::int32_t root = sets_.root(label);
        if (root != label) {
            absorb(pieces_[static_cast<std::size_t>(root)], pieces_[static_cast<std::size_t>(label)]);
        }
    }
    for (std::int32_t label = 0; label < sets_.size(); ++label) {
        if (sets_.root(label) == label) {
            components_.push_back(pieces_[static_cast<std::size_t>(label)]);
        }
    }
}

namespace {

constexpr std::int32_t outside = 0;

/// Background between two runs of a line, or beyond the first or the last.
struct Gap {
    std::int32_t begin;
    std::int32_t end;
    std::int32_t label;
};

/// The gaps of a line, those beyond its ends included; a line without runs is one gap.
class Gaps {
  public:
    Gaps(const Runs& runs, const std::vector<std::int32_t>& labels, std::int64_t line) noexcept
        : runs_(runs), labels_(labels) {
        if (line >= 0 && line < runs.line_count()) {
            first_ = runs.line_begin(line);
            count_ = runs.line_begin(line + 1) - first_;
        }
    }

    [[nodiscard]] std::int64_t last() const noexcept { return count_; }

    [[nodiscard]] Gap operator[](std::int64_t i) const noexcept {
        const Run* const runs = runs_.data() + first_;
        return {i > 0 ? runs[i - 1].end : std::numeric_limits<std::int32_t>::min(),
                i < count_ ? runs[i].begin : std::numeric_limits<std::int32_t>::max(),
                i < count_ ? labels_[static_cast<std::size_t>(first_ + i)] : outside};
    }

  private:
    const Runs& runs_;
    const std::vector<std::int32_t>& labels_;
    std::int64_t first_ = 0;
    std::int64_t count_ = 0;
};

}  // namespace

void HoleFiller::fill(const Runs& runs, Runs& filled) {
    label_gaps(runs);
    for (std::int64_t i = 0; i <= runs.line_count(); ++i) {
        connect_gaps(runs, i);
    }
    filled.clear(runs.axis());
    for (std::int64_t i = 0; i < runs.line_count(); ++i) {
        const auto line = static_cast<std::int32_t>(runs.first_line() + i);
        std::int32_t end = 0;
        for (std::int64_t r = runs.line_begin(i); r < runs.line_begin(i + 1); ++r) {
            const Run run = runs.data()[r];
            const bool hole = sets_.root(gaps_[static_cast<std::size_t>(r)]) != outside;
            filled.append(line, hole ? end : run.begin, run.end);
            end = run.end;
        }
    }
}

void HoleFiller::label_gaps(const Runs& runs) {
    sets_.clear();
    sets_.add();  // the outside
    gaps_.assign(static_cast<std::size_t>(runs.size()), outside);
    for (std::int64_t i = 0; i < runs.line_count(); ++i) {
        for (std::int64_t r = runs.line_begin(i) + 1; r < runs.line_begin(i + 1); ++r) {
            gaps_[static_cast<std::size_t>(r)] = sets_.add();
        }
    }
}

/// Unites the gaps of a line with those of the line before that they share a side with.
void HoleFiller::connect_gaps(const Runs& runs, std::int64_t line) {
    const Gaps before(runs, gaps_, line - 1);
    const Gaps now(runs, gaps_, line);
    for (std::int64_t b = 0, n = 0; b <= before.last() && n <= now.last();) {
        const Gap gap_before = before[b];
        const Gap gap_now = now[n];
        if (std::max(gap_before.begin, gap_now.begin) < std::min(gap_before.end, gap_now.end)) {
            sets_.unite(gap_before.label, gap_now.label);
        }
        if (gap_before.end <= gap_now.end) {
            ++b;
        } else {
            ++n;
        }
    }
}

}  // namespace tfdp
