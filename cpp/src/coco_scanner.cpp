#include "tfdp/coco_scanner.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "strict_json.hpp"
#include "tfdp/status.hpp"

namespace tfdp {

namespace {

constexpr std::string_view list_names[] = {"images", "annotations", "categories"};

/// More keys than anybody has at the top level: they are compared with each other.
constexpr std::size_t max_keys = 256;

/// The keys that count in a record, of those that have been seen.
class Seen {
  public:
    /// Notes a key; false if it has been there before.
    [[nodiscard]] bool add(unsigned key) noexcept {
        const unsigned before = keys_;
        keys_ |= 1U << key;
        return keys_ != before;
    }
    [[nodiscard]] bool all(unsigned keys) const noexcept { return (keys_ & keys) == keys; }

  private:
    unsigned keys_ = 0;
};

/// Is a key the given one? Its length is known when this is compiled, so nothing is called.
template <std::size_t n>
bool is(std::string_view key, const char (&name)[n]) noexcept {
    return key.size() == n - 1 && std::memcmp(key.data(), name, n - 1) == 0;
}

/// Reads the members of an object. `take_value(key)` takes the value of a key, and sets `plain` to false if
/// it is not what it should be. Returns false if it is not JSON.
template <class TakeValue>
bool take_members(StrictJson& json, bool& plain, TakeValue take_value) {
    if (!json.take('{')) {
        plain = false;
        return json.skip_value();
    }
    if (json.take('}')) {
        return true;
    }
    do {
        std::string_view key;
        bool escaped = false;
        if (!json.take_string(key, escaped) || !json.take(':')) {
            return false;
        }
        plain = plain && !escaped;  // it might spell any key
        (void)json.peek();
        if (!take_value(key)) {
            return false;
        }
    } while (json.take(','));
    return json.take('}');
}

bool take_whole_number(StrictJson& json, std::int64_t& value, bool& plain) {
    if (json.take_integer(value)) {
        return true;
    }
    plain = false;
    return json.skip_value();
}

bool take_side(StrictJson& json, std::int32_t& side, bool& plain) {
    std::int64_t value = 0;
    const bool json_value = take_whole_number(json, value, plain);
    plain = plain && value >= 0 && value <= max_side;
    side = static_cast<std::int32_t>(std::clamp<std::int64_t>(value, 0, max_side));
    return json_value;
}

bool take_flag(StrictJson& json, std::uint8_t& flag, bool& plain) {
    std::int64_t value = 0;
    if (json.take_integer(value)) {
        flag = value != 0 ? 1 : 0;
        return true;
    }
    if (json.take_word("true")) {
        flag = 1;
        return true;
    }
    flag = 0;
    if (json.take_word("false") || json.take_word("null")) {
        return true;
    }
    plain = false;
    return json.skip_value();
}

/// Takes text or null.
bool take_text(StrictJson& json, std::string_view& text, bool& plain) {
    if (json.take_word("null")) {
        return true;
    }
    bool escaped = false;
    if (json.peek() == '"') {
        const bool whole = json.take_string(text, escaped);
        plain = plain && !escaped;
        return whole;
    }
    plain = false;
    return json.skip_value();
}

}  // namespace

CocoScanner::CocoScanner(std::string_view text) noexcept
    : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()) {}

CocoScanner::State CocoScanner::advance(std::int64_t until) {
    while (place_ != Place::end && offset() < until) {
        if (!step()) {
            at_ = end_;
            return State::refused;
        }
    }
    return place_ == Place::end ? State::complete : State::scanning;
}

bool CocoScanner::step() {
    switch (place_) {
        case Place::start: {
            StrictJson json({at_, static_cast<std::size_t>(end_ - at_)});
            if (!json.take('{')) {
                return false;
            }
            at_ = json.at();
            place_ = Place::top;
            return true;
        }
        case Place::top:
            return enter_value();
        case Place::images:
            return take_image() && leave_record();
        case Place::annotations:
            return take_annotation() && leave_record();
        case Place::end:
            break;
    }
    return false;
}

/// Takes a key of the top level, and its value if that is not a list whose records count.
bool CocoScanner::enter_value() {
    StrictJson json({at_, static_cast<std::size_t>(end_ - at_)});
    std::string_view key;
    bool escaped = false;
    if (!json.take_string(key, escaped) || escaped || !json.take(':') || keys_.size() == max_keys ||
        std::find(keys_.begin(), keys_.end(), key) != keys_.end()) {
        return false;
    }
    keys_.push_back(key);
    const auto* const name = std::find(std::begin(list_names), std::end(list_names), key);
    if (name == std::end(list_names)) {
        const bool whole = json.skip_value();
        at_ = json.at();
        return whole && leave_value();
    }
    if (json.peek() != '[') {
        return false;
    }
    Span& list = lists_[name - std::begin(list_names)];
    list.begin = json.at() - begin_;
    if (key == "categories") {
        const bool whole = json.skip_value();
        at_ = json.at();
        list.end = offset();
        return whole && leave_value();
    }
    const bool empty = json.take('[') && json.take(']');
    at_ = json.at();
    if (empty) {
        list.end = offset();
        return leave_value();
    }
    place_ = key == "images" ? Place::images : Place::annotations;
    return true;
}

