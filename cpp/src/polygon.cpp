#include "tfdp/polygon.hpp"

#include <algorithm>
#include <cmath>

namespace tfdp {
namespace {

[[nodiscard]] Status check(const double* coordinates, const std::int64_t* offsets, std::int64_t polygons,
                           Size size) noexcept {
    for (std::int64_t p = 0; p < polygons; ++p) {
        if ((offsets[p + 1] - offsets[p]) % 2 != 0) {
            return Status::coordinates_odd;
        }
    }
    const double* const begin = polygons > 0 ? coordinates + offsets[0] : coordinates;
    const double* const end = polygons > 0 ? coordinates + offsets[polygons] : coordinates;
    if (!std::all_of(begin, end, [](double c) { return std::isfinite(c); })) {
        return Status::coordinate_not_finite;
    }
    if (!std::all_of(begin, end, [](double c) { return std::abs(c) <= max_coordinate; })) {
        return Status::coordinate_out_of_range;
    }
    return size.valid() ? Status::ok : Status::size_out_of_range;
}

}  // namespace

void PolygonFiller::fill_one(const double* coordinates, std::int64_t points, Size size,
                             FillConvention convention, Runs& runs) {
    if (points == 0 || size.pixels() == 0) {
        return;
    }
    if (convention == FillConvention::coco) {
        fill_coco(coordinates, points, size, runs);
    } else {
        fill_opencv(coordinates, points, size, runs);
    }
}

Status PolygonFiller::fill(const double* coordinates, const std::int64_t* offsets, std::int64_t polygons,
                           Size size, FillConvention convention, Runs& runs) {
    const Axis axis = convention == FillConvention::coco ? Axis::column : Axis::row;
    runs.clear(axis);
    const Status status = check(coordinates, offsets, polygons, size);
    if (status != Status::ok) {
        return status;
    }
    if (polygons == 1) {
        fill_one(coordinates + offsets[0], (offsets[1] - offsets[0]) / 2, size, convention, runs);
        return Status::ok;
    }
    pieces_.clear();
    for (std::int64_t p = 0; p < polygons; ++p) {
        polygon_.clear(axis);
        fill_one(coordinates + offsets[p], (offsets[p + 1] - offsets[p]) / 2, size, convention, polygon_);
        keep_pieces();
    }
    unite_pieces(runs);
    return Status::ok;
}

void PolygonFiller::keep_pieces() {
    for (std::int64_t i = 0; i < polygon_.line_count(); ++i) {
        const std::int32_t line = polygon_.first_line() + static_cast<std::int32_t>(i);
        for (std::int64_t r = polygon_.line_begin(i); r < polygon_.line_begin(i + 1); ++r) {
            pieces_.push_back({line, polygon_.data()[r]});
        }
    }
}

void PolygonFiller::unite_pieces(Runs& runs) {
    if (pieces_.empty()) {
        return;
    }
    const auto by_line = [](const Piece& a, const Piece& b) { return a.line < b.line; };
    const auto [low, high] = std::minmax_element(pieces_.begin(), pieces_.end(), by_line);
    const std::int32_t first = low->line;
    const std::int32_t last = high->line;
    united_.reset(first, last);
    for (const Piece& piece : pieces_) {
        united_.expect(piece.line, piece.line);
    }
    united_.allocate();
    for (const Piece& piece : pieces_) {
        united_.put(piece.line, piece.run);
    }
    for (std::int32_t line = first; line <= last; ++line) {
        Run* const begin = united_.begin(line);
        Run* const end = united_.end(line);
        std::sort(begin, end, [](Run a, Run b) { return a.begin < b.begin; });
        std::int32_t covered = 0;
        for (const Run* run = begin; run != end; ++run) {
            runs.append(line, std::max(run->begin, covered), run->end);
            covered = std::max(covered, run->end);
        }
    }
}

}  // namespace tfdp
