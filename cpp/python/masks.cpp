// Batches of masks, as RLE counts or polygons, into contours or RLE counts.

#include <algorithm>

#include "arrays.hpp"
#include "register.hpp"
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

  private:
    std::int64_t n_;
    const double* coordinates_;
    const std::int64_t* polygon_offsets_;
    const std::int64_t* instance_offsets_;
    const std::int32_t* sizes_;
    FillConvention convention_;
    PolygonFiller filler_;
};

// ---- sinks ----

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
