#include "tfdp/contour_sums.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "tfdp/lanes.hpp"

// What Chain sums up, and why that is enough. The contour passes through the centres of the pixels that a run
// has at its sides. Let a side step from position a in one line to b = a + d in the next; seen along the
// contour, ends (which bound their runs on the right) go one way and begins go the other. Then the step makes
//
//     straight steps |d| - 1 + 2 [d = 0],   diagonal steps 1 - [d = 0],   and to area2 adds
//     (a + b) - |d| - [d = 0] if it is an end, and -(a + b) - |d| - [d = 0] if it is a begin,
//
// up to constants that cancel: between any two lines, a closed contour has as many steps of ends as of
// begins. For the same reason positions need not be counted from the same place in all lines.
//
// Where a run of n pixels starts or stops, the contour goes along it: n - 1 straight steps. Where runs of a
// line are apart by a gap of n pixels that one run of the adjacent line touches on both sides, the contour
// crosses over to that run, goes along the gap, and comes back: n - 1 straight steps, two diagonal ones, and
// -2n for area2.

namespace tfdp {

namespace {

/// Begins are in lanes 0 and 2, ends in 1 and 3.
constexpr Lanes begin_lanes{-1, 0, -1, 0};
constexpr Lanes end_lanes{0, -1, 0, -1};

/// The first n pairs of lanes.
[[nodiscard]] constexpr Lanes first_pairs(int n) noexcept {
    return Lanes{n > 0 ? -1 : 0, n > 0 ? -1 : 0, n > 1 ? -1 : 0, n > 1 ? -1 : 0};
}

/// Negative in a lane if the intervals in its pair of lanes, one from each line, are apart.
[[nodiscard]] inline Lanes apart(Lanes before, Lanes now) noexcept {
    const Lanes distance = swap_neighbours(before) - now;
    return (distance ^ end_lanes) - end_lanes;
}

/// The gaps between runs lie between the end of one and the begin of the next.
[[nodiscard]] inline const std::int32_t* gaps_of(const Run* runs) noexcept {
    return &runs->end;
}

[[nodiscard]] inline SumLanes as_sums(Lanes a) noexcept {
    return reinterpret_cast<SumLanes>(a);
}

/// The steps of four sides, in lanes.
struct SideSums {
    SumLanes moved{};
    SumLanes unmoved{};
    SumLanes positions{};  // where the steps arrive

    void step(Lanes before, Lanes now) noexcept {
        const Lanes d = now - before;
        moved += as_sums(absolute(d));
        unmoved -= as_sums(d == 0);
        positions += as_sums(now);
    }

    /// From where steps arrive to both their ends: all but the last are where another one begins.
    void count_both_ends(Lanes first, Lanes last) noexcept {
        positions += positions + as_sums(first) - as_sums(last);
    }
};

}  // namespace

struct ContourSums::ChainLanes {
    Chain* chains;

    void add(std::int32_t chain, SumLanes sums) const noexcept {
        Chain* const to = chains + chain;
        store(to, load<SumLanes>(to) + sums);
    }

