// Any text is scanned as a COCO file, in one go and in steps. What is accepted must be JSON all through.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tfdp/coco_scanner.hpp"
#include "tfdp/segmentation.hpp"

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

std::string_view piece(std::string_view text, const tfdp::Span& span) {
    const auto size = static_cast<std::int64_t>(text.size());
    require(span.begin >= 0 && span.begin < span.end && span.end <= size);
    return text.substr(static_cast<std::size_t>(span.begin), static_cast<std::size_t>(span.end - span.begin));
}

bool same(const tfdp::Span& a, const tfdp::Span& b) {
    return a.begin == b.begin && a.end == b.end;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using State = tfdp::CocoScanner::State;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto end = static_cast<std::int64_t>(size);
    tfdp::CocoScanner whole(text);
    tfdp::CocoScanner steps(text);
    const State state = whole.advance(end + 1);
    State in_steps = State::scanning;
    for (std::int64_t at = 0; at <= end + 8 && in_steps == State::scanning; at += 7) {
        in_steps = steps.advance(at);
    }
    require((state == State::complete) == (in_steps == State::complete));
    if (state != State::complete) {
        return 0;
    }
    const tfdp::AnnotationColumns& annotations = whole.annotations();
    require(annotations.ids == steps.annotations().ids && annotations.plain == steps.annotations().plain);
    for (std::size_t i = 0; i < annotations.records.size(); ++i) {
        require(same(annotations.records[i], steps.annotations().records[i]));
        (void)piece(text, annotations.records[i]);
        if (annotations.plain) {
            tfdp::SegmentationBatch batch;
            tfdp::append_json(piece(text, annotations.segmentations[i]), {32, 48}, batch);
            require(batch.statuses[0] != static_cast<std::uint8_t>(tfdp::Status::json_malformed));
        }
    }
    for (std::size_t i = 0; i < whole.images().records.size(); ++i) {
        require(piece(text, whole.images().records[i]).front() == '{' || !whole.images().plain);
    }
    for (std::size_t i = 0; i < 3; ++i) {
        const std::string_view list = piece(text, whole.list(i));
        require(list.front() == '[' && list.back() == ']' && same(whole.list(i), steps.list(i)));
    }
    return 0;
}
