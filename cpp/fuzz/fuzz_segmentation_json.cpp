// Any text is read as a segmentation and, if it is one, measured.

#include <cstddef>
#include <cstdint>

#include "tfdp/boundary.hpp"
#include "tfdp/polygon.hpp"
#include "tfdp/segmentation.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    tfdp::SegmentationBatch batch;
    const tfdp::Size image{32, 48};
    tfdp::append_json({reinterpret_cast<const char*>(data), size}, image, batch);
    tfdp::PolygonFiller filler;
    tfdp::BoundaryCounter counter;
    tfdp::Runs runs;
    for (std::size_t i = 0; i + 1 < batch.instance_offsets.size(); ++i) {
        for (const auto convention : {tfdp::FillConvention::coco, tfdp::FillConvention::opencv}) {
            const tfdp::Status status = filler.fill(batch.coordinates.data(), batch.polygon_offsets.data(),
                                                    batch.instance_offsets[i + 1], image, convention, runs);
            if (status == tfdp::Status::ok) {
                (void)counter.primary(runs);
            }
        }
    }
    return 0;
}