/// Takes what comes after a value of the top level.
bool CocoScanner::leave_value() {
    StrictJson json({at_, static_cast<std::size_t>(end_ - at_)});
    if (json.take(',')) {
        at_ = json.at();
        place_ = Place::top;
        return true;
    }
    if (!json.take('}') || !json.at_end()) {
        return false;
    }
    at_ = end_;
    place_ = Place::end;
    return std::all_of(std::begin(lists_), std::end(lists_), [](Span list) { return list.begin >= 0; });
}

/// Takes what comes after a record.
bool CocoScanner::leave_record() {
    StrictJson json({at_, static_cast<std::size_t>(end_ - at_)});
    if (json.take(',')) {
        (void)json.peek();
        at_ = json.at();
        return true;
    }
    if (!json.take(']')) {
        return false;
    }
    at_ = json.at();
    lists_[place_ == Place::images ? 0 : 1].end = offset();
    return leave_value();
}

bool CocoScanner::take_image() {
    enum Key : unsigned { id, height, width, file_name, coco_url };
    StrictJson json({at_, static_cast<std::size_t>(end_ - at_)});
    (void)json.peek();
    at_ = json.at();
    const std::int64_t begin = offset();
    bool plain = true;
    Seen seen;
    std::int64_t image_id = 0;
    std::int32_t sides[2] = {0, 0};
    std::string_view name;
    const auto take_value = [&](std::string_view key) {
        if (is(key, "id")) {
            plain = plain && seen.add(id);
            return take_whole_number(json, image_id, plain);
        }
        if (is(key, "height") || is(key, "width")) {
            const Key side = is(key, "height") ? height : width;
            plain = plain && seen.add(side);
            return take_side(json, sides[side - height], plain);
        }
        if (is(key, "file_name")) {
            plain = plain && seen.add(file_name);
            return take_text(json, name, plain);
        }
        if (is(key, "coco_url")) {
            std::string_view url;
            plain = plain && seen.add(coco_url);
            return take_text(json, url, plain);
        }
        return json.skip_value(2);
    };
    if (!take_members(json, plain, take_value)) {
        return false;
    }
    at_ = json.at();
    // Without a name, the URL has one.
    const bool named = name.data() != nullptr;
    images_.plain = images_.plain && plain && seen.all(1U << id | 1U << height | 1U << width) && named;
    images_.records.push_back({begin, offset()});
    images_.ids.push_back(image_id);
    images_.sizes.insert(images_.sizes.end(), std::begin(sides), std::end(sides));
    const std::int64_t name_begin = named ? name.data() - begin_ : -1;
    images_.file_names.push_back(
        {name_begin, named ? name_begin + static_cast<std::int64_t>(name.size()) : -1});
    return true;
}

bool CocoScanner::take_annotation() {
    enum Key : unsigned { id, image_id, category_id, segmentation, iscrowd, ignore };
    StrictJson json({at_, static_cast<std::size_t>(end_ - at_)});
    (void)json.peek();
    at_ = json.at();
    const std::int64_t begin = offset();
    bool plain = true;
    Seen seen;
    std::int64_t ids[3] = {0, 0, 0};
    std::uint8_t crowd = 0;
    std::uint8_t ignored = 0;
    Span shape;
    const auto take_value = [&](std::string_view key) {
        if (is(key, "id")) {
            plain = plain && seen.add(id);
            return take_whole_number(json, ids[id], plain);
        }
        if (is(key, "image_id")) {
            plain = plain && seen.add(image_id);
            return take_whole_number(json, ids[image_id], plain);
        }
        if (is(key, "category_id")) {
            plain = plain && seen.add(category_id);
            return take_whole_number(json, ids[category_id], plain);
        }
        if (is(key, "segmentation")) {
            plain = plain && seen.add(segmentation);
            shape.begin = json.at() - begin_;
            const bool whole = json.skip_segmentation();
            shape.end = json.at() - begin_;
            return whole;
        }
        if (is(key, "iscrowd")) {
            plain = plain && seen.add(iscrowd);
            return take_flag(json, crowd, plain);
        }
        if (is(key, "ignore")) {
            plain = plain && seen.add(ignore);
            return take_flag(json, ignored, plain);
        }
        return json.skip_value(2);
    };
    if (!take_members(json, plain, take_value)) {
        return false;
    }
    at_ = json.at();
    constexpr unsigned needed = 1U << id | 1U << image_id | 1U << category_id | 1U << segmentation;
    annotations_.plain = annotations_.plain && plain && seen.all(needed);
    annotations_.records.push_back({begin, offset()});
    annotations_.segmentations.push_back(shape);
    annotations_.ids.push_back(ids[id]);
    annotations_.image_ids.push_back(ids[image_id]);
    annotations_.category_ids.push_back(ids[category_id]);
    annotations_.crowd.push_back(crowd);
    annotations_.ignored.push_back(ignored);
    return true;
}

}  // namespace tfdp
