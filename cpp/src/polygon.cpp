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
    // Without a way out, the compiler takes several at a time. NaN is not within anything either.
    bool good = true;
    for (const double* c = begin; c != end; ++c) {
        good &= std::abs(*c) <= max_coordinate;
    }
    if (!good) {
        return std::all_of(begin, end, [](double c) { return std::isfinite(c); })
                   ? Status::coordinate_out_of_range
                   : Status::coordinate_not_finite;
    }
    return size.valid() ? Status::ok : Status::size_out_of_range;
}

[[nodiscard]] constexpr Axis axis_of(FillConvention convention) noexcept {
    return convention == FillConvention::coco ? Axis::column : Axis::row;
}

}  // namespace

template <class Target>
void PolygonFiller::fill_one(const double* coordinates, std::int64_t points, Size size,
                             FillConvention convention, Target& target) {
    if (points == 0 || size.pixels() == 0) {
        return;
    }
    if (convention == FillConvention::coco) {
        fill_coco(coordinates, points, size, target);
    } else {
        fill_opencv(coordinates, points, size, target);
    }
}

template <class Target>
void PolygonFiller::fill_any(const double* coordinates, const std::int64_t* offsets, std::int64_t polygons,
                             Size size, FillConvention convention, Target& target) {
    if (polygons == 1) {
        fill_one(coordinates + offsets[0], (offsets[1] - offsets[0]) / 2, size, convention, target);
        return;
    }
    pieces_.clear();
    for (std::int64_t p = 0; p < polygons; ++p) {
        polygon_.clear(axis_of(convention));
        fill_one(coordinates + offsets[p], (offsets[p + 1] - offsets[p]) / 2, size, convention, polygon_);
        keep_pieces();
    }
    unite_pieces(target);
}

Status PolygonFiller::fill(const double* coordinates, const std::int64_t* offsets, std::int64_t polygons,
                           Size size, FillConvention convention, Runs& runs) {
    runs.clear(axis_of(convention));
    const Status status = check(coordinates, offsets, polygons, size);
    if (status == Status::ok) {
        fill_any(coordinates, offsets, polygons, size, convention, runs);
    }
    return status;
}

Status PolygonFiller::fill(const double* coordinates, const std::int64_t* offsets, std::int64_t polygons,
                           Size size, FillConvention convention, FlatRuns& runs) {
    const Status status = check(coordinates, offsets, polygons, size);
    if (status == Status::ok) {
        const std::int32_t length = axis_of(convention) == Axis::column ? size.height : size.width;
        runs.clear(std::max(length, 1));
        fill_any(coordinates, offsets, polygons, size, convention, runs);
    }
    return status;
}

void PolygonFiller::keep_pieces() {
    for (std::int64_t i = 0; i < polygon_.line_count(); ++i) {
        const std::int32_t line = polygon_.first_line() + static_cast<std::int32_t>(i);
        for (std::int64_t r = polygon_.line_begin(i); r < polygon_.line_begin(i + 1); ++r) {
            pieces_.push_back({line, polygon_.data()[r]});
        }
    }
}

template <class Target>
void PolygonFiller::unite_pieces(Target& target) {
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
    typename Target::Appender appender(target, static_cast<std::int64_t>(pieces_.size()),
                                       std::int64_t{last} - first + 1);
    for (std::int32_t line = first; line <= last; ++line) {
        Run* const begin = united_.begin(line);
        Run* const end = united_.end(line);
        std::sort(begin, end, [](Run a, Run b) { return a.begin < b.begin; });
        std::int32_t covered = 0;
        for (const Run* run = begin; run != end; ++run) {
            appender.append(line, std::max(run->begin, covered), run->end);
            covered = std::max(covered, run->end);
        }
    }
}

}  // namespace tfdp
