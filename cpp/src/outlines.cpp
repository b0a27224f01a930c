#include "tfdp/outlines.hpp"

#include <algorithm>
#include <limits>

#include "touching_runs.hpp"

namespace tfdp {

namespace {

constexpr std::int32_t none = -1;
constexpr std::int32_t outside = 0;  // the label of gaps that reach the outside of the image

void absorb(Outline& into, const Outline& piece) noexcept {
    into.counts += piece.counts;
    if (into.listed_before(piece)) {
        into.first_x = piece.first_x;
        into.first_y = piece.first_y;
    }
}

}  // namespace

const std::vector<Outline>& OutlineFinder::find(const Runs& runs) {
    const std::int64_t touches = label_runs(runs);
    // The graph of touching runs is planar and each of its inner faces surrounds one hole, so Euler's formula
    // gives their number.
    if (touches - runs.size() + components() > 0) {
        label_gaps(runs);
        fill_holes(runs);
    }
    collect();
    return outlines_;
}

/// Labels the components; returns the number of pairs of touching runs.
std::int64_t OutlineFinder::label_runs(const Runs& runs) {
    sets_.clear();
    pieces_.clear();
    labels_.resize(static_cast<std::size_t>(runs.size()));
    std::int32_t* const labels = labels_.data();
    const Run* const all = runs.data();
    const bool columns = runs.axis() == Axis::column;
    std::int64_t touches = 0;
    std::int64_t other = 0;  // runs of the line before
    std::int64_t begin = 0;
    for (std::int64_t i = 0; i < runs.line_count(); ++i) {
        const auto line = static_cast<std::int32_t>(runs.first_line() + i);
        const std::int64_t end = runs.line_begin(i + 1);
        for (std::int64_t r = begin; r < end; ++r) {
            const Run run = all[r];
            while (other < begin && all[other].end < run.begin) {
                ++other;
            }
            if (other == begin || all[other].begin > run.end) {
                labels[r] = sets_.add();
                pieces_.push_back(
                    {counts_of_run(run), columns ? line : run.begin, columns ? run.begin : line});
                continue;
            }
            const std::int32_t label = labels[other];
            BoundaryCounts counts = counts_of_run(run);
            counts += counts_of_touching(all[other], run);
            ++touches;
            // The last run that this one touches may touch the next one, too: `other` stays there.
            while (other + 1 < begin && all[other + 1].begin <= run.end) {
                ++other;
                ++touches;
                counts += counts_of_touching(all[other], run);
                if (labels[other] != label) {
                    sets_.unite(labels[other], label);
                }
            }
            labels[r] = label;
            Outline& piece = pieces_[static_cast<std::size_t>(label)];
            piece.counts += counts;
            // Row by row, the first run has the first pixel; column by column, a later one may lie higher.
            if (columns && run.begin < piece.first_y) {
                piece.first_y = run.begin;
                piece.first_x = line;
            }
        }
        other = begin;
        begin = end;
    }
    return touches;
}

std::int64_t OutlineFinder::components() noexcept {
    std::int64_t n = 0;
    for (std::int32_t label = 0; label < sets_.size(); ++label) {
        n += sets_.root(label) == label ? 1 : 0;
    }
    return n;
}

/// The background of one line: gap k lies before run k, and gap n after the last of n runs.
struct OutlineFinder::Gaps {
    const Run* runs = nullptr;
    std::int32_t* labels = nullptr;
    std::int64_t n = 0;

