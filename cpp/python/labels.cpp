#include "tfdp/labels.hpp"

#include "arrays.hpp"
#include "register.hpp"
#include "tfdp/boundary.hpp"

namespace tfdp::python {

namespace {

/// Reads the map if its dtype is T.
template <class T>
bool read_as(const py::array& map, Size size, std::int64_t background, LabelRuns& label_runs) {
    if (!py::isinstance<py::array_t<T>>(map)) {
        return false;
    }
    const auto* const labels = static_cast<const T*>(map.data());
    const py::ssize_t row_stride = map.strides(0);
    const py::gil_scoped_release unlocked;  // `map` is held by the caller
    label_runs.read(labels, row_stride, size, background);
    return true;
}

template <class... T>
bool read_as_any(const py::array& map, Size size, std::int64_t background, LabelRuns& label_runs) {
    return (read_as<T>(map, size, background, label_runs) || ...);
}

py::tuple measure_labels(const py::array& map, std::int64_t background) {
    if (map.ndim() != 2 || map.shape(0) > max_side || map.shape(1) > max_side) {
        refuse("label_map must have two dimensions of at most 2**29");
    }
    if (map.size() > 0 && map.shape(1) > 1 && map.strides(1) != map.itemsize()) {
        refuse("the pixels of a row must be adjacent in memory");
    }
    const Size size{static_cast<std::int32_t>(map.shape(0)), static_cast<std::int32_t>(map.shape(1))};
    LabelRuns label_runs;
    if (!read_as_any<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::uint32_t, std::int32_t,
                     std::int64_t>(map, size, background, label_runs)) {
        throw py::type_error("label_map must hold integers that fit into int64");
    }
    const auto n = static_cast<py::ssize_t>(label_runs.labels().size());
    Int64 counts({n, py::ssize_t{3}});
    std::int64_t* out = counts.mutable_data();
    {
        const py::gil_scoped_release unlocked;
        BoundaryCounter counter;
        Runs runs;
        for (py::ssize_t i = 0; i < n; ++i, out += 3) {
            label_runs.runs_of(i, runs);
            const BoundaryCounts c = counter.primary(runs);
            out[0] = c.straight;
            out[1] = c.diagonal;
            out[2] = c.area2;
        }
    }
    std::vector<std::int64_t> labels = label_runs.labels();
    return py::make_tuple(take(std::move(labels)), counts);
}

}  // namespace

void register_labels(py::module_& m) {
    m.def("measure_labels", &measure_labels, py::arg("label_map"), py::arg("background"),
          "Boundary counts of each label of a map [H, W] of integers: (labels int64 [K], counts int64 [K, "
          "3]).");
}

}  // namespace tfdp::python
