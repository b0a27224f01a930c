#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "painted_lines.hpp"
#include "tfdp/lanes.hpp"
#include "tfdp/polygon.hpp"

// cv2.fillPoly paints every side as an 8-connected line, and fills between the sides by the even-odd rule
// with x in fixed point. A side that leaves the image is clipped first, and the fill uses the slope between
// the rounded clipped ends, so that clipping moves the interior a little; this is OpenCV's result and
// therefore ours. (OpenCV 4.11 to 5.0 agree. Before 4.11 it filled in another way.)

namespace tfdp {
namespace {

constexpr int fraction_bits = 16;
constexpr std::int64_t one = std::int64_t{1} << fraction_bits;

struct Position {
    std::int64_t x;
    std::int64_t y;
};

template <class Point>
[[nodiscard]] constexpr bool inside(const Point& p, Size size) noexcept {
    return p.x >= 0 && p.x < size.width && p.y >= 0 && p.y < size.height;
}

enum Outside : unsigned { left_of = 1, right_of = 2, above = 4, below = 8 };

[[nodiscard]] constexpr unsigned outside_x(Position p, Size size) noexcept {
    return p.x < 0 ? left_of : p.x >= size.width ? right_of : 0U;
}

[[nodiscard]] constexpr unsigned outside_y(Position p, Size size) noexcept {
    return p.y < 0 ? above : p.y >= size.height ? below : 0U;
}

/// across * part / whole, rounded as OpenCV does: in double, whose 53 bits the product may exceed, then to
/// zero.
[[nodiscard]] std::int64_t proportion(std::int64_t part, std::int64_t across, std::int64_t whole) noexcept {
    return static_cast<std::int64_t>(static_cast<double>(part) * static_cast<double>(across) /
                                     static_cast<double>(whole));
}

void move_to_row(Position& p, Position a, Position b, std::int64_t row) noexcept {
    p.x += proportion(row - p.y, b.x - a.x, b.y - a.y);
    p.y = row;
}

void move_to_column(Position& p, Position a, Position b, std::int64_t column) noexcept {
    p.y += proportion(column - p.x, b.y - a.y, b.x - a.x);
    p.x = column;
}

/// Clips the line a b at the image. False if nothing is left; the ends may have moved even then, and the fill
/// uses the moved ones. The second end is clipped along the line from the moved first end.
[[nodiscard]] bool clip(Position& a, Position& b, Size size) noexcept {
    unsigned out_a = outside_x(a, size) | outside_y(a, size);
    unsigned out_b = outside_x(b, size) | outside_y(b, size);
    if ((out_a & out_b) == 0) {
        if ((out_a & (above | below)) != 0) {
            move_to_row(a, a, b, (out_a & above) != 0 ? 0 : size.height - 1);
            out_a = outside_x(a, size);
        }
        if ((out_b & (above | below)) != 0) {
            move_to_row(b, a, b, (out_b & above) != 0 ? 0 : size.height - 1);
            out_b = outside_x(b, size);
        }
        if ((out_a & out_b) == 0) {
            if (out_a != 0) {
                move_to_column(a, a, b, out_a == left_of ? 0 : size.width - 1);
                out_a = 0;
            }
            if (out_b != 0) {
                move_to_column(b, a, b, out_b == left_of ? 0 : size.width - 1);
                out_b = 0;
            }
        }
    }
    return (out_a | out_b) == 0;
}

/// The pixels whose centres lie between two crossings, the ends included.
[[nodiscard]] Run span(std::int64_t left, std::int64_t right, std::int32_t width) noexcept {
    const std::int64_t begin = (left + one - 1) >> fraction_bits;
    const std::int64_t end = (right >> fraction_bits) + 1;
    return {static_cast<std::int32_t>(std::clamp<std::int64_t>(begin, 0, width)),
            static_cast<std::int32_t>(std::clamp<std::int64_t>(end, 0, width))};
}

[[nodiscard]] Run hull(Run a, Run b) noexcept {
    return {std::min(a.begin, b.begin), std::max(a.end, b.end)};
}

/// Of two runs each.
[[nodiscard]] Lanes hulls(Lanes a, Lanes b) noexcept {
    const Lanes from_a = (a < b) ^ Lanes { 0, -1, 0, -1 };
    return (a & from_a) | (b & ~from_a);
}

}  // namespace

// A row needs the painted runs and which of them are crossed, but not where.
//
// A side inside the image crosses a row less than a pixel from what it paints there: the painting moves it by
// 1/2 at most, and OpenCV's slope, rounded to 2^-16, by less than 1/2 in 2^15 rows. So runs that are apart
// are crossed in their order, and what lies between them is interior if an odd number of crossings lies on
// its left. The order of the crossings of runs that touch does not matter, as what lies between these is
// painted.
//
// A clipped side, or one in a very large image, may cross elsewhere. There the crossing is a run of its own
// that paints nothing: one pixel where it meets a centre, since any span that ends there has this pixel, or
// else no pixel, between two of them.

template <class Target>
void PolygonFiller::fill_opencv(const double* coordinates, std::int64_t points, Size size, Target& target) {
    points_.clear();
    for (std::int64_t i = 0; i < 2 * points; i += 2) {
        points_.push_back(
            {static_cast<std::int32_t>(coordinates[i]), static_cast<std::int32_t>(coordinates[i + 1])});
    }
    points_.push_back(points_.front());
    store_strands(size);
    typename Target::Appender appender(target, strand_runs_.size(), rows_of_strands());
    append_strands(appender);
}

void PolygonFiller::store_strands(Size size) {
    const bool small = size.height <= SmallLine::max_size && size.width <= SmallLine::max_size;
    const auto simple = [small, size](const Point* p) { return small && inside(*p, size); };
    strands_.clear();
    strand_runs_.clear();
    const Point* const end = &points_.back();
    for (const Point* from = points_.data(); from != end;) {
        const Point* to = from + 1;
        if (!simple(from) || !simple(to)) {
            store_side(*from, *to, size);
        } else if (from->y <= to->y) {
            while (to != end && to->y <= to[1].y && simple(to + 1)) {
                ++to;
            }
            store_chain(from, to, 1);
        } else {
            while (to != end && to->y >= to[1].y && simple(to + 1)) {
                ++to;
            }
            store_chain(to, from, -1);
        }
        from = to;
    }
}

std::int64_t PolygonFiller::rows_of_strands() const noexcept {
    std::int32_t first = std::numeric_limits<std::int32_t>::max();
    std::int32_t last = 0;
    for (const Strand& strand : strands_) {
        first = std::min(first, strand.first_row);
        last = std::max(last, strand.last_row);
    }
    return std::max<std::int64_t>(std::int64_t{last} - first + 1, 0);
}

Run* PolygonFiller::add_strand(std::int32_t first_row, std::int32_t last_row, std::int32_t crossed_until) {
    const std::int64_t rows = last_row - first_row + 1 + SmallLine::overhang;
    Run* const begin = strand_runs_.room_for(rows);
    strands_.push_back({first_row, last_row, crossed_until, begin - strand_runs_.data()});
    strand_runs_.end_at(begin + rows);
    return begin;
}

void PolygonFiller::store_chain(const Point* top, const Point* bottom, std::ptrdiff_t step) {
    // A side crosses its first row but not its last one, and so does the chain.
    Run* out = add_strand(top->y, bottom->y, bottom->y);
    Run at_vertex{top->x, top->x + 1};
    while (top != bottom) {
        const Point upper = *top;
        top += step;
        const std::int32_t dy = top->y - upper.y;
        if (dy == 0) {
            at_vertex = hull(at_vertex, {top->x, top->x + 1});
            continue;
        }
        const SmallLine line(upper.x, top->x, dy);
        *out = hull(at_vertex, line.first_row());
        line.paint_inner_rows(out + 1);
        out += dy;
        at_vertex = line.last_row();
    }
    *out = at_vertex;
}

void PolygonFiller::store_side(Point from, Point to, Size size) {
    Position a{from.x, from.y};
    Position b{to.x, to.y};
    if (clip(a, b, size)) {
        Point left{static_cast<std::int32_t>(a.x), static_cast<std::int32_t>(a.y)};
        Point right{static_cast<std::int32_t>(b.x), static_cast<std::int32_t>(b.y)};
        if (left.x > right.x) {
            std::swap(left, right);
        }
        const std::int32_t top = std::min(left.y, right.y);
        Run* const out = add_strand(top, std::max(left.y, right.y), top);
        paint_line(left, right, [out, top](std::int32_t row, std::int32_t begin, std::int32_t end) {
            out[row - top] = {begin, end};
        });
    }
    // The interior begins in the first row of a side, and ends before its last row.
    const std::int32_t first_row = std::max(std::min(from.y, to.y), 0);
    const std::int32_t last_row = std::min(std::max(from.y, to.y), size.height) - 1;
    if (first_row > last_row) {
        return;
    }
    // Clipped ends in one row give no slope: OpenCV then takes the rows of the whole side, but still the
    // clipped columns.
    const bool level = a.y == b.y;
    const std::int64_t row_a = level ? from.y : a.y;
    const std::int64_t row_b = level ? to.y : b.y;
    const std::int64_t x_step = (b.x - a.x) * one / (row_b - row_a);
    // OpenCV counts from the upper vertex, which may be 2^28 rows above the image. No overflow: the slope is
    // that of the side but for the rounding of the clipped ends, so x stays below 2^32 pixels.
    std::int64_t x =
        from.y < to.y ? a.x * one + (first_row - row_a) * x_step : b.x * one + (first_row - row_b) * x_step;
    Run* out = add_strand(first_row, last_row, last_row + 1);
    for (std::int32_t row = first_row; row <= last_row; ++row, x += x_step) {
        *out++ = span(x, x, size.width);
    }
}

template <class Appender>
void PolygonFiller::append_strands(Appender& appender) {
    std::sort(strands_.begin(), strands_.end(),
              [](const Strand& a, const Strand& b) { return a.first_row < b.first_row; });
    active_.clear();
    auto next = strands_.begin();
    std::int32_t row = 0;
    while (next != strands_.end() || !active_.empty()) {
        if (active_.empty()) {
            row = next->first_row;
        }
        for (; next != strands_.end() && next->first_row == row; ++next) {
            active_.push_back({strand_runs_.data() + next->offset, next->last_row, next->crossed_until});
        }
        // Up to the next change, the rows are alike.
        std::int32_t end =
            next != strands_.end() ? next->first_row : std::numeric_limits<std::int32_t>::max();
        bool all_chains_crossed = true;
        for (const ActiveStrand& strand : active_) {
            const bool crossed = row < strand.crossed_until;
            all_chains_crossed &= crossed && strand.is_chain();
            end = std::min(end, crossed ? strand.crossed_until : strand.last_row + 1);
        }
        if (all_chains_crossed && active_.size() == 2) {
            append_rows_of_two(row, end, appender);
        } else {
            append_rows(row, end, appender);
        }
        row = end;
        active_.erase(std::remove_if(active_.begin(), active_.end(),
                                     [row](const ActiveStrand& strand) { return strand.last_row < row; }),
                      active_.end());
    }
}

template <class Appender>
void PolygonFiller::append_rows_of_two(std::int32_t row, std::int32_t end, Appender& appender) {
    const Run* const a = active_[0].run;
    const Run* const b = active_[1].run;
    // Behind each strand there is room for more, so that the last two may be one too many.
    appender.append_lines(row, end - row, [a, b](std::int32_t i) { return hulls(load(a + i), load(b + i)); });
    active_[0].run += end - row;
    active_[1].run += end - row;
}

template <class Appender>
void PolygonFiller::append_rows(std::int32_t row, std::int32_t end, Appender& appender) {
    for (; row < end; ++row) {
        sort_active();
        Run run{0, 0};
        bool interior = false;
        for (ActiveStrand& strand : active_) {
            const Run next = *strand.run++;
            if (next.begin > run.end && !interior) {
                appender.append(row, run.begin, run.end);
                run = next;
            } else {
                run.end = std::max(run.end, next.end);
            }
            interior ^= row < strand.crossed_until;
        }
        appender.append(row, run.begin, run.end);
    }
}

/// By the begins of their runs. There is hardly anything to do, as the order is nearly that of the row above.
void PolygonFiller::sort_active() {
    const auto before = [](const ActiveStrand& a, const ActiveStrand& b) {
        return a.run->begin < b.run->begin;
    };
    if (active_.size() > 16) {
        std::sort(active_.begin(), active_.end(), before);
        return;
    }
    for (std::size_t i = 1; i < active_.size(); ++i) {
        for (std::size_t j = i; j > 0 && before(active_[j], active_[j - 1]); --j) {
            std::swap(active_[j], active_[j - 1]);
        }
    }
}

template void PolygonFiller::fill_opencv(const double*, std::int64_t, Size, Runs&);
template void PolygonFiller::fill_opencv(const double*, std::int64_t, Size, FlatRuns&);

}  // namespace tfdp
