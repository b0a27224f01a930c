#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tfdp/buffer.hpp"
#include "tfdp/lanes.hpp"
#include "tfdp/status.hpp"

namespace tfdp {

/// The direction of the lines along which a mask is cut into runs: COCO's RLE has a line per column, a
/// row-major array has a line per row. Straight steps, diagonal steps and the area do not change when x and
/// y are swapped, so nothing is ever transposed to be measured.
enum class Axis : std::uint8_t { column, row };

/// Foreground pixels begin, begin + 1, ..., end - 1 of one line.
struct Run {
    std::int32_t begin;
    std::int32_t end;
};

/// A mask as runs per line.
///
/// Lines first_line() .. first_line() + line_count() - 1 are stored, line by line; every other line is empty.
/// Within a line the runs are
///   - not empty: begin < end,
///   - ascending and maximal: end < next begin (at least one background pixel lies between them).
/// The first and the last stored line are not empty. A mask without foreground stores no line.
///
/// An object is a workspace: clear() keeps its memory.
class Runs {
  public:
    void clear(Axis axis) noexcept {
        axis_ = axis;
        first_line_ = 0;
        last_line_ = no_line;
        runs_.clear();
        line_begins_.clear();
    }

    /// Appends foreground pixels begin .. end - 1 of a line. Lines come in ascending order, and within a line
    /// begin is not before the end of what is there; a run that touches the last one extends it. An empty run
    /// is ignored.
    void append(std::int32_t line, std::int32_t begin, std::int32_t end) {
        if (begin >= end) {
            return;
        }
        if (line != last_line_) {
            begin_line(line);
        } else if (runs_.back().end == begin) {
            runs_.back().end = end;
            return;
        }
        runs_.push_back({begin, end});
    }

    class Appender;

    [[nodiscard]] Axis axis() const noexcept { return axis_; }
    [[nodiscard]] bool empty() const noexcept { return runs_.empty(); }
    [[nodiscard]] std::int32_t first_line() const noexcept { return first_line_; }
    [[nodiscard]] std::int64_t line_count() const noexcept { return line_begins_.size(); }
    [[nodiscard]] std::int64_t size() const noexcept { return runs_.size(); }
    [[nodiscard]] const Run* data() const noexcept { return runs_.data(); }

    /// Index of the first run of stored line i, 0 <= i <= line_count().
    [[nodiscard]] std::int64_t line_begin(std::int64_t i) const noexcept {
        return i < line_count() ? line_begins_[i] : size();
    }

    /// Is the pixel foreground? Both coordinates may lie outside the image. O(log runs of the line).
    [[nodiscard]] bool contains(std::int32_t x, std::int32_t y) const noexcept;

    /// Number of foreground pixels.
    [[nodiscard]] std::int64_t pixels() const noexcept;

  private:
    friend Status runs_from_counts(const std::uint32_t* counts, std::int64_t n, Size size, Runs& runs);

    static constexpr std::int32_t no_line = -1;

    /// What append() would do, for run lengths that fill an image that has pixels.
    void assign_counts(const std::uint32_t* counts, std::int64_t n, Size size);

    void begin_line(std::int32_t line) {
        if (last_line_ == no_line) {
            first_line_ = line;
            last_line_ = line - 1;
        }
        for (; last_line_ < line; ++last_line_) {
            line_begins_.push_back(runs_.size());
        }
    }

    Axis axis_ = Axis::column;
    std::int32_t first_line_ = 0;
    std::int32_t last_line_ = no_line;
    Buffer<Run> runs_;
    Buffer<std::int64_t> line_begins_;
};

/// Does what append() does, faster: how many runs and lines there can be is known beforehand, and where the
/// next one goes stays in registers. The Runs are empty before and not to be looked at until this is
/// destroyed.
class Runs::Appender {
  public:
    Appender(Runs& runs, std::int64_t max_runs, std::int64_t max_lines)
        : runs_(runs),
          first_run_(runs.runs_.room_for(max_runs + 1)),
          run_(first_run_),
          line_begin_(runs.line_begins_.room_for(max_lines)) {}
    ~Appender() {
        runs_.last_line_ = last_line_;
        runs_.runs_.end_at(run_);
        runs_.line_begins_.end_at(line_begin_);
    }
    Appender(const Appender&) = delete;
    Appender& operator=(const Appender&) = delete;

    void append(std::int32_t line, std::int32_t begin, std::int32_t end) noexcept {
        if (begin >= end) {
            return;
        }
        if (line != last_line_) {
            begin_line(line);
        } else if (run_[-1].end == begin) {
            run_[-1].end = end;
            return;
        }
        *run_++ = {begin, end};
    }

    /// One run in each of the lines first .. first + n - 1, none of which is in use yet. two_at(i) gives
    /// those of first + i and first + i + 1, neither of them empty.
    template <class TwoAt>
    void append_lines(std::int32_t first, std::int32_t n, TwoAt two_at) noexcept {
        begin_line(first);
        for (std::int32_t i = 1; i < n; ++i) {
            *line_begin_++ = run_ - first_run_ + i;
        }
        for (std::int32_t i = 0; i < n; i += 2) {
            store(run_ + i, two_at(i));
        }
        last_line_ += n - 1;
        run_ += n;
    }

  private:
    void begin_line(std::int32_t line) noexcept {
        if (last_line_ == no_line) {
            runs_.first_line_ = line;
            last_line_ = line - 1;
        }
        for (; last_line_ < line; ++last_line_) {
            *line_begin_++ = run_ - first_run_;
        }
    }

    Runs& runs_;
    Run* first_run_;
    Run* run_;
    std::int64_t* line_begin_;
    std::int32_t last_line_ = no_line;
};

/// COCO's run lengths (background first, column-major, alternating) to runs per column. Runs of length 0 are
/// legal anywhere. Nothing of `runs` is to be used unless the result is Status::ok.
[[nodiscard]] Status runs_from_counts(const std::uint32_t* counts, std::int64_t n, Size size, Runs& runs);

/// Runs of either axis to COCO's canonical run lengths: no run except the first has length 0. Fails with
/// Status::rle_count_out_of_range for an image of 2^32 pixels or more: COCO's counts have 32 bits.
[[nodiscard]] Status counts_from_runs(const Runs& runs, Size size, std::vector<std::uint32_t>& counts);

/// A dense mask in which any byte other than 0 is foreground. Consecutive pixels of a line are adjacent in
/// memory; consecutive lines are line_stride bytes apart. With axis column a line is a column (Fortran
/// order).
void runs_from_dense(const std::uint8_t* mask, std::ptrdiff_t line_stride, Size size, Axis axis, Runs& runs);

/// The same mask cut along the other axis. The cost grows with the runs of both.
void transpose(const Runs& runs, Runs& transposed);

}  // namespace tfdp
