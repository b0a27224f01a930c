#pragma once

#include <cstdint>

#include "tfdp/buffer.hpp"
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
    [[nodiscard]] Run* room_for(std::int64_t n);
    void end_at(Run* end);

    Buffer<Run> runs_;
    std::int64_t size_ = 0;
    std::int32_t line_length_ = 1;
};

}  // namespace tfdp
