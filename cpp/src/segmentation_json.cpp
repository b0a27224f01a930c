#include <limits>

#include "json_cursor.hpp"
#include "tfdp/segmentation.hpp"

namespace tfdp {

namespace {

/// Takes a list whose elements `take_element` takes. Any status but ok ends the list.
template <class TakeElement>
Status take_list(JsonCursor& json, TakeElement take_element) {
    if (!json.take('[')) {
        return Status::segmentation_type;
    }
    if (json.take(']')) {
        return Status::ok;
    }
    do {
        const Status status = take_element();
        if (status != Status::ok) {
            return status;
        }
    } while (json.take(','));
    return json.take(']') ? Status::ok : Status::json_malformed;
}

Status take_polygon(JsonCursor& json, SegmentationBatch& batch) {
    const Status status = take_list(json, [&] {
        double coordinate = 0;
        if (!json.take_number(coordinate)) {
            return Status::segmentation_type;
        }
        batch.coordinates.push_back(coordinate);
        return Status::ok;
    });
    batch.polygon_offsets.push_back(static_cast<std::int64_t>(batch.coordinates.size()));
    return status;
}

Status take_counts(JsonCursor& json, SegmentationBatch& batch, SegmentationKind& kind) {
    if (json.peek() == '"') {
        kind = SegmentationKind::compressed_rle;
        return json.take_string(batch.text) ? Status::ok : Status::json_malformed;
    }
    if (json.peek() != '[') {
        return Status::rle_counts_type;
    }
    kind = SegmentationKind::rle;
    return take_list(json, [&] {
        std::int64_t count = 0;
        if (!json.take_integer(count)) {
            return Status::rle_counts_type;
        }
        if (count < 0 || count > std::numeric_limits<std::uint32_t>::max()) {
            return Status::rle_count_out_of_range;
        }
        batch.counts.push_back(static_cast<std::uint32_t>(count));
        return Status::ok;
    });
}

Status take_size(JsonCursor& json, Size& size) {
    std::int64_t sides[2] = {0, 0};
    std::size_t n = 0;
    const Status status = take_list(json, [&] {
        if (n == 2 || !json.take_integer(sides[n])) {
            return Status::segmentation_type;
        }
        const bool in_range = sides[n] >= 0 && sides[n] <= max_side;
        ++n;
        return in_range ? Status::ok : Status::size_out_of_range;
    });
    size = {static_cast<std::int32_t>(sides[0]), static_cast<std::int32_t>(sides[1])};
    return status != Status::ok || n == 2 ? status : Status::segmentation_type;
}

/// A key of an object, cut off after more characters than any key that matters has.
class Key {
  public:
    void put(std::uint8_t c) noexcept {
        if (length_ < sizeof characters_) {
            characters_[length_++] = static_cast<char>(c);
        }
    }
    [[nodiscard]] std::string_view text() const noexcept { return {characters_, length_}; }

  private:
    char characters_[8] = {};
    std::size_t length_ = 0;
};

/// Where JSON allows a key twice, the last one counts, as in Python.
Status take_rle(JsonCursor& json, SegmentationBatch& batch, SegmentationKind& kind, Size& size) {
    kind = SegmentationKind::empty;
    do {
        Key key;
        if (!json.take_string([&](std::uint8_t c) { key.put(c); }) || !json.take(':')) {
            return Status::json_malformed;
        }
        Status status = Status::ok;
        if (key.text() == "size") {
            status = take_size(json, size);
        } else if (key.text() == "counts") {
            batch.text.resize(static_cast<std::size_t>(batch.text_offsets.back()));
            batch.counts.resize(static_cast<std::size_t>(batch.counts_offsets.back()));
            status = take_counts(json, batch, kind);
        } else if (!json.skip_value()) {
            status = Status::json_malformed;
        }
        if (status != Status::ok) {
            return status;
        }
    } while (json.take(','));
    if (!json.take('}')) {
        return Status::json_malformed;
    }
    return kind == SegmentationKind::empty ? Status::segmentation_type : Status::ok;
}

}  // namespace

void append_json(std::string_view text, Size image, SegmentationBatch& batch) {
    JsonCursor json(text);
    SegmentationKind kind = SegmentationKind::empty;
    Size own = unknown_size;
    Status status = Status::ok;
    if (json.take('{')) {
        status = json.peek() == '}' ? Status::segmentation_type : take_rle(json, batch, kind, own);
    } else if (!json.take("null")) {
        std::int64_t polygons = 0;
        status = take_list(json, [&] {
            ++polygons;
            return take_polygon(json, batch);
        });
        kind = polygons > 0 ? SegmentationKind::polygons : SegmentationKind::empty;
    }
    if (status == Status::ok && !json.at_end()) {
        status = Status::json_malformed;
    }
    if (status == Status::ok) {
        batch.finish(kind, own, image);
    } else {
        batch.fail(status);
    }
}

}  // namespace tfdp
