// Whole batches of segmentations into boundary counts, in one call.

#include "arrays.hpp"
#include "register.hpp"
#include "tfdp/boundary.hpp"
#include "tfdp/polygon.hpp"
#include "tfdp/runs.hpp"
#include "tfdp/segmentation.hpp"

namespace tfdp::python {

namespace {

/// What measuring needs, each with memory that it keeps. One per thread, for good: a data loader measures a
/// few masks per call, and growing everything anew would take a third of the call.
struct Workspace {
    PolygonFiller filler;
    Runs runs;
    BoundaryCounter counter;
};

Workspace& workspace() {
    thread_local Workspace of_this_thread;
    return of_this_thread;
}

/// The masks of a batch, one after the other. The run lengths of its compressed RLE come from their decoder.
class BatchReader {
  public:
    BatchReader(const SegmentationBatch& batch, FillConvention convention, const UInt32& decoded,
                const Int64& decoded_offsets, const UInt8& decoded_statuses)
        : batch_(batch),
          convention_(convention),
          decoded_(decoded.data()),
          decoded_offsets_(decoded_offsets.data()),
          decoded_statuses_(decoded_statuses.data()) {
        check_offsets(decoded_offsets, decoded.size(), "decoded_offsets");
        const auto n = static_cast<py::ssize_t>(batch.text_offsets.size()) - 1;
        if (decoded_offsets.size() != n + 1 || decoded_statuses.ndim() != 1 || decoded_statuses.size() != n) {
            refuse("the batch has " + std::to_string(n) + " compressed RLE, and not as many are decoded");
        }
    }

    [[nodiscard]] Status next(PolygonFiller& filler, Runs& runs) {
        const auto kind = static_cast<SegmentationKind>(batch_.kinds[static_cast<std::size_t>(next_)]);
        const auto status = static_cast<Status>(batch_.statuses[static_cast<std::size_t>(next_)]);
        const Size size = size_at(batch_.sizes.data(), next_++);
        switch (kind) {
            case SegmentationKind::empty:
                break;
            case SegmentationKind::polygons: {
                const std::int64_t* const of_instance = batch_.instance_offsets.data() + polygons_++;
                return filler.fill(batch_.coordinates.data(), batch_.polygon_offsets.data() + of_instance[0],
                                   of_instance[1] - of_instance[0], size, convention_, runs);
            }
            case SegmentationKind::compressed_rle: {
                const std::int64_t i = compressed_++;
                const auto decoded = static_cast<Status>(decoded_statuses_[i]);
                return decoded == Status::ok ? read(decoded_, decoded_offsets_ + i, size, runs) : decoded;
            }
            case SegmentationKind::rle:
                return read(batch_.counts.data(), batch_.counts_offsets.data() + rle_++, size, runs);
        }
        runs.clear(Axis::column);
        return status;
    }

  private:
    [[nodiscard]] static Status read(const std::uint32_t* counts, const std::int64_t* offsets, Size size,
                                     Runs& runs) {
        return runs_from_counts(counts + offsets[0], offsets[1] - offsets[0], size, runs);
    }

    const SegmentationBatch& batch_;
    FillConvention convention_;
    const std::uint32_t* decoded_;
    const std::int64_t* decoded_offsets_;
    const std::uint8_t* decoded_statuses_;
    std::int64_t next_ = 0;        // of all instances
    std::int64_t polygons_ = 0;    // of those that are polygons
    std::int64_t compressed_ = 0;  // of those that are compressed RLE
    std::int64_t rle_ = 0;         // of those that are RLE as whole numbers
};

py::tuple measure_batch(const SegmentationBatch& batch, FillConvention convention, const UInt32& decoded,
                        const Int64& decoded_offsets, const UInt8& decoded_statuses) {
    BatchReader reader(batch, convention, decoded, decoded_offsets, decoded_statuses);
    const auto n = static_cast<py::ssize_t>(batch.kinds.size());
    Int64 counts({n, py::ssize_t{3}});
    UInt8 statuses(n);
    std::int64_t* out = counts.mutable_data();
    std::uint8_t* const status_out = statuses.mutable_data();
    {
        // Everything is checked, and the caller holds the batch, which never changes, and the arrays.
        const py::gil_scoped_release unlocked;
        auto& [filler, runs, counter] = workspace();
        for (py::ssize_t i = 0; i < n; ++i, out += 3) {
            const Status status = reader.next(filler, runs);
            const BoundaryCounts c = status == Status::ok ? counter.primary(runs) : BoundaryCounts{};
            out[0] = c.straight;
            out[1] = c.diagonal;
            out[2] = c.area2;
            status_out[i] = static_cast<std::uint8_t>(status);
        }
    }
    return py::make_tuple(counts, statuses);
}

}  // namespace

void register_batches(py::module_& m) {
    m.def("measure_batch", &measure_batch, py::arg("batch"), py::arg("convention"),
          py::arg("decoded").noconvert(), py::arg("decoded_offsets").noconvert(),
          py::arg("decoded_statuses").noconvert(),
          "Boundary counts of the primary contour of each instance of a batch whose compressed RLE have been "
          "decoded: (counts int64 [N, 3], statuses uint8 [N]).");
}

}  // namespace tfdp::python
