#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tfdp/runs.hpp"
#include "tfdp/status.hpp"

namespace tfdp {

/// How a polygon becomes a mask. Both are wanted, and they differ by about half a pixel all around.
enum class FillConvention : std::uint8_t {
    coco,    ///< pycocotools frPyObjects + merge: what training frameworks see
    opencv,  ///< coordinates truncated to int32, cv2.fillPoly per polygon: the boundary is painted
};

/// Coordinates are accepted within +-max_coordinate: far outside of any image, and safe from overflow in the
/// fixed-point arithmetic of both conventions.
inline constexpr double max_coordinate = double{1 << 28};

namespace detail {

/// Items sorted by line with one pass to count and one to store them: reset, expect what will come, allocate,
/// put exactly that. Within a line the order is that of put.
template <class Item>
class LineBuckets {
  public:
    void reset(std::int32_t first_line, std::int32_t last_line) {
        first_line_ = first_line;
        ends_.assign(static_cast<std::size_t>(last_line - first_line) + 2, 0);
    }
    /// One item in each of the lines from .. to.
    void expect(std::int32_t from, std::int32_t to) noexcept {
        ++ends_[index(from)];
        --ends_[index(to) + 1];
    }
    void allocate() {
        std::int64_t items_in_line = 0;
        std::int64_t total = 0;
        for (std::int64_t& end : ends_) {
            items_in_line += end;
            end = total;
            total += items_in_line;
        }
        if (items_.size() < static_cast<std::size_t>(total)) {
            items_.resize(static_cast<std::size_t>(total));
        }
    }
    void put(std::int32_t line, const Item& item) noexcept {
        items_[static_cast<std::size_t>(ends_[index(line)]++)] = item;
    }
    /// The items of a line, once all of them are stored.
    [[nodiscard]] Item* begin(std::int32_t line) noexcept {
        return items_.data() + (line == first_line_ ? 0 : ends_[index(line) - 1]);
    }
    [[nodiscard]] Item* end(std::int32_t line) noexcept { return items_.data() + ends_[index(line)]; }

  private:
    [[nodiscard]] std::size_t index(std::int32_t line) const noexcept {
        return static_cast<std::size_t>(line - first_line_);
    }

    std::int32_t first_line_ = 0;
    std::vector<std::int64_t> ends_;  // differences of the counts, then where each line's next item goes
    std::vector<Item> items_;
};

}  // namespace detail

/// Rasterises the polygons of one instance. Reuses its memory from call to call; one object per thread.
class PolygonFiller {
  public:
    /// The union of the polygons, clipped at the image.
    ///
    /// `coordinates` holds x0, y0, x1, y1, ... of all polygons; polygon p has coordinates offsets[p] ..
    /// offsets[p + 1] - 1. The result is bit-equal to pycocotools (runs per column) or OpenCV (runs per row).
    /// A polygon of one or two points is a legal degenerate polygon, and four numbers are two points, never a
    /// box. Time and memory grow with the boundary inside the image, not with its area.
    ///
    /// Checked before anything is filled, in this order: coordinates_odd, coordinate_not_finite,
    /// coordinate_out_of_range, size_out_of_range. Nothing of `runs` is to be used unless the result is
    /// Status::ok.
    [[nodiscard]] Status fill(const double* coordinates, const std::int64_t* offsets, std::int64_t polygons,
                              Size size, FillConvention convention, Runs& runs);

  private:
    struct Point {
        std::int32_t x;
        std::int32_t y;
    };

    /// What one side of a polygon means to OpenCV, restricted to the image.
    struct Edge {
        Point left;  ///< the painted line, from its left to its right end
        Point right;
        bool whole;  ///< not clipped
        bool painted;
        std::int32_t first_row;  ///< the rows in which it bounds the interior: none if last_row < first_row
        std::int32_t last_row;
        std::int64_t x;       ///< where, in the first of them, in units of 2^-16 pixel
        std::int64_t x_step;  ///< from row to row
    };

    /// What one side does to one row: it paints a run, or bounds the interior, or both.
    struct Trace {
        Run painted;
        std::int64_t x;
    };

    struct Piece {
        std::int32_t line;
        Run run;
    };

    void fill_coco(const double* coordinates, std::int64_t points, Size size, Runs& runs);
    void fill_opencv(const double* coordinates, std::int64_t points, Size size, Runs& runs);
    void fill_one(const double* coordinates, std::int64_t points, Size size, FillConvention convention,
                  Runs& runs);
    [[nodiscard]] static Edge make_edge(Point from, Point to, Size size) noexcept;
    void collect_edges(Size size);
    void store_edges(std::int32_t first, std::int32_t last, std::int32_t width);
    void store_edge(const Edge& edge, std::int32_t width);
    void append_any_row(std::int32_t row, std::int32_t width, Runs& runs);
    void keep_pieces();
    void unite_pieces(Runs& runs);

    std::vector<Point> points_;
    std::vector<Edge> edges_;
    detail::LineBuckets<std::int32_t> toggles_;
    detail::LineBuckets<Trace> traces_;
    std::vector<std::int64_t> row_painted_;
    std::vector<std::int64_t> row_crossings_;

    Runs polygon_;               // one polygon of several
    std::vector<Piece> pieces_;  // the runs of all of them
    detail::LineBuckets<Run> united_;
};

}  // namespace tfdp
