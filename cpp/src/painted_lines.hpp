#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "tfdp/lanes.hpp"
#include "tfdp/runs.hpp"

// The 8-connected line of OpenCV's LineIterator, as one run per row, in two ways that give the same pixels.
// Step i along the longer direction is ceil(i * minor / major - 1/2) steps along the other, counted from the
// left end.

namespace tfdp {

/// Any line: paint(row, begin, end) once for each of its rows, from the left end to the right one.
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

/// A line that is not level, in an image that is not too large, from its upper to its lower end. Most sides
/// have a few rows and lean to either side, so that branches would be mispredicted at nearly every one.
///
/// With the upper end in row 0 and at x = 0, and the lower one in row dy and at x = dx, row j consists of
///   - the pixel floor(j dx / dy + 1/2 - 1 / (2 dy)), if the line is steep,
///   - else the pixels between the edges j - 1 and j, where edge j is 1 + floor((j + 1/2) dx / dy);
///     but the first row begins, and the last row ends, at the end of the line.
///
/// This is exact. All of these are floors of multiples of 1 / (2 dy), so that a number which is too large by
/// less than 1 / (2 dy) has the same floor. The slope is too large by less than 2 units of 2^-32, and is
/// taken less than dy times: that is less than 1 / (2 dy) while dy < max_size.
class SmallLine {
  public:
    /// The largest height or width of an image for these lines.
    static constexpr std::int32_t max_size = 1 << 15;
    /// How many rows after the line may be overwritten.
    static constexpr std::int32_t overhang = 7;

    SmallLine(std::int32_t upper_x, std::int32_t lower_x, std::int32_t dy) noexcept
        : upper_x_(upper_x), lower_x_(lower_x), dy_(dy) {
        const std::int32_t dx = lower_x - upper_x;
        slope_ = static_cast<std::int64_t>(static_cast<double>(dx) * one / static_cast<double>(dy)) + 1;
        edge_ = (upper_x + 1) * one + ((slope_ + 1) >> 1);
    }

    [[nodiscard]] Run first_row() const noexcept { return end_row(upper_x_, edge_); }
    [[nodiscard]] Run last_row() const noexcept { return end_row(lower_x_, edge_ + (dy_ - 1) * slope_); }

    /// The rows between them.
    void paint_inner_rows(Run* out) const noexcept {
        // 2 dy units stand for 1 / (2 dy): they are not more, and still more than the slopes are too large.
        const std::int64_t pixel = upper_x_ * one + one / 2 - 2 * dy_ + slope_;
        const std::int64_t steep = dy_ > std::abs(lower_x_ - upper_x_) ? -1 : 0;
        const auto choose = [steep](std::int64_t if_steep, std::int64_t if_flat) {
            return static_cast<std::uint64_t>((if_steep & steep) | (if_flat & ~steep));
        };
        LanePairs edges{choose(pixel, edge_ + std::min<std::int64_t>(slope_, 0)),
                        choose(pixel + one, edge_ + std::max<std::int64_t>(slope_, 0))};
        const auto slope = static_cast<std::uint64_t>(slope_);
        const LanePairs step{slope, slope};
        for (std::int32_t row = 1; row < dy_; row += overhang + 1, out += overhang + 1) {
            for (std::int32_t i = 0; i <= overhang; i += 2) {
                const LanePairs next = edges + step;
                store(out + i, high_words(edges, next));
                edges = next + step;
            }
        }
    }

  private:
    static constexpr int fraction_bits = 32;
    static constexpr std::int64_t one = std::int64_t{1} << fraction_bits;

    [[nodiscard]] static constexpr std::int32_t whole(std::int64_t x) noexcept {
        return static_cast<std::int32_t>(x >> fraction_bits);
    }
    /// The row of the end at x. The edge of a steep line is x or x + 1 there.
    [[nodiscard]] static Run end_row(std::int32_t x, std::int64_t edge) noexcept {
        return {std::min(x, whole(edge)), std::max(x + 1, whole(edge))};
    }

    std::int32_t upper_x_;
    std::int32_t lower_x_;
    std::int32_t dy_;
    std::int64_t slope_;  // in units of 2^-32, too large by more than 0 and less than 2
    std::int64_t edge_;   // edge 0
};

}  // namespace tfdp
