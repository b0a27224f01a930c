#include "pybind.hpp"
#include "register.hpp"
#include "tfdp/status.hpp"

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
    m.doc() =
        "The compiled core: segmentations to columns, masks to boundary counts, contours and run lengths.";
    m.attr("__version__") = TFDP_VERSION;
    m.attr("build") = TFDP_BUILD;
    m.attr("max_side") = tfdp::max_side;
    tfdp::python::register_masks(m);
    tfdp::python::register_labels(m);
    tfdp::python::register_segmentations(m);
    tfdp::python::register_coco(m);
    tfdp::python::register_files(m);
    tfdp::python::register_label_lines(m);
    tfdp::python::register_measuring(m);
}
