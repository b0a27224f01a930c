// Batches of masks from three sources (RLE counts, polygons, dense arrays) into three sinks (boundary counts,
// contours, RLE counts).

#include <algorithm>

#include "arrays.hpp"
#include "register.hpp"
#include "tfdp/boundary.hpp"
#include "tfdp/contour.hpp"
#include "tfdp/polygon.hpp"
#include "tfdp/runs.hpp"

namespace tfdp::python {

namespace {

// ---- sources: check everything on construction, then load one mask after the other without the GIL ----

class RleSource {
  public:
    RleSource(const UInt32& counts, const Int64& offsets, const Int32& sizes)
        : n_(offsets.size() - 1), counts_(counts.data()), offsets_(offsets.data()), sizes_(sizes.data()) {
        check_offsets(offsets, counts.size(), "offsets");
        check_sizes(sizes, n_);
    }

    [[nodiscard]] std::int64_t n() const noexcept { return n_; }
    [[nodiscard]] Size size(std::int64_t i) const noexcept { return size_at(sizes_, i); }
    [[nodiscard]] Status load(std::int64_t i, Runs& runs) {
        return runs_from_counts(counts_ + offsets_[i], offsets_[i + 1] - offsets_[i], size(i), runs);
    }
    [[nodiscard]] Status measure(std::int64_t i, BoundaryCounter& counter, BoundaryCounts& counts) {
        return counter.primary_of_counts(counts_ + offsets_[i], offsets_[i + 1] - offsets_[i], size(i),
                                         counts);
    }

  private:
    std::int64_t n_;
    const std::uint32_t* counts_;
    const std::int64_t* offsets_;
    const std::int32_t* sizes_;
};

class PolygonSource {
  public:
    PolygonSource(const Float64& coordinates, const Int64& polygon_offsets, const Int64& instance_offsets,
                  const Int32& sizes, FillConvention convention)
        : n_(instance_offsets.size() - 1),
          coordinates_(coordinates.data()),
          polygon_offsets_(polygon_offsets.data()),
          instance_offsets_(instance_offsets.data()),
          sizes_(sizes.data()),
          convention_(convention) {
        check_offsets(polygon_offsets, coordinates.size(), "polygon_offsets");
        check_offsets(instance_offsets, polygon_offsets.size() - 1, "instance_offsets");
        check_sizes(sizes, n_);
    }

    [[nodiscard]] std::int64_t n() const noexcept { return n_; }
    [[nodiscard]] Size size(std::int64_t i) const noexcept { return size_at(sizes_, i); }
    [[nodiscard]] Status load(std::int64_t i, Runs& runs) {
        return filler_.fill(coordinates_, polygon_offsets_ + instance_offsets_[i],
                            instance_offsets_[i + 1] - instance_offsets_[i], size(i), convention_, runs);
    }
    [[nodiscard]] Status measure(std::int64_t i, BoundaryCounter& counter, BoundaryCounts& counts) {
        return counter.primary_of_polygons(coordinates_, polygon_offsets_ + instance_offsets_[i],
                                           instance_offsets_[i + 1] - instance_offsets_[i], size(i),
                                           convention_, counts);
    }

  private:
    std::int64_t n_;
    const double* coordinates_;
    const std::int64_t* polygon_offsets_;
    const std::int64_t* instance_offsets_;
    const std::int32_t* sizes_;
    FillConvention convention_;
    PolygonFiller filler_;
};

class DenseSource {
  public:
    explicit DenseSource(const py::array_t<std::uint8_t>& masks) {
        if (masks.ndim() != 3 || masks.shape(1) > max_side || masks.shape(2) > max_side) {
            refuse("masks must have shape [N, H, W] with sides of at most 2**29");
        }
        n_ = masks.shape(0);
        size_ = {static_cast<std::int32_t>(masks.shape(1)), static_cast<std::int32_t>(masks.shape(2))};
        if (masks.strides(2) == 1 || size_.width <= 1 || masks.size() == 0) {
            axis_ = Axis::row;
        } else if (masks.strides(1) == 1 || size_.height <= 1) {
            axis_ = Axis::column;
        } else {
            refuse("the pixels of a row or of a column must be adjacent in memory");
        }
        pixels_ = masks.data();
        mask_stride_ = masks.strides(0);
        line_stride_ = masks.strides(axis_ == Axis::row ? 1 : 2);
    }

    [[nodiscard]] std::int64_t n() const noexcept { return n_; }
    [[nodiscard]] Size size(std::int64_t) const noexcept { return size_; }
    [[nodiscard]] Status load(std::int64_t i, Runs& runs) {
        runs_from_dense(pixels_ + i * mask_stride_, line_stride_, size_, axis_, runs);
        return Status::ok;
    }
    [[nodiscard]] Status measure(std::int64_t i, BoundaryCounter& counter, BoundaryCounts& counts) {
        const Status status = load(i, runs_);
        counts = counter.primary(runs_);
        return status;
    }

