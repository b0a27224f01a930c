#include "tfdp/segmentation.hpp"

namespace tfdp {

namespace {

bool known(Size size) noexcept {
    return size.height != unknown_size.height || size.width != unknown_size.width;
}

bool same(Size a, Size b) noexcept {
    return a.height == b.height && a.width == b.width;
}

}  // namespace

void SegmentationBatch::finish(SegmentationKind kind, Size own, Size image) {
    const Size size = known(image) ? image : own;
    if (kind != SegmentationKind::empty) {
        if (!known(size)) {
            return fail(Status::size_missing);
        }
        if (known(own) && !same(own, size)) {
            return fail(Status::size_mismatch);
        }
        if (!size.valid()) {
            return fail(Status::size_out_of_range);
        }
    }
    switch (kind) {
        case SegmentationKind::empty:
            break;
        case SegmentationKind::polygons:
            instance_offsets.push_back(static_cast<std::int64_t>(polygon_offsets.size()) - 1);
            break;
        case SegmentationKind::compressed_rle:
            text_offsets.push_back(static_cast<std::int64_t>(text.size()));
            break;
        case SegmentationKind::rle:
            counts_offsets.push_back(static_cast<std::int64_t>(counts.size()));
            break;
    }
    kinds.push_back(static_cast<std::uint8_t>(kind));
    statuses.push_back(static_cast<std::uint8_t>(Status::ok));
    sizes.push_back(size.height);
    sizes.push_back(size.width);
}

void SegmentationBatch::fail(Status status) {
    polygon_offsets.resize(static_cast<std::size_t>(instance_offsets.back()) + 1);
    coordinates.resize(static_cast<std::size_t>(polygon_offsets.back()));
    text.resize(static_cast<std::size_t>(text_offsets.back()));
    counts.resize(static_cast<std::size_t>(counts_offsets.back()));
    kinds.push_back(static_cast<std::uint8_t>(SegmentationKind::empty));
    statuses.push_back(static_cast<std::uint8_t>(status));
    sizes.push_back(0);
    sizes.push_back(0);
}

}  // namespace tfdp