    /// From the first run to the last; a line without runs begins after and ends before everything.
    [[nodiscard]] Run span() const noexcept {
        return n > 0
                   ? Run{runs[0].begin, runs[n - 1].end}
                   : Run{std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min()};
    }
    [[nodiscard]] bool inner(std::int64_t k) const noexcept { return k > 0 && k < n; }
    [[nodiscard]] std::int32_t label(std::int64_t k) const noexcept { return inner(k) ? labels[k] : outside; }
    [[nodiscard]] Run gap(std::int64_t k) const noexcept {
        return {k > 0 ? runs[k - 1].end : std::numeric_limits<std::int32_t>::min(),
                k < n ? runs[k].begin : std::numeric_limits<std::int32_t>::max()};
    }
};

void OutlineFinder::label_gaps(const Runs& runs) {
    gap_sets_.clear();
    gap_sets_.add();  // the outside
    gap_counts_.assign(1, {});
    gap_owners_.assign(1, none);
    gap_labels_.resize(static_cast<std::size_t>(runs.size()));
    Gaps before;
    for (std::int64_t i = 0; i < runs.line_count(); ++i) {
        const std::int64_t begin = runs.line_begin(i);
        const Gaps now{runs.data() + begin, gap_labels_.data() + begin, runs.line_begin(i + 1) - begin};
        label_gaps_of_line(before, now);
        before = now;
    }
    label_gaps_of_line(before, Gaps{});
}

/// A gap has the label of the gaps that it shares a side with in the line before: holes are 4-connected.
void OutlineFinder::label_gaps_of_line(const Gaps& before, const Gaps& now) {
    // Gaps of the line before that reach beyond the ends of this line are open.
    const Run span = now.span();
    for (std::int64_t b = 1; b < before.n && before.gap(b).begin < span.begin; ++b) {
        (void)gap_sets_.unite(before.label(b), outside);
    }
    for (std::int64_t b = before.n - 1; b > 0 && before.gap(b).end > span.end; --b) {
        (void)gap_sets_.unite(before.label(b), outside);
    }
    if (now.n == 0) {
        return;
    }
    now.labels[0] = outside;
    std::int64_t b = 0;
    for (std::int64_t k = 1; k < now.n; ++k) {
        const Run gap = now.gap(k);
        BoundaryCounts counts = filled_by_gap(gap);
        while (before.gap(b).end <= gap.begin) {
            ++b;
        }
        std::int32_t label = none;
        for (;; ++b) {
            const Run other = before.gap(b);
            if (other.begin >= gap.end) {
                break;
            }
            const std::int32_t there = before.label(b);
            if (label == none) {
                label = there;
            } else if (label != there) {
                label = gap_sets_.unite(label, there);
            }
            counts += filled_by_touching_gaps(other, gap);
            if (other.end >= gap.end) {
                break;  // it may share a side with the next gap, too
            }
        }
        if (label == none) {
            label = gap_sets_.add();
            gap_counts_.emplace_back();
            gap_owners_.push_back(labels_[static_cast<std::size_t>(now.labels + k - gap_labels_.data())]);
        }
        now.labels[k] = label;
        gap_counts_[static_cast<std::size_t>(label)] += counts;
    }
}

/// Adds to the components what filling the holes changes, and unites all components around and inside a hole.
void OutlineFinder::fill_holes(const Runs& runs) {
    for (std::int64_t r = 1; r < runs.size(); ++r) {
        const auto at = static_cast<std::size_t>(r);
        if (gap_labels_[at] != outside && labels_[at - 1] != labels_[at] &&
            gap_sets_.root(gap_labels_[at]) != outside) {
            sets_.unite(labels_[at - 1], labels_[at]);
        }
    }
    for (std::int32_t label = 1; label < gap_sets_.size(); ++label) {
        if (gap_sets_.root(label) != outside) {
            const auto at = static_cast<std::size_t>(label);
            pieces_[static_cast<std::size_t>(gap_owners_[at])].counts += gap_counts_[at];
        }
    }
}

void OutlineFinder::collect() {
    outlines_.clear();
    for (std::int32_t label = 0; label < sets_.size(); ++label) {
        const std::int32_t root = sets_.root(label);
        if (root != label) {
            absorb(pieces_[static_cast<std::size_t>(root)], pieces_[static_cast<std::size_t>(label)]);
        }
    }
    for (std::int32_t label = 0; label < sets_.size(); ++label) {
        if (sets_.root(label) == label) {
            outlines_.push_back(pieces_[static_cast<std::size_t>(label)]);
        }
    }
}

}  // namespace tfdp
