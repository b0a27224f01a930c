#include "tfdp/contour.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace tfdp {

namespace {

/// The 8 neighbours by chain code: 0 is right, 2 is up, 4 is left, 6 is down (y grows downwards).
constexpr std::array<Point, 8> steps{{{1, 0}, {1, -1}, {0, -1}, {-1, -1}, {-1, 0}, {-1, 1}, {0, 1}, {1, 1}}};

constexpr int left = 4;

Point neighbour(Point p, int code) noexcept {
    const Point step = steps[static_cast<std::size_t>(code)];
    return {p.x + step.x, p.y + step.y};
}

/// Follows one outer border from its first pixel in raster order.
void follow_border(const Runs& runs, Point start, std::vector<Point>& points) {
    points.push_back(start);
    const auto inside = [&runs](Point p, int code) {
        const Point q = neighbour(p, code);
        return runs.contains(q.x, q.y);
    };
    // The neighbour from which the walk will come back: clockwise from the background on the left.
    int code = left;
    do {
        code = (code + 7) % 8;
    } while (code != left && !inside(start, code));
    if (code == left) {
        return;  // a single pixel
    }
    const Point last = neighbour(start, code);
    Point at = start;
    int came_by = -1;
    for (;;) {
        // Counterclockwise from where the walk came from.
        do {
            code = (code + 1) % 8;
        } while (!inside(at, code));
        if (code != came_by && came_by >= 0) {
            points.push_back(at);
        }
        came_by = code;
        const Point next = neighbour(at, code);
        if (next == start && at == last) {
            return;
        }
        at = next;
        code = (code + 4) % 8;
    }
}

}  // namespace

void ContourTracer::trace(const Runs& runs, Contours& contours) {
    listed_ = finder_.find(runs);
    std::sort(listed_.begin(), listed_.end(),
              [](const Outline& a, const Outline& b) { return a.listed_before(b); });
    for (const Outline& outline : listed_) {
        follow_border(runs, {outline.first_x, outline.first_y}, contours.points);
        contours.offsets.push_back(static_cast<std::int64_t>(contours.points.size()));
    }
}

BoundaryCounts counts_of_contour(const Point* points, std::int64_t n) noexcept {
    BoundaryCounts counts;
    for (std::int64_t k = 0; k < n; ++k) {
        const Point p = points[k];
        const Point q = points[k + 1 < n ? k + 1 : 0];
        const std::int64_t dx = std::int64_t{q.x} - p.x;
        const std::int64_t dy = std::int64_t{q.y} - p.y;
        (dx == 0 || dy == 0 ? counts.straight : counts.diagonal) += std::max(std::abs(dx), std::abs(dy));
        counts.area2 += p.x * std::int64_t{q.y} - q.x * std::int64_t{p.y};
    }
    counts.area2 = std::abs(counts.area2);
    return counts;
}

}  // namespace tfdp
