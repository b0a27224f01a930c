#include "tfdp/label_lines.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <system_error>

#include "json_cursor.hpp"

namespace tfdp {

namespace {

constexpr std::size_t fewest_coordinates = 6;

/// What separates the words of a line for Python's bytes.split(). The last two are not plain.
constexpr std::string_view white_space = " \t\v\f";

bool is_blank(char c) noexcept {
    return c == ' ' || c == '\t';
}

}  // namespace

void LabelLines::add(std::string_view text) {
    std::int64_t number = 0;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find_first_of("\r\n", begin), text.size());
        const std::string_view line = text.substr(begin, end - begin);
        ++number;
        if (line.find_first_not_of(white_space) != std::string_view::npos) {
            numbers.push_back(number);
            spans.push_back(static_cast<std::int64_t>(begin));
            spans.push_back(static_cast<std::int64_t>(end));
            classes.push_back(take_plain(line));
            if (classes.back() < 0) {
                coordinates.resize(static_cast<std::size_t>(offsets.back()));
            }
            offsets.push_back(static_cast<std::int64_t>(coordinates.size()));
        }
        begin = end + (text.substr(end, 2) == "\r\n" ? 2 : 1);
    }
}

std::int64_t LabelLines::take_plain(std::string_view line) {
    const char* const end = line.data() + line.size();
    const char* at = line.data();
    const auto skip_blanks = [&] {
        while (at != end && is_blank(*at)) {
            ++at;
        }
    };
    skip_blanks();
    std::int64_t number = -1;
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc() || *at == '-') {
        return -1;
    }
    const std::size_t before = coordinates.size();
    at = stop;
    while (at != end) {
        if (!is_blank(*at)) {
            return -1;
        }
        skip_blanks();
        if (at == end) {
            break;
        }
        JsonCursor cursor(std::string_view(at, static_cast<std::size_t>(end - at)));
        double value = 0;
        if (!cursor.take_number(value) || !(value >= 0 && value <= 1)) {  // false of NaN
            return -1;
        }
        coordinates.push_back(value);
        at = cursor.at();
    }
    const std::size_t n = coordinates.size() - before;
    return n >= fewest_coordinates && n % 2 == 0 ? number : -1;
}

}  // namespace tfdp
