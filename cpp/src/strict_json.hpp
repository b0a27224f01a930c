#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <system_error>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "json_position.hpp"
#include "polygon_text.hpp"

namespace tfdp {

/// A position in a text that passes over nothing but JSON as RFC 8259 defines it: what a strict parser would
/// refuse, it refuses as well. Values stay as they are in the text. What is nested deeper than `max_depth`
/// is refused too.
///
/// A function that returns false leaves the position anywhere.
class StrictJson : public JsonPosition {
  public:
    static constexpr int max_depth = 64;

    using JsonPosition::JsonPosition;

    /// Takes a string; `inside` is what stands between its quotes, `escaped` whether a backslash does.
    [[nodiscard]] bool take_string(std::string_view& inside, bool& escaped) noexcept;

    /// Takes a number that is written without fraction and exponent and fits into 64 bits. If there is
    /// another value, nothing is taken.
    [[nodiscard]] bool take_integer(std::int64_t& value) noexcept;

    /// Takes true, false or null. If there is another value, nothing is taken.
    template <std::size_t n>
    [[nodiscard]] bool take_word(const char (&word)[n]) noexcept {
        if (static_cast<std::size_t>(end_ - at_) < n - 1 || std::memcmp(at_, word, n - 1) != 0) {
            return false;
        }
        at_ += n - 1;
        return true;
    }

    /// Takes any value.
    [[nodiscard]] bool skip_value(int depth = 0) noexcept;

    /// Takes any value, quickly if it is a list of polygons.
    [[nodiscard]] bool skip_segmentation() noexcept {
        if (peek() == '[') {
            if (const char* const stop = end_of_polygons(at_, end_); stop != nullptr) {
                at_ = stop;
                return true;
            }
        }
        return skip_value();
    }

  private:
    [[nodiscard]] bool skip_escape() noexcept;
    [[nodiscard]] bool skip_utf8() noexcept;
    [[nodiscard]] bool skip_number() noexcept;
    [[nodiscard]] bool skip_digits() noexcept;
    [[nodiscard]] bool take_unit(unsigned& unit) noexcept;
};

inline bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

inline bool StrictJson::take_string(std::string_view& inside, bool& escaped) noexcept {
    if (!take('"')) {
        return false;
    }
    const char* const begin = at_;
    escaped = false;
    while (true) {
#if defined(__SSE2__)
        while (end_ - at_ >= 16) {
            const __m128i c = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at_));
            // Below a space are, as signed numbers, control characters and all that is not ASCII.
            const __m128i special = _mm_or_si128(
                _mm_or_si128(_mm_cmpeq_epi8(c, _mm_set1_epi8('"')), _mm_cmpeq_epi8(c, _mm_set1_epi8('\\'))),
                _mm_cmplt_epi8(c, _mm_set1_epi8(' ')));
            const int found = _mm_movemask_epi8(special);
            if (found != 0) {
                at_ += lowest_bit(static_cast<std::uint64_t>(found));
                break;
            }
            at_ += 16;
        }
#endif
        if (at_ == end_) {
            return false;
        }
        const auto c = static_cast<unsigned char>(*at_);
        if (c == '"') {
            inside = {begin, static_cast<std::size_t>(at_ - begin)};
            ++at_;
            return true;
        }
        if (c == '\\') {
            escaped = true;
            if (!skip_escape()) {
                return false;
            }
        } else if (c < 0x20 || (c >= 0x80 && !skip_utf8())) {
            return false;
        } else if (c < 0x80) {
            ++at_;
        }
    }
}

inline bool StrictJson::take_integer(std::int64_t& value) noexcept {
    const char* const digits = at_ + (at_ != end_ && *at_ == '-' ? 1 : 0);
    if (end_ - digits >= 2 && digits[0] == '0' && is_digit(digits[1])) {
        return false;
    }
    const auto [stop, error] = std::from_chars(at_, end_, value);
    if (error != std::errc() || (stop != end_ && (*stop == '.' || *stop == 'e' || *stop == 'E'))) {
        return false;
    }
    at_ = stop;
    return true;
}

inline bool StrictJson::skip_value(int depth) noexcept {
    const char c = peek();
    if (c == '"') {
        std::string_view inside;
        bool escaped = false;
        return take_string(inside, escaped);
    }
    if (c != '[' && c != '{') {
        return take_word("true") || take_word("false") || take_word("null") || skip_number();
    }
    if (depth == max_depth) {
        return false;
    }
    if (c == '[' && end_ - at_ > 1 && (is_digit(at_[1]) || at_[1] == '-')) {
        if (const char* const stop = end_of_numbers(at_, end_); stop != nullptr) {
            at_ = stop;
            return true;
        }
    }
    ++at_;
    const char closing = c == '[' ? ']' : '}';
    if (take(closing)) {
        return true;
    }
    do {
        if (c == '{') {
            std::string_view key;
            bool escaped = false;
            if (!take_string(key, escaped) || !take(':')) {
                return false;
            }
        }
        if (!skip_value(depth + 1)) {
            return false;
        }
    } while (take(','));
    return take(closing);
}

inline bool StrictJson::skip_digits() noexcept {
    const char* const begin = at_;
    while (at_ != end_ && is_digit(*at_)) {
        ++at_;
    }
    return at_ != begin;
}

inline bool StrictJson::skip_number() noexcept {
    if (at_ != end_ && *at_ == '-') {
        ++at_;
    }
    const char* const first = at_;
    if (!skip_digits() || (*first == '0' && at_ - first > 1)) {
        return false;
    }
    if (at_ != end_ && *at_ == '.') {
        ++at_;
        if (!skip_digits()) {
            return false;
        }
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
        ++at_;
        if (at_ != end_ && (*at_ == '+' || *at_ == '-')) {
            ++at_;
        }
        return skip_digits();
    }
    return true;
}

/// Takes the four digits after \u.
inline bool StrictJson::take_unit(unsigned& unit) noexcept {
    if (end_ - at_ < 4 || *at_ == '-') {
        return false;
    }
    const auto [stop, error] = std::from_chars(at_, at_ + 4, unit, 16);
    at_ += 4;
    return error == std::errc() && stop == at_;
}

inline bool StrictJson::skip_escape() noexcept {
    if (end_ - at_ < 2) {
        return false;
    }
    const char c = at_[1];
    at_ += 2;
    if (c != 'u') {
        return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    }
    unsigned unit = 0;
    if (!take_unit(unit)) {
        return false;
    }
    if (unit < 0xD800 || unit > 0xDFFF) {
        return true;
    }
    // A character beyond 16 bits is a pair of surrogates; one alone is no character.
    unsigned second = 0;
    if (unit > 0xDBFF || end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') {
        return false;
    }
    at_ += 2;
    return take_unit(second) && second >= 0xDC00 && second <= 0xDFFF;
}

inline bool StrictJson::skip_utf8() noexcept {
    const auto byte = [this](std::ptrdiff_t i) {
        return i < end_ - at_ ? static_cast<unsigned char>(at_[i]) : 0U;
    };
    const unsigned c = byte(0);
    // The second byte is what excludes surrogates, overlong forms and what is beyond U+10FFFF.
    const unsigned low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    const unsigned high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    const std::ptrdiff_t length = c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
    if (length == 0 || byte(1) < low || byte(1) > high) {
        return false;
    }
    for (std::ptrdiff_t i = 2; i < length; ++i) {
        if (byte(i) < 0x80 || byte(i) > 0xBF) {
            return false;
        }
    }
    at_ += length;
    return true;
}

}  // namespace tfdp
