// Batches of segmentations, and dense masks, into boundary counts.

#include <memory>

#include "arrays.hpp"
#include "register.hpp"
#include "tfdp/boundary.hpp"
#include "tfdp/polygon.hpp"
#include "tfdp/runs.hpp"
#include "tfdp/segmentation.hpp"

namespace tfdp::python {

namespace {

/// One per thread, for good: a data loader measures a few masks per call, and growing its memory anew would
/// take a third of the call. On the heap, as compilers look up the address of a thread's own object again and
/// again.
BoundaryCounter& counter_of_this_thread() {
    thread_local const auto counter = std::make_unique<BoundaryCounter>();
    return *counter;
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

    /// Measures the next one; counts of 0 for one that cannot be measured.
    [[nodiscard]] Status measure_next(BoundaryCounter& counter, BoundaryCounts& counts) {
        const auto kind = static_cast<SegmentationKind>(batch_.kinds[static_cast<std::size_t>(next_)]);
        const auto status = static_cast<Status>(batch_.statuses[static_cast<std::size_t>(next_)]);
        const Size size = size_at(batch_.sizes.data(), next_++);
        switch (kind) {
            case SegmentationKind::empty:
                break;
            case SegmentationKind::polygons: {
                const std::int64_t* const of_instance = batch_.instance_offsets.data() + polygons_++;
                return counter.primary_of_polygons(
                    batch_.coordinates.data(), batch_.polygon_offsets.data() + of_instance[0],
                    of_instance[1] - of_instance[0], size, convention_, counts);
            }
            case SegmentationKind::compressed_rle: {
                const std::int64_t i = compressed_++;
                const auto decoded = static_cast<Status>(decoded_statuses_[i]);
                if (decoded == Status::ok) {
                    return measure(decoded_, decoded_offsets_ + i, size, counter, counts);
                }
                counts = {};
                return decoded;
            }
            case SegmentationKind::rle:
                return measure(batch_.counts.data(), batch_.counts_offsets.data() + rle_++, size, counter,
                               counts);
        }
        counts = {};
        return status;
    }

  private:
    [[nodiscard]] static Status measure(const std::uint32_t* lengths, const std::int64_t* offsets, Size size,
                                        BoundaryCounter& counter, BoundaryCounts& counts) {
        return counter.primary_of_counts(lengths + offsets[0], offsets[1] - offsets[0], size, counts);
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

/// Dense masks [N, H, W].
class DenseMasks {
  public:
    explicit DenseMasks(const py::array_t<std::uint8_t>& masks) {
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
    [[nodiscard]] BoundaryCounts measure(std::int64_t i, BoundaryCounter& counter) {
        runs_from_dense(pixels_ + i * mask_stride_, line_stride_, size_, axis_, runs_);
        return counter.primary(runs_);
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

void store(const BoundaryCounts& counts, std::int64_t* out) noexcept {
    out[0] = counts.straight;
    out[1] = counts.diagonal;
    out[2] = counts.area2;
}

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
        BoundaryCounter& counter = counter_of_this_thread();
        BoundaryCounts c;
        for (py::ssize_t i = 0; i < n; ++i, out += 3) {
            const Status status = reader.measure_next(counter, c);
            store(c, out);
            status_out[i] = static_cast<std::uint8_t>(status);
        }
    }
    return py::make_tuple(counts, statuses);
}

py::tuple measure_rle(const UInt32& counts, const Int64& offsets, const Int32& sizes) {
    const py::ssize_t n = offsets.size() - 1;
    check_offsets(offsets, counts.size(), "offsets");
    check_sizes(sizes, n);
    Int64 measured({n, py::ssize_t{3}});
    UInt8 statuses(n);
    const std::uint32_t* const lengths = counts.data();
    const std::int64_t* const begin = offsets.data();
    const std::int32_t* const sides = sizes.data();
    std::int64_t* out = measured.mutable_data();
    std::uint8_t* const status_out = statuses.mutable_data();
    {
        const py::gil_scoped_release unlocked;  // everything is checked, and the caller holds the arrays
        BoundaryCounter& counter = counter_of_this_thread();
        for (py::ssize_t i = 0; i < n; ++i, out += 3) {
            const Size size = size_at(sides, i);
            BoundaryCounts c;
            Status status = Status::size_out_of_range;
            if (size.valid()) {
                status = counter.primary_of_counts(lengths + begin[i], begin[i + 1] - begin[i], size, c);
            }
            store(c, out);
            status_out[i] = static_cast<std::uint8_t>(status);
        }
    }
    return py::make_tuple(measured, statuses);
}

Int64 measure_dense(const py::array_t<std::uint8_t>& masks) {
    DenseMasks dense(masks);
    Int64 counts({static_cast<py::ssize_t>(dense.n()), py::ssize_t{3}});
    std::int64_t* out = counts.mutable_data();
    const py::gil_scoped_release unlocked;  // the caller holds the masks
    BoundaryCounter& counter = counter_of_this_thread();
    for (std::int64_t i = 0; i < dense.n(); ++i, out += 3) {
        store(dense.measure(i, counter), out);
    }
    return counts;
}

}  // namespace

void register_measuring(py::module_& m) {
    m.def("measure_batch", &measure_batch, py::arg("batch"), py::arg("convention"),
          py::arg("decoded").noconvert(), py::arg("decoded_offsets").noconvert(),
          py::arg("decoded_statuses").noconvert(),
          "Boundary counts of the primary contour of each instance of a batch whose compressed RLE have been "
          "decoded: (counts int64 [N, 3], statuses uint8 [N]).");
    m.def("measure_rle", &measure_rle, py::arg("counts").noconvert(), py::arg("offsets").noconvert(),
          py::arg("sizes").noconvert(),
          "Boundary counts of the primary contour of each RLE: (counts int64 [N, 3], statuses uint8 [N]).");
    m.def("measure_dense", &measure_dense, py::arg("masks").noconvert(),
          "Boundary counts of the primary contour of each mask [N, H, W]: int64 [N, 3].");
}

}  // namespace tfdp::python
