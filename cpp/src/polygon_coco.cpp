#include <algorithm>
#include <cstdlib>

#include "tfdp/polygon.hpp"

// pycocotools rounds the vertices to a grid of fifths of a pixel, walks every side on that grid, and toggles
// the mask wherever the walk steps between the grid columns 5 X + 2 and 5 X + 3, the middle of pixel column
// X. Here each side is asked directly for those steps. What decides about a rounding is written as in
// pycocotools, operation by operation in double.
//
// Where pycocotools is undefined: a side of length 0 makes it convert NaN, without an effect on the mask; a
// polygon without points reads freed memory, here it is empty; an image of 2^31 pixels or a side of 2^31 grid
// steps overflows its int, here both are exact. A side of more than 10^8 grid steps next to the diagonal
// could skip a grid column by rounding and lose a toggle in pycocotools; here it does not.

namespace tfdp {
namespace {

constexpr std::int32_t grid = 5;

[[nodiscard]] std::int32_t to_grid(double coordinate) noexcept {
    return static_cast<std::int32_t>(grid * coordinate + .5);
}

/// The first pixel whose middle is not before a grid position: ceil((position - 2) / 5), at least 0.
[[nodiscard]] std::int32_t pixel_from_grid(std::int64_t position) noexcept {
    return static_cast<std::int32_t>(std::max<std::int64_t>(position + 2, 0) / grid);
}

/// A side of the polygon, and the image columns first .. last whose middle it steps across.
struct Side {
    std::int32_t xs, ys, xe, ye;
    std::int32_t first, last;
};

/// pycocotools walks from the smaller to the larger x or y.
[[nodiscard]] Side reversed_if(bool condition, const Side& side) noexcept {
    return {condition ? side.xe : side.xs,
            condition ? side.ye : side.ys,
            condition ? side.xs : side.xe,
            condition ? side.ys : side.ye,
            side.first,
            side.last};
}

/// The columns whose middle lies between two positions: 5 X + 2 >= xmin and 5 X + 3 <= xmax.
[[nodiscard]] std::int32_t first_column(std::int32_t xmin) noexcept {
    return pixel_from_grid(xmin);
}
[[nodiscard]] std::int32_t last_column(std::int32_t xmax, std::int32_t width) noexcept {
    return std::min(pixel_from_grid(xmax), width) - 1;
}

/// Calls toggle(column, row) for each column of a side that is at least as wide as high.
template <class Toggle>
void toggle_flat_side(const Side& given, std::int32_t height, Toggle toggle) {
    const Side side = reversed_if(given.xs > given.xe, given);
    const double xs = side.xs;
    const double ys = side.ys;
    const double slope = (side.ye - ys) / (side.xe - xs);
    // Of the two grid points of the step, the upper one counts: the first if y grows, else the second.
    double t = 5. * side.first + static_cast<int>(slope < 0) + 2 - xs;
    for (std::int32_t column = side.first; column <= side.last; ++column, t += grid) {
        const auto v = static_cast<std::int32_t>(ys + slope * t + .5);
        toggle(column, std::min(pixel_from_grid(v), height));
    }
}

/// The same for a side that is higher than wide.
template <class Toggle>
void toggle_steep_side(const Side& given, std::int32_t height, Toggle toggle) {
    const Side side = reversed_if(given.ys > given.ye, given);
    const double xs = side.xs;
    const double dx = side.xe - xs;
    const double dy = static_cast<double>(side.ye) - side.ys;
    const double slope = dx / dy;
    const double inverse = dy / dx;
    const bool rightward = dx > 0;
    double border = 5. * side.first + 3;
    for (std::int32_t column = side.first; column <= side.last; ++column, border += grid) {
        const auto crossed = [&](std::int64_t t) {
            return (xs + slope * static_cast<double>(t) + .5 >= border) == rightward;
        };
        // The first grid row beyond the border: an estimate, made exact. The ends of the side stop both
        // loops.
        auto t = static_cast<std::int64_t>((border - .5 - xs) * inverse) + 1;
        while (crossed(t - 1)) {
            --t;
        }
        while (!crossed(t)) {
            ++t;
        }
        toggle(column, std::min(pixel_from_grid(side.ys + t - 1), height));
    }
}

template <class Toggle>
void toggle_side(const Side& side, std::int32_t height, Toggle toggle) {
    if (std::abs(std::int64_t{side.xe} - side.xs) >= std::abs(std::int64_t{side.ye} - side.ys)) {
        toggle_flat_side(side, height, toggle);
    } else {
        toggle_steep_side(side, height, toggle);
    }
}

void exchange(std::int32_t& low, std::int32_t& high) noexcept {
    const std::int32_t smaller = std::min(low, high);
    high = std::max(low, high);
    low = smaller;
}

/// A closed walk crosses the middle of a column an even number of times.
template <class Appender>
void append_column(std::int32_t* begin, std::int32_t* end, std::int32_t column, Appender& appender) {
    if (end - begin == 2) {
        appender.append(column, std::min(begin[0], begin[1]), std::max(begin[0], begin[1]));
        return;
    }
    if (end - begin == 4) {
        exchange(begin[0], begin[1]);
        exchange(begin[2], begin[3]);
        exchange(begin[0], begin[2]);
        exchange(begin[1], begin[3]);
        exchange(begin[1], begin[2]);
    } else {
        std::sort(begin, end);
    }
    for (const std::int32_t* row = begin; row != end; row += 2) {
        appender.append(column, row[0], row[1]);
    }
}

}  // namespace

template <class Target>
void PolygonFiller::fill_coco(const double* coordinates, std::int64_t points, Size size, Target& target) {
    points_.clear();
    for (std::int64_t i = 0; i < points; ++i) {
        points_.push_back({to_grid(coordinates[2 * i]), to_grid(coordinates[2 * i + 1])});
    }
    const auto by_x = [](Point a, Point b) { return a.x < b.x; };
    const auto [left, right] = std::minmax_element(points_.begin(), points_.end(), by_x);
    const std::int32_t first = first_column(left->x);
    const std::int32_t last = last_column(right->x, size.width);
    if (first > last) {
        return;
    }
    toggles_.reset(first, last);
    const auto for_each_side = [&](auto visit) {
        Point from = points_.back();
        for (const Point to : points_) {
            const Side side{from.x,
                            from.y,
                            to.x,
                            to.y,
                            first_column(std::min(from.x, to.x)),
                            last_column(std::max(from.x, to.x), size.width)};
            if (side.first <= side.last) {
                visit(side);
            }
            from = to;
        }
    };
    for_each_side([&](const Side& side) { toggles_.expect(side.first, side.last); });
    toggles_.allocate();
    for_each_side([&](const Side& side) {
        toggle_side(side, size.height,
                    [&](std::int32_t column, std::int32_t row) { toggles_.put(column, row); });
    });

    const std::int64_t toggles = toggles_.end(last) - toggles_.begin(first);
    typename Target::Appender appender(target, toggles / 2, std::int64_t{last} - first + 1);
    for (std::int32_t column = first; column <= last; ++column) {
        append_column(toggles_.begin(column), toggles_.end(column), column, appender);
    }
}

template void PolygonFiller::fill_coco(const double*, std::int64_t, Size, Runs&);
template void PolygonFiller::fill_coco(const double*, std::int64_t, Size, FlatRuns&);

}  // namespace tfdp
