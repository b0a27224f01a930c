#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <utility>
#include <vector>

#include "tfdp/polygon.hpp"

// cv2.fillPoly paints every side as an 8-connected line, and fills between the sides by the even-odd rule with
// x in fixed point. A side that leaves the image is clipped first, and the fill uses the slope between the
// rounded clipped ends, so that clipping moves the interior a little; this is OpenCV's result and therefore
// ours. (OpenCV 4.14 and 5.0 agree. Versions before 4.6 did not use the clipped ends.)

namespace tfdp {
namespace {

constexpr int fraction_bits = 16;
constexpr std::int64_t one = std::int64_t{1} << fraction_bits;

/// The place of a crossing that does not exist.
constexpr std::int64_t nowhere = std::numeric_limits<std::int64_t>::min();

/// Neutral in a union of touching runs.
constexpr Run unpainted{std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min()};

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

/// The way from `from` along `across` in proportion to `part` of `whole`, rounded as OpenCV does: the product
/// may exceed 53 bits.
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
            const bool step = error < 0;
            x += step ? 1 : 0;
            error += (step ? 2 * dy : 0) - 2 * dx;
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
            rest += remainder;
            if (rest >= 2 * dy) {
                rest -= 2 * dy;
                ++last;
            }
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

/// What nearly every row is: one span between two crossings, which all painted runs touch. Else empty.
template <class Trace>
[[nodiscard]] Run one_run(const Trace* begin, const Trace* end, std::int32_t width) noexcept {
    int crossings = 0;
    std::int64_t left = std::numeric_limits<std::int64_t>::max();
    std::int64_t right = nowhere;
    for (const Trace* trace = begin; trace != end; ++trace) {
        const bool crosses = trace->x != nowhere;
        crossings += crosses ? 1 : 0;
        left = std::min(left, crosses ? trace->x : left);
        right = std::max(right, trace->x);
    }
    if (crossings != 2) {
        return {0, 0};
    }
    const Run inner = span(left, right, width);
    Run whole = inner;
    bool touching = true;
    for (const Trace* trace = begin; trace != end; ++trace) {
        const Run run = trace->painted;
        touching &= ((run.begin <= inner.end) & (inner.begin <= run.end)) | (run.begin > run.end);
        whole.begin = std::min(whole.begin, run.begin);
        whole.end = std::max(whole.end, run.end);
    }
    return touching ? whole : Run{0, 0};
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
        points_.push_back({static_cast<std::int32_t>(coordinates[i]), static_cast<std::int32_t>(coordinates[i + 1])});
    }
    const auto by_y = [](Point a, Point b) { return a.y < b.y; };
    const auto [top, bottom] = std::minmax_element(points_.begin(), points_.end(), by_y);
    const std::int32_t first = std::max(top->y, 0);
    const std::int32_t last = std::min(bottom->y, size.height - 1);
    if (first > last) {
        return;
    }
    collect_edges(size);
    store_edges(first, last);
    for (std::int32_t row = first; row <= last; ++row) {
        append_row(row, size.width, runs);
    }
}

void PolygonFiller::collect_edges(Size size) {
    edges_.clear();
    Point from = points_.back();
    for (const Point to : points_) {
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
        edge.first_row = std::max(std::min(from.y, to.y), 0);
        edge.last_row = std::min(std::max(from.y, to.y), size.height) - 1;
        if (edge.first_row <= edge.last_row) {
            // Clipped ends in one row give no slope: OpenCV then takes the rows of the whole side, but not its
            // columns.
            const bool level = a.y == b.y;
            const std::int64_t row_a = level ? from.y : a.y;
            const std::int64_t row_b = level ? to.y : b.y;
            edge.x_step = (b.x - a.x) * one / (row_b - row_a);
            // From the upper vertex, as OpenCV does. No overflow: the slope is that of the side, but for the
            // rounding of the ends.
            edge.x = from.y < to.y ? a.x * one + (edge.first_row - row_a) * edge.x_step
                                   : b.x * one + (edge.first_row - row_b) * edge.x_step;
        }
        if (edge.painted || edge.first_row <= edge.last_row) {
            edges_.push_back(edge);
        }
        from = to;
    }
}

void PolygonFiller::store_edges(std::int32_t first, std::int32_t last) {
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
        store_edge(edge);
    }
}

void PolygonFiller::store_edge(const Edge& edge) {
    if (edge.painted) {
        // The interior begins in the first row of a side, and ends before its last row.
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
            traces_.put(row, {unpainted, x});
        }
    }
}

void PolygonFiller::append_row(std::int32_t row, std::int32_t width, Runs& runs) {
    const Trace* const begin = traces_.begin(row);
    const Trace* const end = traces_.end(row);
    const Run whole = one_run(begin, end, width);
    if (whole.begin < whole.end) {
        runs.append(row, whole.begin, whole.end);
        return;
    }
    row_painted_.clear();
    row_crossings_.clear();
    for (const Trace* trace = begin; trace != end; ++trace) {
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
