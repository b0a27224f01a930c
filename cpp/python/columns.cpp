// Batches of segmentations that are columns already, as in tables of Arrow.

#include "columns.hpp"

#include "bytes.hpp"

namespace tfdp::python {

namespace {

/// Makes room for n instances: growing step by step takes as long as filling.
void reserve(SegmentationBatch& batch, py::ssize_t n) {
    const auto instances = static_cast<std::size_t>(n);
    batch.kinds.reserve(instances);
    batch.statuses.reserve(instances);
    batch.sizes.reserve(2 * instances);
}

}  // namespace

std::unique_ptr<SegmentationBatch> from_text(const py::object& text, const Int64& spans, const Int32& own,
                                             const Int32& sizes) {
    const Bytes bytes(text);
    check_spans(spans, bytes.size());
    const py::ssize_t n = spans.shape(0);
    check_sizes(own, n);
    check_sizes(sizes, n);
    const std::int64_t* const span = spans.data();
    auto batch = std::make_unique<SegmentationBatch>();
    const py::gil_scoped_release unlocked;  // `bytes` holds the text, the caller holds the arrays
    reserve(*batch, n);
    std::int64_t length = 0;
    for (py::ssize_t i = 0; i < n; ++i) {
        length += span[2 * i + 1] - span[2 * i];
    }
    batch->text.reserve(static_cast<std::size_t>(length));
    batch->text_offsets.reserve(static_cast<std::size_t>(n) + 1);
    for (py::ssize_t i = 0; i < n; ++i) {
        batch->text.insert(batch->text.end(), bytes.begin() + span[2 * i], bytes.begin() + span[2 * i + 1]);
        batch->finish(SegmentationKind::compressed_rle, size_at(own.data(), i), size_at(sizes.data(), i));
    }
    return batch;
}

std::unique_ptr<SegmentationBatch> from_polygons(const Float64& coordinates, const Int64& polygon_offsets,
                                                 const Int64& instance_offsets, const Int32& sizes) {
    check_offsets(polygon_offsets, coordinates.size(), "polygon_offsets");
    check_offsets(instance_offsets, polygon_offsets.size() - 1, "instance_offsets");
    const py::ssize_t n = instance_offsets.size() - 1;
    check_sizes(sizes, n);
    const double* const coordinate = coordinates.data();
    const std::int64_t* const of_polygon = polygon_offsets.data();
    const std::int64_t* const of_instance = instance_offsets.data();
    auto batch = std::make_unique<SegmentationBatch>();
    const py::gil_scoped_release unlocked;  // the caller holds the arrays
    reserve(*batch, n);
    batch->coordinates.reserve(static_cast<std::size_t>(coordinates.size()));
    batch->polygon_offsets.reserve(static_cast<std::size_t>(polygon_offsets.size()));
    batch->instance_offsets.reserve(static_cast<std::size_t>(n) + 1);
    for (py::ssize_t i = 0; i < n; ++i) {
        for (std::int64_t p = of_instance[i]; p < of_instance[i + 1]; ++p) {
            batch->coordinates.insert(batch->coordinates.end(), coordinate + of_polygon[p],
                                      coordinate + of_polygon[p + 1]);
            batch->polygon_offsets.push_back(static_cast<std::int64_t>(batch->coordinates.size()));
        }
        const bool any = of_instance[i] < of_instance[i + 1];
        batch->finish(any ? SegmentationKind::polygons : SegmentationKind::empty, unknown_size,
                      size_at(sizes.data(), i));
    }
    return batch;
}

}  // namespace tfdp::python