  private:
    std::int64_t n_ = 0;
    Size size_;
    Axis axis_ = Axis::row;
    const std::uint8_t* pixels_ = nullptr;
    py::ssize_t mask_stride_ = 0;
    py::ssize_t line_stride_ = 0;
    Runs runs_;
};

// ---- sinks ----

template <class Source>
py::tuple measure(Source source) {
    const std::int64_t n = source.n();
    Int64 counts({static_cast<py::ssize_t>(n), py::ssize_t{3}});
    UInt8 statuses(static_cast<py::ssize_t>(n));
    std::int64_t* out = counts.mutable_data();
    std::uint8_t* const status_out = statuses.mutable_data();
    {
        // Everything is converted and checked, and the arrays are held by the caller.
        const py::gil_scoped_release unlocked;
        BoundaryCounter counter;
        BoundaryCounts c;
        for (std::int64_t i = 0; i < n; ++i, out += 3) {
            const Status status = source.measure(i, counter, c);
            out[0] = c.straight;
            out[1] = c.diagonal;
            out[2] = c.area2;
            status_out[i] = static_cast<std::uint8_t>(status);
        }
    }
    return py::make_tuple(counts, statuses);
}

template <class Source>
py::tuple trace(Source source) {
    const std::int64_t n = source.n();
    std::vector<std::uint8_t> statuses;
    std::vector<std::int64_t> mask_offsets{0};
    std::vector<std::int32_t> coordinates;
    Contours contours;
    {
        const py::gil_scoped_release unlocked;
        ContourTracer tracer;
        Runs runs;
        for (std::int64_t i = 0; i < n; ++i) {
            const Status status = source.load(i, runs);
            if (status == Status::ok) {
                tracer.trace(runs, contours);
            }
            mask_offsets.push_back(static_cast<std::int64_t>(contours.offsets.size()) - 1);
            statuses.push_back(static_cast<std::uint8_t>(status));
        }
        coordinates.reserve(2 * contours.points.size());
        for (const Point p : contours.points) {
            coordinates.push_back(p.x);
            coordinates.push_back(p.y);
        }
    }
    return py::make_tuple(take_pairs(std::move(coordinates)), take(std::move(contours.offsets)),
                          take(std::move(mask_offsets)), take(std::move(statuses)));
}

template <class Source>
py::tuple encode(Source source) {
    const std::int64_t n = source.n();
    std::vector<std::uint8_t> statuses;
    std::vector<std::int64_t> offsets{0};
    std::vector<std::uint32_t> counts;
    {
        const py::gil_scoped_release unlocked;
        std::vector<std::uint32_t> of_mask;
        Runs runs;
        for (std::int64_t i = 0; i < n; ++i) {
            Status status = source.load(i, runs);
            if (status == Status::ok) {
                status = counts_from_runs(runs, source.size(i), of_mask);
            }
            if (status == Status::ok) {
                counts.insert(counts.end(), of_mask.begin(), of_mask.end());
            }
            offsets.push_back(static_cast<std::int64_t>(counts.size()));
            statuses.push_back(static_cast<std::uint8_t>(status));
        }
    }
    return py::make_tuple(take(std::move(counts)), take(std::move(offsets)), take(std::move(statuses)));
}

/// Defines <name>_rle and <name>_polygons.
template <class Sink>
void define(py::module_& m, const std::string& name, Sink sink, const char* doc) {
    m.def((name + "_rle").c_str(),
          [sink](const UInt32& counts, const Int64& offsets, const Int32& sizes) {
              return sink(RleSource(counts, offsets, sizes));
          },
          py::arg("counts").noconvert(), py::arg("offsets").noconvert(), py::arg("sizes").noconvert(), doc);
    m.def((name + "_polygons").c_str(),
          [sink](const Float64& coordinates, const Int64& polygon_offsets, const Int64& instance_offsets,
                 const Int32& sizes, FillConvention convention) {
              return sink(PolygonSource(coordinates, polygon_offsets, instance_offsets, sizes, convention));
          },
          py::arg("coordinates").noconvert(), py::arg("polygon_offsets").noconvert(),
          py::arg("instance_offsets").noconvert(), py::arg("sizes").noconvert(), py::arg("convention"), doc);
}

}  // namespace

void register_masks(py::module_& m) {
    py::native_enum<FillConvention>(m, "FillConvention", "enum.Enum", "How a polygon becomes a mask.")
        .value("COCO", FillConvention::coco)
        .value("OPENCV", FillConvention::opencv)
        .finalize();
    constexpr const char* measure_doc =
        "Boundary counts of the primary contour of each mask: (counts int64 [N, 3], statuses uint8 [N]).";
    define(m, "measure", [](auto source) { return measure(std::move(source)); }, measure_doc);
    m.def(
        "measure_dense", [](const py::array_t<std::uint8_t>& masks) { return measure(DenseSource(masks)); },
        py::arg("masks").noconvert(), measure_doc);
    define(
        m, "trace", [](auto source) { return trace(std::move(source)); },
        "Outer contours of each mask: (points int32 [P, 2] of x and y, contour_offsets int64 [C + 1], "
        "mask_offsets int64 [N + 1], statuses uint8 [N]).");
    define(
        m, "encode", [](auto source) { return encode(std::move(source)); },
        "Canonical COCO run lengths of each mask: (counts uint32 [M], offsets int64 [N + 1], statuses uint8 "
        "[N]).");
}

}  // namespace tfdp::python
