#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tfdp/buffer.hpp"
#include "tfdp/flat_runs.hpp"
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
    /// The same for an image of less than FlatRuns::max_pixels.
    [[nodiscard]] Status fill(const double* coordinates, const std::int64_t* offsets, std::int64_t polygons,
                              Size size, FillConvention convention, FlatRuns& runs);

  private:
    struct Point {
        std::int32_t x;
        std::int32_t y;
    };

    /// A run in each of consecutive rows: what one or more connected sides do to these.
    struct Strand {
        std::int32_t first_row;
        std::int32_t last_row;
        std::int32_t crossed_until;  ///< the interior begins or ends in all runs before this row
        std::int64_t offset;         ///< of the first run in strand_runs_
    };

    /// A strand that has a run in the current row.
    struct ActiveStrand {
        const Run* run;
        std::int32_t last_row;
        std::int32_t crossed_until;

        /// Of sides inside the image, so that none of its runs is empty.
        [[nodiscard]] bool is_chain() const noexcept { return crossed_until == last_row; }
    };

    struct Piece {
        std::int32_t line;
        Run run;
    };

    // The target of what follows is Runs or FlatRuns.

    template <class Target>
    void fill_any(const double* coordinates, const std::int64_t* offsets, std::int64_t polygons, Size size,
                  FillConvention convention, Target& target);
    template <class Target>
    void fill_one(const double* coordinates, std::int64_t points, Size size, FillConvention convention,
                  Target& target);
    template <class Target>
    void fill_coco(const double* coordinates, std::int64_t points, Size size, Target& target);
    template <class Target>
    void fill_opencv(const double* coordinates, std::int64_t points, Size size, Target& target);

    void store_strands(Size size);
    /// Sides inside the image that go down, or up, one after the other: points top, top + step, ..., bottom.
    void store_chain(const Point* top, const Point* bottom, std::ptrdiff_t step);
    void store_side(Point from, Point to, Size size);
    [[nodiscard]] Run* add_strand(std::int32_t first_row, std::int32_t last_row, std::int32_t crossed_until);
    [[nodiscard]] std::int64_t rows_of_strands() const noexcept;
    template <class Appender>
    void append_strands(Appender& appender);
    template <class Appender>
    void append_rows(std::int32_t row, std::int32_t end, Appender& appender);
    template <class Appender>
    void append_rows_of_two(std::int32_t row, std::int32_t end, Appender& appender);
    void sort_active();

    void keep_pieces();
    template <class Target>
    void unite_pieces(Target& target);

    std::vector<Point> points_;
    LineBuckets<std::int32_t> toggles_;
    std::vector<Strand> strands_;
    std::vector<ActiveStrand> active_;
    Buffer<Run> strand_runs_;

    Runs polygon_;               // one polygon of several
    std::vector<Piece> pieces_;  // the runs of all of them
    LineBuckets<Run> united_;
};

}  // namespace tfdp
