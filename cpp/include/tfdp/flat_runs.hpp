#pragma once

#include <algorithm>
#include <cstdint>

#include "tfdp/buffer.hpp"
#include "tfdp/lanes.hpp"
#include "tfdp/runs.hpp"
#include "tfdp/status.hpp"

namespace tfdp {

/// The runs of a mask in one array, without saying where lines begin: a run in line i (0, 1, 2, ...) begins
/// and ends at its position in the line plus i * line_length().
///
/// The runs are ascending, and at least one pixel of background lies between two in the same line. Behind the
/// last one there are `padding` more that lie beyond every line. All numbers are small enough that
/// line_length may be added to them a few times. This is COCO's RLE with its lengths added up; there, and
/// only there, a run may reach into the lines that follow.
///
/// An object is a workspace: assigning keeps its memory.
class FlatRuns {
  public:
    static constexpr std::int64_t max_pixels = std::int64_t{1} << 28;
    static constexpr std::int64_t padding = 8;

    /// No runs, in lines of a length from 1 to max_pixels - 1.
    void clear(std::int32_t line_length) {
        line_length_ = line_length;
        end_at(room_for(0));
    }

    class Appender;

    /// False if it does not fit: nothing of the object is to be used then.
    [[nodiscard]] bool assign(const Runs& runs);

    /// From COCO's run lengths. False if they do not fit, do not fill the image, or if a length other than
    /// the first one is 0.
    [[nodiscard]] bool assign_counts(const std::uint32_t* counts, std::int64_t n, Size size);

    [[nodiscard]] std::int64_t size() const noexcept { return size_; }
    [[nodiscard]] const Run* begin() const noexcept { return runs_.data(); }
    [[nodiscard]] const Run* end() const noexcept { return runs_.data() + size_; }
    [[nodiscard]] std::int32_t line_length() const noexcept { return line_length_; }

  private:
    static constexpr std::int32_t beyond = 1 << 30;

    [[nodiscard]] Run* room_for(std::int64_t n) {
        runs_.clear();
        return runs_.room_for(n + padding);
    }
    void end_at(Run* end) {
        std::fill_n(end, padding, Run{beyond, beyond});
        size_ = end - runs_.data();
    }

    Buffer<Run> runs_;
    std::int64_t size_ = 0;
    std::int32_t line_length_ = 1;
};

/// Appends runs, as Runs::Appender does, to FlatRuns that were cleared for an image of less than max_pixels.
class FlatRuns::Appender {
  public:
    Appender(FlatRuns& flat, std::int64_t max_runs, std::int64_t /*max_lines*/)
        : flat_(flat), length_(flat.line_length_), run_(flat.room_for(max_runs)) {}
    ~Appender() { flat_.end_at(run_); }
    Appender(const Appender&) = delete;
    Appender& operator=(const Appender&) = delete;

    void append(std::int32_t line, std::int32_t begin, std::int32_t end) noexcept {
        if (begin >= end) {
            return;
        }
        const std::int32_t top = line * length_;
        if (line == last_line_ && run_[-1].end == top + begin) {
            run_[-1].end = top + end;
            return;
        }
        last_line_ = line;
        *run_++ = {top + begin, top + end};
    }

    /// One run in each of the lines first .. first + n - 1, none of which is in use yet. two_at(i) gives
    /// those of first + i and first + i + 1, neither of them empty.
    template <class TwoAt>
    void append_lines(std::int32_t first, std::int32_t n, TwoAt two_at) noexcept {
        const std::int32_t top = first * length_;
        Lanes tops{top, top, top + length_, top + length_};
        for (std::int32_t i = 0; i < n; i += 2) {
            store(run_ + i, two_at(i) + tops);
            tops += 2 * length_;
        }
        run_ += n;
        last_line_ = first + n - 1;
    }

  private:
    FlatRuns& flat_;
    std::int32_t length_;
    Run* run_;
    std::int32_t last_line_ = -1;
};

}  // namespace tfdp
