#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tfdp/line_buckets.hpp"
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
    LineBuckets<std::int32_t> toggles_;
    LineBuckets<Trace> traces_;
    std::vector<std::int64_t> row_painted_;
    std::vector<std::int64_t> row_crossings_;

    Runs polygon_;               // one polygon of several
    std::vector<Piece> pieces_;  // the runs of all of them
    LineBuckets<Run> united_;
};

}  // namespace tfdp
