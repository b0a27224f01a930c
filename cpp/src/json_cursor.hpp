#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <system_error>
#include <vector>

#include "json_position.hpp"

namespace tfdp {

/// Reads JSON, and the few words that Python writes beyond it.
class JsonCursor : public JsonPosition {
  public:
    using JsonPosition::JsonPosition;
    using JsonPosition::take;

    /// Takes a word such as null.
    [[nodiscard]] bool take(std::string_view word) noexcept {
        (void)peek();
        if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, word.size()) != word) {
            return false;
        }
        at_ += word.size();
        return true;
    }

    /// Takes a number, correctly rounded as by Python's float(); also NaN, Infinity and -Infinity.
    [[nodiscard]] bool take_number(double& value) noexcept;

    /// Takes a number that is written without fraction and exponent and fits into 64 bits.
    [[nodiscard]] bool take_integer(std::int64_t& value) noexcept {
        (void)peek();
        const auto [stop, error] = std::from_chars(at_, end_, value);
        if (error != std::errc() || (stop != end_ && (*stop == '.' || *stop == 'e' || *stop == 'E'))) {
            return false;
        }
        at_ = stop;
        return true;
    }

    /// Takes a string and hands each of its characters, unescaped, to `put`; one beyond 255 is handed on as
    /// 255.
    template <class Put>
    [[nodiscard]] bool take_string(Put put);

    /// Takes a string and appends its characters, unescaped, to `text`: the same, for long ones.
    [[nodiscard]] bool take_string(std::vector<std::uint8_t>& text);

    /// Takes any value.
    [[nodiscard]] bool skip_value();

  private:
    [[nodiscard]] bool take_escape(std::uint32_t& c) noexcept;
};

inline bool JsonCursor::take_number(double& value) noexcept {
    (void)peek();
    // A number of at most 15 digits is the quotient of two doubles that are exact: it is rounded once.
    static constexpr double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                        1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const char* p = at_;
    const bool negative = p != end_ && *p == '-';
    p += negative ? 1 : 0;
    std::uint64_t digits = 0;  // of more than 15 it means nothing
    const auto take_digits = [&] {
        for (unsigned digit = 0; p != end_ && (digit = static_cast<unsigned>(*p) - '0') <= 9; ++p) {
            digits = digits * 10 + digit;
        }
    };
    const char* const first = p;
    take_digits();
    const bool whole_part = p != first;
    std::ptrdiff_t count = p - first;
    std::ptrdiff_t decimals = 0;
    if (p != end_ && *p == '.') {
        const char* const point = p++;
        take_digits();
        decimals = p - point - 1;
        count += decimals;
    }
    const bool ends =
        p == end_ || *p == ',' || *p == ']' || *p == ' ' || *p == '\n' || *p == '\r' || *p == '\t';
    if (whole_part && count <= 15 && ends) {
        const double magnitude = static_cast<double>(static_cast<std::int64_t>(digits)) / powers[decimals];
        value = negative ? -magnitude : magnitude;
        at_ = p;
        return true;
    }
    const auto [stop, error] = std::from_chars(at_, end_, value);
    if (whole_part && error == std::errc() && stop[-1] >= '0' && stop[-1] <= '9') {
        at_ = stop;
        return true;
    }
    if (whole_part && error == std::errc::result_out_of_range) {
        at_ = stop;
        value = std::numeric_limits<double>::infinity();  // refused as a coordinate, as 1e999 is in Python
        return true;
    }
    if (take("NaN") || take("Infinity") || take("-Infinity")) {
        value = std::numeric_limits<double>::quiet_NaN();
        return true;
    }
    return false;
}

template <class Put>
bool JsonCursor::take_string(Put put) {
    if (!take('"')) {
        return false;
    }
    while (at_ != end_) {
        std::uint32_t c = static_cast<unsigned char>(*at_++);
        if (c == '"') {
            return true;
        }
        if (c == '\\' && !take_escape(c)) {
            return false;
        }
        put(static_cast<std::uint8_t>(c < 255 ? c : 255));
    }
    return false;
}

inline bool JsonCursor::take_string(std::vector<std::uint8_t>& text) {
    if (!take('"')) {
        return false;
    }
    const auto find = [](char c, const char* begin, const char* end) {
        return static_cast<const char*>(std::memchr(begin, c, static_cast<std::size_t>(end - begin)));
    };
    const char* quote = nullptr;  // the next one, escaped or not
    while (at_ != end_) {
        if (quote == nullptr || quote < at_) {
            quote = find('"', at_, end_);
            if (quote == nullptr) {
                return false;
            }
        }
        const char* const escape = find('\\', at_, quote);
        const char* const stop = escape != nullptr ? escape : quote;
        text.insert(text.end(), at_, stop);
        at_ = stop + 1;
        if (escape == nullptr) {
            return true;
        }
        std::uint32_t c = 0;
        if (!take_escape(c)) {
            return false;
        }
        text.push_back(static_cast<std::uint8_t>(c < 255 ? c : 255));
    }
    return false;
}

inline bool JsonCursor::take_escape(std::uint32_t& c) noexcept {
    if (at_ == end_) {
        return false;
    }
    switch (*at_++) {
        case '"':
            c = '"';
            return true;
        case '\\':
            c = '\\';
            return true;
        case '/':
            c = '/';
            return true;
        case 'b':
            c = '\b';
            return true;
        case 'f':
            c = '\f';
            return true;
        case 'n':
            c = '\n';
            return true;
        case 'r':
            c = '\r';
            return true;
        case 't':
            c = '\t';
            return true;
        case 'u': {
            if (end_ - at_ < 4) {
                return false;
            }
            const auto [stop, error] = std::from_chars(at_, at_ + 4, c, 16);
            const bool whole = error == std::errc() && stop == at_ + 4;
            at_ += 4;
            return whole;
        }
        default:
            return false;
    }
}

inline bool JsonCursor::skip_value() {
    static constexpr char ends[] = " \n\r\t,:[]{}\"";
    constexpr std::string_view ends_word(ends, sizeof ends);  // with the final '\0'
    std::int64_t depth = 0;
    do {
        const char c = peek();
        if (c == '"') {
            if (!take_string([](std::uint8_t) {})) {
                return false;
            }
        } else if (c == '[' || c == '{') {
            ++depth;
            ++at_;
        } else if (depth > 0 && (c == ']' || c == '}' || c == ',' || c == ':')) {
            depth -= c == ']' || c == '}' ? 1 : 0;
            ++at_;
        } else {
            const char* const word = at_;
            while (at_ != end_ && ends_word.find(*at_) == std::string_view::npos) {
                ++at_;
            }
            if (at_ == word) {
                return false;
            }
        }
    } while (depth > 0);
    return true;
}

}  // namespace tfdp
