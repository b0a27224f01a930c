#include "tfdp/labels.hpp"

#include "arrays.hpp"
#include "register.hpp"
#include "tfdp/boundary.hpp"

namespace tfdp::python {

namespace {

/// The labels that occur, and the boundary counts of each.
struct Measured {
    std::vector<std::int64_t> labels;
    std::vector<std::int64_t> counts;
};

template <class T>
Measured measure(const T* labels, py::ssize_t row_stride, Size size, std::int64_t background) {
    LabelRuns label_runs;
    label_runs.read(labels, row_stride, size, background);
    Measured measured{label_runs.labels(), {}};
    measured.counts.reserve(3 * measured.labels.size());
    BoundaryCounter counter;
    Runs runs;
    for (std::size_t i = 0; i < measured.labels.size(); ++i) {
        label_runs.runs_of(static_cast<std::int64_t>(i), runs);
        const BoundaryCounts c = counter.primary(runs);
        measured.counts.insert(measured.counts.end(), {c.straight, c.diagonal, c.area2});
    }
    return measured;
}

/// Measures the map if its dtype is T.
template <class T>
bool measure_as(const py::array& map, Size size, std::int64_t background, Measured& measured) {
    if (!py::isinstance<py::array_t<T>>(map)) {
        return false;
    }
    const auto* const labels = static_cast<const T*>(map.data());
    const py::ssize_t row_stride = map.strides(0);
    // `map` is held by the caller. Released once: each time, other threads may have to be waited for.
    const py::gil_scoped_release unlocked;
    measured = measure(labels, row_stride, size, background);
    return true;
}

template <class... T>
bool measure_as_any(const py::array& map, Size size, std::int64_t background, Measured& measured) {
    return (measure_as<T>(map, size, background, measured) || ...);
}

py::tuple measure_labels(const py::array& map, std::int64_t background) {
    if (map.ndim() != 2 || map.shape(0) > max_side || map.shape(1) > max_side) {
        refuse("label_map must have two dimensions of at most 2**29");
    }
    if (map.size() > 0 && map.shape(1) > 1 && map.strides(1) != map.itemsize()) {
        refuse("the pixels of a row must be adjacent in memory");
    }
    const Size size{static_cast<std::int32_t>(map.shape(0)), static_cast<std::int32_t>(map.shape(1))};
    Measured measured;
    if (!measure_as_any<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::uint32_t, std::int32_t,
                        std::int64_t>(map, size, background, measured)) {
        throw py::type_error("label_map must hold integers that fit into int64");
    }
    const auto n = static_cast<py::ssize_t>(measured.labels.size());
    return py::make_tuple(take(std::move(measured.labels)),
                          take(std::move(measured.counts)).reshape({n, py::ssize_t{3}}));
}

}  // namespace

void register_labels(py::module_& m) {
    m.def("measure_labels", &measure_labels, py::arg("label_map"), py::arg("background"),
          "Boundary counts of each label of a map [H, W] of integers: (labels int64 [K], counts int64 [K, "
          "3]).");
}

}  // namespace tfdp::python
