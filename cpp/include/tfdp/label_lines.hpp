#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tfdp {

/// The lines of label files of YOLO that hold something, as columns.
///
/// A line is *plain* if it is a class in digits and an even number of at least six decimal numbers from 0 to
/// 1, with nothing but blanks and tabs between them. What is wrong with another line, if anything, is not
/// said.
struct LabelLines {
    std::vector<std::int64_t> numbers;     ///< of the lines, from 1
    std::vector<std::int64_t> spans;       ///< begin and end of each line in its text
    std::vector<std::int64_t> classes;     ///< -1 where a line is not plain
    std::vector<std::int64_t> offsets{0};  ///< where the coordinates of each line begin, and the end
    std::vector<double> coordinates;       ///< rounded as by Python's float(); none of a line not plain

    /// Adds the lines of a text, which end as for Python's bytes.splitlines().
    void add(std::string_view text);

  private:
    /// Takes class and coordinates of a line if it is plain; -1 if not, and there may be coordinates too
    /// many.
    [[nodiscard]] std::int64_t take_plain(std::string_view line);
};

}  // namespace tfdp
