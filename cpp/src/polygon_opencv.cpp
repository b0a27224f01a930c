#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <utility>
#include <vector>

#include "tfdp/polygon.hpp"

// cv2.fillPoly paints every side as an 8-connected line, and fills between the sides by the even-odd rule
// with x in fixed point. A side that leaves the image is clipped first, and the fill uses the slope between
// the rounded clipped ends, so that clipping moves the interior a little; this is OpenCV's result and
// therefore ours. (OpenCV 4.11 to 5.0 agree. Before 4.11 it filled in another way.)

namespace tfdp {
namespace {

constexpr int fraction_bits = 16;
constexpr std::int64_t one = std::int64_t{1} << fraction_bits;

/// The place of a crossing that does not exist.
constexpr std::int64_t nowhere = std::numeric_limits<std::int64_t>::min();

struct Position {
    std::int64_t x;
    std::int64_t y;
};

[[nodiscard]] constexpr bool inside(Position p, Size size) noexcept {
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

/// Paints the Bresenham line of OpenCV's LineIterator: paint(row, begin, end) once for each of its rows.
/// Step i along the longer direction is ceil(i * minor / major - 1/2) steps along the other.
template <class Point, class Paint>
void paint_line(Point left, Point right, Paint paint) {
    const std::int32_t dx = right.x - left.x;
    const std::int32_t dy = std::abs(right.y - left.y);
    const std::int32_t down = right.y < left.y ? -1 : 1;
    std::int32_t row = left.y;
    std::int32_t x = left.x;
    if (dy > dx) {
        std::int32_t error = dy - 2 * dx;
        for (std::int32_t i = 0; i <= dy; ++i, row += down) {
            paint(row, x, x + 1);
            const std::int32_t step = error < 0 ? 1 : 0;
            x += step;
            error += 2 * (dy & -step) - 2 * dx;
        }
        return;
    }
    if (dy > 0) {
        // Row m ends with step floor(dx * (2 m + 1) / (2 dy)).
        const std::int32_t quotient = dx / dy;
        const std::int32_t remainder = 2 * (dx % dy);
        std::int32_t last = dx / (2 * dy);
        std::int32_t rest = dx % (2 * dy);
        for (std::int32_t m = 0; m < dy; ++m, row += down) {
            const std::int32_t end = left.x + last + 1;
            paint(row, x, end);
            x = end;
            last += quotient;
            rest += remainder - 2 * dy;
            const std::int32_t borrow = rest < 0 ? 1 : 0;
            rest += 2 * (dy & -borrow);
            last += 1 - borrow;
        }
    }
    paint(row, x, right.x + 1);
}

/// Sorts the few items of a row without branches, which would be mispredicted half of the time.
void sort_few(std::vector<std::int64_t>& items) {
    const std::size_t size = items.size();
    if (size > 8) {
        std::sort(items.begin(), items.end());
        return;
    }
    for (std::size_t unsorted = size; unsorted > 1; --unsorted) {
        for (std::size_t i = 1; i < unsorted; ++i) {
            const auto [low, high] = std::minmax({items[i - 1], items[i]});
            items[i - 1] = low;
            items[i] = high;
        }
    }
}

/// A run as one number, ordered by its begin.
[[nodiscard]] constexpr std::int64_t packed(Run run) noexcept {
    return (std::int64_t{run.begin} << 32) | run.end;
}

[[nodiscard]] constexpr Run unpacked(std::int64_t run) noexcept {
    return {static_cast<std::int32_t>(run >> 32), static_cast<std::int32_t>(run & 0xffffffff)};
}

/// The pixels whose centres lie between two crossings, the ends included.
[[nodiscard]] Run span(std::int64_t left, std::int64_t right, std::int32_t width) noexcept {
    const std::int64_t begin = (left + one - 1) >> fraction_bits;
    const std::int64_t end = (right >> fraction_bits) + 1;
    return {static_cast<std::int32_t>(std::clamp<std::int64_t>(begin, 0, width)),
            static_cast<std::int32_t>(std::clamp<std::int64_t>(end, 0, width))};
}

/// A span together with the painted runs that touch it: one run. No branches on the data, here and below.
class Hull {
  public:
    explicit Hull(Run inner) noexcept : inner_(inner), hull_(inner) {}
    bool add(Run painted) noexcept {
        const bool touches = (painted.begin <= inner_.end) & (inner_.begin <= painted.end);
        hull_.begin = std::min(hull_.begin, touches ? painted.begin : hull_.begin);
        hull_.end = std::max(hull_.end, touches ? painted.end : hull_.end);
        return touches;
    }
    [[nodiscard]] Run run() const noexcept { return hull_; }

  private:
    Run inner_;
    Run hull_;
};

void exchange(std::int64_t& low, std::int64_t& high) noexcept {
    const std::int64_t smaller = std::min(low, high);
    high = std::max(low, high);
    low = smaller;
}

/// One span between two crossings, which all painted runs touch. False if one does not.
template <class Trace>
[[nodiscard]] bool append_hull(const Trace* begin, const Trace* end, Run inner, std::int32_t row,
                               Runs& runs) {
    Hull hull(inner);
    bool all_touch = true;
    for (const Trace* trace = begin; trace != end; ++trace) {
        all_touch &= hull.add(trace->painted);
    }
    if (all_touch) {
        runs.append(row, hull.run().begin, hull.run().end);
    }
    return all_touch;
}

/// Two spans, of which each painted run touches at least one.
template <class Trace>
[[nodiscard]] bool append_hulls(const Trace* begin, const Trace* end, Run inner_left, Run inner_right,
                                std::int32_t row, Runs& runs) {
    Hull left(inner_left);
    Hull right(inner_right);
    bool all_touch = true;
    for (const Trace* trace = begin; trace != end; ++trace) {
        const bool touches_left = left.add(trace->painted);
        const bool touches_right = right.add(trace->painted);
        all_touch &= touches_left | touches_right;
    }
    if (!all_touch) {
        return false;
    }
    const Run a = left.run();
    const Run b = right.run();
    if (b.begin <= a.end) {
        runs.append(row, std::min(a.begin, b.begin), std::max(a.end, b.end));
    } else {
        runs.append(row, a.begin, a.end);
        runs.append(row, b.begin, b.end);
    }
    return true;
}

/// Nearly every row has two or four crossings, and painted runs about them. False if this one is different.
template <class Trace>
[[nodiscard]] bool append_simple_row(const Trace* begin, const Trace* end, std::int32_t row,
                                     std::int32_t width, Runs& runs) {
    std::array<std::int64_t, 5> x{};
    std::size_t crossings = 0;
    for (const Trace* trace = begin; trace != end; ++trace) {
        x[std::min<std::size_t>(crossings, 4)] = trace->x;
        crossings += trace->x != nowhere ? 1 : 0;
    }
    if (crossings == 2) {
        exchange(x[0], x[1]);
        return append_hull(begin, end, span(x[0], x[1], width), row, runs);
    }
    if (crossings == 4) {
        exchange(x[0], x[1]);
        exchange(x[2], x[3]);
        exchange(x[0], x[2]);
        exchange(x[1], x[3]);
        exchange(x[1], x[2]);
        return append_hulls(begin, end, span(x[0], x[1], width), span(x[2], x[3], width), row, runs);
    }
    return false;
}

/// The union of the painted runs of a row and of the spans between its crossings, both ascending.
void append_union(const std::vector<std::int64_t>& painted, const std::vector<std::int64_t>& crossings,
                  std::int32_t row, std::int32_t width, Runs& runs) {
    Run last{0, 0};
    const auto cover = [&](Run run) {
        if (run.begin > last.end) {
            runs.append(row, last.begin, last.end);
            last = run;
        } else {
            last.end = std::max(last.end, run.end);
        }
    };
    auto next = painted.begin();
    for (std::size_t i = 0; i < crossings.size(); i += 2) {
        const Run inner = span(crossings[i], crossings[i + 1], width);
        for (; next != painted.end() && unpacked(*next).begin <= inner.begin; ++next) {
            cover(unpacked(*next));
        }
        cover(inner);
    }
    for (; next != painted.end(); ++next) {
        cover(unpacked(*next));
    }
    runs.append(row, last.begin, last.end);
}

}  // namespace

void PolygonFiller::fill_opencv(const double* coordinates, std::int64_t points, Size size, Runs& runs) {
    points_.clear();
    for (std::int64_t i = 0; i < 2 * points; i += 2) {
        points_.push_back(
            {static_cast<std::int32_t>(coordinates[i]), static_cast<std::int32_t>(coordinates[i + 1])});
    }
    const auto by_y = [](Point a, Point b) { return a.y < b.y; };
    const auto [top, bottom] = std::minmax_element(points_.begin(), points_.end(), by_y);
    const std::int32_t first = std::max(top->y, 0);
    const std::int32_t last = std::min(bottom->y, size.height - 1);
    if (first > last) {
        return;
    }
    collect_edges(size);
    store_edges(first, last, size.width);
    for (std::int32_t row = first; row <= last; ++row) {
        if (!append_simple_row(traces_.begin(row), traces_.end(row), row, size.width, runs)) {
            append_any_row(row, size.width, runs);
        }
    }
}

void PolygonFiller::collect_edges(Size size) {
    edges_.clear();
    Point from = points_.back();
    for (const Point to : points_) {
        const Edge edge = make_edge(from, to, size);
        if (edge.painted || edge.first_row <= edge.last_row) {
            edges_.push_back(edge);
        }
        from = to;
    }
}

PolygonFiller::Edge PolygonFiller::make_edge(Point from, Point to, Size size) noexcept {
    Position a{from.x, from.y};
    Position b{to.x, to.y};
    Edge edge{};
    edge.whole = inside(a, size) && inside(b, size);
    edge.painted = edge.whole || clip(a, b, size);
    edge.left = {static_cast<std::int32_t>(a.x), static_cast<std::int32_t>(a.y)};
    edge.right = {static_cast<std::int32_t>(b.x), static_cast<std::int32_t>(b.y)};
    if (edge.left.x > edge.right.x) {
        std::swap(edge.left, edge.right);
    }
    // The interior begins in the first row of a side, and ends before its last row.
    edge.first_row = std::max(std::min(from.y, to.y), 0);
    edge.last_row = std::min(std::max(from.y, to.y), size.height) - 1;
    if (edge.first_row <= edge.last_row) {
        // Clipped ends in one row give no slope: OpenCV then takes the rows of the whole side, but still the
        // clipped columns.
        const bool level = a.y == b.y;
        const std::int64_t row_a = level ? from.y : a.y;
        const std::int64_t row_b = level ? to.y : b.y;
        edge.x_step = (b.x - a.x) * one / (row_b - row_a);
        // OpenCV counts from the upper vertex, which may be 2^28 rows above the image. No overflow: the slope
        // is that of the side but for the rounding of the clipped ends, so x stays below 2^32 pixels.
        edge.x = from.y < to.y ? a.x * one + (edge.first_row - row_a) * edge.x_step
                               : b.x * one + (edge.first_row - row_b) * edge.x_step;
    }
    return edge;
}

void PolygonFiller::store_edges(std::int32_t first, std::int32_t last, std::int32_t width) {
    traces_.reset(first, last);
    for (const Edge& edge : edges_) {
        if (edge.painted) {
            traces_.expect(std::min(edge.left.y, edge.right.y), std::max(edge.left.y, edge.right.y));
        }
        if (!edge.whole && edge.first_row <= edge.last_row) {
            traces_.expect(edge.first_row, edge.last_row);
        }
    }
    traces_.allocate();
    for (const Edge& edge : edges_) {
        store_edge(edge, width);
    }
}

void PolygonFiller::store_edge(const Edge& edge, std::int32_t width) {
    if (edge.painted) {
        const std::int32_t last_row = edge.whole ? edge.last_row : -1;
        const std::int64_t x_step = edge.right.y < edge.left.y ? -edge.x_step : edge.x_step;
        std::int64_t x = edge.x + (edge.left.y - edge.first_row) * edge.x_step;
        paint_line(edge.left, edge.right, [&](std::int32_t row, std::int32_t begin, std::int32_t end) {
            traces_.put(row, {{begin, end}, row <= last_row ? x : nowhere});
            x += x_step;
        });
    }
    if (!edge.whole) {
        std::int64_t x = edge.x;
        for (std::int32_t row = edge.first_row; row <= edge.last_row; ++row, x += edge.x_step) {
            // An empty run at the end of whichever span ends in x: it touches that one and does not extend
            // it.
            const std::int32_t at = span(x, x, width).begin;
            traces_.put(row, {{at, at}, x});
        }
    }
}

void PolygonFiller::append_any_row(std::int32_t row, std::int32_t width, Runs& runs) {
    row_painted_.clear();
    row_crossings_.clear();
    for (const Trace* trace = traces_.begin(row); trace != traces_.end(row); ++trace) {
        if (trace->painted.begin < trace->painted.end) {
            row_painted_.push_back(packed(trace->painted));
        }
        if (trace->x != nowhere) {
            row_crossings_.push_back(trace->x);
        }
    }
    sort_few(row_painted_);
    sort_few(row_crossings_);
    append_union(row_painted_, row_crossings_, row, width, runs);
}

}  // namespace tfdp