    /// Adds the sums of two runs' sides, or of one's, to the chains of the sides.
    template <int runs>
    void add(const std::int32_t* sides, const SideSums& sums, std::int32_t steps) const noexcept {
        const SumLanes of_steps = as_sums(broadcast(steps));
        const SumLanes positions = (sums.positions ^ as_sums(begin_lanes)) - as_sums(begin_lanes);
        const SumLanes moves = interleave_low(sums.moved, sums.unmoved);
        const SumLanes rest = interleave_low(positions, of_steps);
        add(sides[0], low_halves(moves, rest));
        add(sides[1], high_halves(moves, rest));
        if constexpr (runs > 1) {
            const SumLanes more_moves = interleave_high(sums.moved, sums.unmoved);
            const SumLanes more_rest = interleave_high(positions, of_steps);
            add(sides[2], low_halves(more_moves, more_rest));
            add(sides[3], high_halves(more_moves, more_rest));
        }
    }
};

std::int32_t ContourSums::root(std::int32_t chain) noexcept {
    while (parents_[chain] != chain) {
        parents_[chain] = parents_[parents_[chain]];  // halving keeps the paths short
        chain = parents_[chain];
    }
    return chain;
}

/// The root of a set is its smallest chain.
void ContourSums::join(std::int32_t a, std::int32_t b) noexcept {
    a = root(a);
    b = root(b);
    parents_[std::max(a, b)] = std::min(a, b);
}

std::int32_t ContourSums::add_chain(Chain chain) noexcept {
    chains_[n_chains_] = chain;
    parents_[n_chains_] = n_chains_;
    return n_chains_++;
}

void ContourSums::start(Run run, std::int32_t* sides) noexcept {
    const auto along = static_cast<std::uint32_t>(run.end - run.begin - 1);
    sides[0] = sides[1] = add_chain({along, 0, along, 0});
}

void ContourSums::stop(Run run, const std::int32_t* sides) noexcept {
    const auto along = static_cast<std::uint32_t>(run.end - run.begin - 1);
    Chain& chain = chains_[sides[0]];
    chain.moved += along;
    chain.positions += along;
    join(sides[0], sides[1]);
}

/// The contour around a gap of n pixels, as two steps from line to line.
ContourSums::Chain ContourSums::around_gap(std::int32_t n) noexcept {
    return {static_cast<std::uint32_t>(n) + 1, 0, 1 - static_cast<std::uint32_t>(n), 2};
}

/// From the runs `before` .. `now` - 1 of one line to the runs `now` .. `next` - 1 of the next one.
void ContourSums::go_on(const Run* before, const Run* now, const Run* next) noexcept {
    const Run* const before_end = now;
    const std::int32_t length = line_length_;
    const std::int32_t* from = sides_;
    std::int32_t* to = other_sides_;
    const auto moved = [length](const Run* run) { return Run{run->begin + length, run->end + length}; };
    while (before != before_end && now != next) {
        Run a = moved(before);
        Run b = *now;
        if (a.end < b.begin) {
            stop(a, from);
            ++before;
            from += 2;
            continue;
        }
        if (b.end < a.begin) {
            start(b, to);
            ++now;
            to += 2;
            continue;
        }
        // These two touch, and so may more, one after the other.
        std::array<std::int32_t, 2> outer{from[0], 0};
        to[0] = from[0];
        for (;;) {
            if (now + 1 != next && now[1].begin <= a.end) {
                ++now;
                to[1] = to[2] = add_chain(around_gap(now->begin - b.end));
                to += 2;
                b.end = now->end;
            } else if (before + 1 != before_end && before[1].begin + length <= b.end) {
                ++before;
                const Chain gap = around_gap(before->begin + length - a.end);
                ChainLanes{chains_}.add(from[1], load<SumLanes>(&gap));
                join(from[1], from[2]);
                from += 2;
                a.end = before->end + length;
            } else {
                break;
            }
        }
        to[1] = outer[1] = from[1];
        const Lanes arrived{b.begin, b.end, 0, 0};
        SideSums sums;
        sums.step(Lanes{a.begin, a.end, 0, 0}, arrived);
        sums.positions += as_sums(Lanes{a.begin, a.end, 0, 0});
        ChainLanes{chains_}.add<1>(outer.data(), sums, 1);
        ++before;
        ++now;
        from += 2;
        to += 2;
    }
    for (; before != before_end; ++before, from += 2) {
        stop(*before, from);
    }
    for (; now != next; ++now, to += 2) {
        start(*now, to);
    }
    std::swap(sides_, other_sides_);
}

/// Goes on as long as each line has one run and it touches the one before; two lines at a time.
void ContourSums::follow_one() noexcept {
    const Lanes length = broadcast(line_length_);
    const Lanes two_lengths = length + length;
    const std::int32_t first_end = line_end_ + line_length_;
    Lanes line_ends{first_end, first_end, first_end + line_length_, first_end + line_length_};
    const Run* const first = next_ - 1;
    const Run* now = next_;
    SideSums sums;
    for (;;) {
        const Lanes before = load(now - 1) + length;
        const Lanes here = load(now);
        const Lanes after = load(now + 1);
        // Each run is touched, ends within its line, and is followed by one that does not begin there.
        if (any_negative(apart(before, here) | (line_ends - here) | (after - line_ends))) {
            break;
        }
        sums.step(before, here);
        line_ends += two_lengths;
        now += 2;
    }
    sums.moved += high_halves(sums.moved, sums.moved);
    sums.unmoved += high_halves(sums.unmoved, sums.unmoved);
    sums.positions += high_halves(sums.positions, sums.positions);
    const Lanes before = load(now - 1) + length;
    const Lanes here = load(now);
    const Lanes after = load(now + 1);
    if (!any_negative((apart(before, here) | (line_ends - here) | (after - line_ends)) & first_pairs(1))) {
        sums.step(before, here);
        line_ends += length;
        ++now;
    }
    sums.count_both_ends(load(first), load(now - 1));
    ChainLanes{chains_}.add<1>(sides_, sums, static_cast<std::int32_t>(now - 1 - first));
    next_ = now;
    line_end_ = line_ends[0] - line_length_;
}

/// Goes on as long as each line has n runs and each of them touches one of the line before and no other.
template <int n>
void ContourSums::follow() noexcept {
    constexpr int vectors = (n + 1) / 2;
    const Lanes length = broadcast(line_length_);
    const Run* now = next_;
    std::int32_t line_end = line_end_ + line_length_;
    std::int32_t steps = 0;
    std::array<SideSums, std::size_t{vectors}> sums;
    for (;; ++steps) {
        Lanes bad{};
        bad[0] = (line_end - now[n - 1].end) | (now[n].begin - line_end);
        for (int v = 0; v < vectors; ++v) {
            const Run* const here = now + 2 * v;
            bad |= apart(load(here - n) + length, load(here)) & first_pairs(n - 2 * v);
            // That the gaps share a side, too, means that no run touches two.
            bad |= (apart(load(gaps_of(here - n)) + length, load(gaps_of(here))) - 1) &
                   first_pairs(n - 1 - 2 * v);
        }
        if (any_negative(bad)) {
            break;
        }
        for (int v = 0; v < vectors; ++v) {
            sums[static_cast<std::size_t>(v)].step(load(now + 2 * v - n) + length, load(now + 2 * v));
        }
        now += n;
        line_end += line_length_;
    }
    for (int v = 0; v < vectors; ++v) {
        SideSums& part = sums[static_cast<std::size_t>(v)];
        part.count_both_ends(load(next_ - n + 2 * v), load(now - n + 2 * v));
        if (n - 2 * v > 1) {
            ChainLanes{chains_}.add<2>(sides_ + 4 * v, part, steps);
        } else {
            ChainLanes{chains_}.add<1>(sides_ + 4 * v, part, steps);
        }
    }
    next_ = now;
    line_end_ = line_end - line_length_;
}

BoundaryCounts ContourSums::counts_of(const Chain& chain) noexcept {
    return {std::int64_t{chain.moved} - chain.steps + 2 * std::int64_t{chain.unmoved},
            std::int64_t{chain.steps} - chain.unmoved,
            static_cast<std::int32_t>(chain.positions - chain.moved - chain.unmoved)};
}

bool ContourSums::largest(BoundaryCounts& counts) noexcept {
    bool clear = true;
    counts = {};
    counts.area2 = -1;
    for (std::int32_t c = n_chains_ - 1; c >= 0; --c) {
        if (parents_[c] != c) {
            ChainLanes{chains_}.add(parents_[c], load<SumLanes>(chains_ + c));
            continue;
        }
        const BoundaryCounts contour = counts_of(chains_[c]);
        if (contour.area2 > counts.area2) {
            counts = contour;
            clear = true;
        } else if (contour.area2 == counts.area2 && contour != counts) {
            clear = false;
        }
    }
    return clear;
}

bool ContourSums::primary(const FlatRuns& runs, BoundaryCounts& counts) {
    if (runs.size() == 0) {
        counts = {};
        return true;
    }
    static_assert(sizeof(Chain) == sizeof(SumLanes));
    // There are at most as many chains as runs: each begins with a run that starts, or before one.
    chain_memory_.clear();
    parent_memory_.clear();
    side_memory_.clear();
    chains_ = chain_memory_.room_for(runs.size());
    parents_ = parent_memory_.room_for(runs.size());
    sides_ = side_memory_.room_for(4 * runs.size());
    other_sides_ = sides_ + 2 * runs.size();
    n_chains_ = 0;
    line_length_ = runs.line_length();
    next_ = runs.begin();
    std::int64_t n = 0;  // runs in the line that was reached
    for (;;) {
        if (n == 0) {
            if (next_ == runs.end()) {
                return largest(counts);
            }
            line_end_ = next_->begin / line_length_ * line_length_;  // of the empty line before
        }
        const Run* const now = next_;
        line_end_ += line_length_;
        for (; next_->begin < line_end_; ++next_) {
            if (next_->end > line_end_) {
                return false;
            }
        }
        go_on(now - n, now, next_);
        n = next_ - now;
        switch (n) {
            case 1:
                follow_one();
                break;
            case 2:
                follow<2>();
                break;
            case 3:
                follow<3>();
                break;
            case 4:
                follow<4>();
                break;
            default:
                break;
        }
    }
}

}  // namespace tfdp
