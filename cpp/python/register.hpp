#pragma once

#include "pybind.hpp"

namespace tfdp::python {

void register_masks(py::module_& m);
void register_labels(py::module_& m);
void register_segmentations(py::module_& m);
void register_measuring(py::module_& m);
void register_coco(py::module_& m);
void register_files(py::module_& m);
void register_label_lines(py::module_& m);

}  // namespace tfdp::python
