#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "tfdp/buffer.hpp"
#include "tfdp/runs.hpp"

namespace tfdp {

/// A label map (each pixel holds the number of its instance) as the row runs of each label, made in one pass
/// over the pixels. One object per thread; its memory is reused.
class LabelRuns {
  public:
    /// T is any integer type whose values fit into 64 signed bits. Rows are row_stride bytes apart, the
    /// pixels of a row are adjacent. Pixels of the background label belong to no instance.
    template <class T>
    void read(const T* labels, std::ptrdiff_t row_stride, Size size, std::int64_t background);

    /// The labels that occur, ascending.
    [[nodiscard]] const std::vector<std::int64_t>& labels() const noexcept { return labels_; }

    /// The mask of labels()[i].
    void runs_of(std::int64_t i, Runs& runs) const;

  private:
    struct RowRun {
        std::int32_t row;
        Run run;
    };

    struct ReadRun {
        std::size_t index;
        RowRun run;
    };

    [[nodiscard]] std::size_t index_of(std::int64_t label);
    void sort_by_label();

    std::vector<std::int64_t> labels_;
    std::vector<std::int64_t> begins_;  // by label: its first row run
    std::vector<RowRun> row_runs_;      // by label, then in raster order
    // While reading: labels by their first occurrence.
    std::unordered_map<std::int64_t, std::size_t> indices_;
    std::vector<std::int64_t> seen_;
    Buffer<ReadRun> read_;
};

}  // namespace tfdp
