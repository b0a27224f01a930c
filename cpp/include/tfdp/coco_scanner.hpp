#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tfdp {

/// Where a piece of a text begins and ends, in bytes.
struct Span {
    std::int64_t begin = -1;
    std::int64_t end = -1;
};

/// The records of "images", as columns.
struct ImageColumns {
    std::vector<Span> records;
    std::vector<std::int64_t> ids;
    std::vector<std::int32_t> sizes;  ///< height, width
    std::vector<Span> file_names;     ///< between the quotes; -1, -1 where there is none
    bool plain = true;
};

/// The records of "annotations", as columns.
struct AnnotationColumns {
    std::vector<Span> records;
    std::vector<Span> segmentations;
    std::vector<std::int64_t> ids;
    std::vector<std::int64_t> image_ids;
    std::vector<std::int64_t> category_ids;
    std::vector<std::uint8_t> crowd;
    std::vector<std::uint8_t> ignored;
    bool plain = true;
};

/// Reads the records of a COCO data set from JSON text in one pass, and checks the grammar of all of it.
///
/// It accepts only what is plainly good, and leaves the rest to a reader that can say what is wrong. The text
/// is refused if it is not strict JSON (RFC 8259) with each of "images", "annotations" and "categories" once
/// at the top level, all arrays; also for what may well be good, such as a key with an escape there, or
/// values nested too deeply. A list is plain if all of its records have what they need, as whole numbers of
/// 64 bits, and no key that counts twice. Of a list that is not plain only the spans of its records count.
class CocoScanner {
  public:
    /// The text has to live as long as there is something left of it.
    explicit CocoScanner(std::string_view text) noexcept;

    enum class State : std::uint8_t { scanning, complete, refused };

    /// Goes on until everything before the given position has been read, or to the end of the record, or of
    /// the value at the top level, that lies there.
    State advance(std::int64_t until);

    [[nodiscard]] const ImageColumns& images() const noexcept { return images_; }
    [[nodiscard]] const AnnotationColumns& annotations() const noexcept { return annotations_; }

    /// The lists with their brackets: images, annotations, categories.
    [[nodiscard]] const Span& list(std::size_t which) const noexcept { return lists_[which]; }

  private:
    enum class Place : std::uint8_t { start, images, annotations, top, end };

    [[nodiscard]] bool step();
    [[nodiscard]] bool enter_value();
    [[nodiscard]] bool leave_value();
    [[nodiscard]] bool leave_record();
    [[nodiscard]] bool take_image();
    [[nodiscard]] bool take_annotation();
    [[nodiscard]] std::int64_t offset() const noexcept { return at_ - begin_; }

    const char* begin_;
    const char* at_;
    const char* end_;
    Place place_ = Place::start;
    std::vector<std::string_view> keys_;
    Span lists_[3];
    ImageColumns images_;
    AnnotationColumns annotations_;
};

}  // namespace tfdp
