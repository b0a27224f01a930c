#pragma once

#include <memory>

#include "arrays.hpp"
#include "tfdp/segmentation.hpp"

namespace tfdp::python {

/// Compressed RLE whose counts lie in a buffer, at spans [N, 2]; `own` [N, 2] is the size that each states.
std::unique_ptr<SegmentationBatch> from_text(const py::object& text, const Int64& spans, const Int32& own,
                                             const Int32& sizes);

/// Polygons as columns: coordinates, offsets [P + 1] into them, and offsets [N + 1] into the polygons.
std::unique_ptr<SegmentationBatch> from_polygons(const Float64& coordinates, const Int64& polygon_offsets,
                                                 const Int64& instance_offsets, const Int32& sizes);

}  // namespace tfdp::python
