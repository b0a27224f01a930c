#include "pybind.hpp"
#include "register.hpp"

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
    m.doc() =
        "The compiled core: segmentations to columns, masks to boundary counts, contours and run lengths.";
    m.attr("__version__") = TFDP_VERSION;
    m.attr("build") = TFDP_BUILD;
    tfdp::python::register_masks(m);
    tfdp::python::register_labels(m);
    tfdp::python::register_segmentations(m);
}
