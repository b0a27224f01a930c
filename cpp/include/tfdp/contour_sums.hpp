#pragma once

#include <cstdint>

#include "tfdp/boundary_counts.hpp"
#include "tfdp/buffer.hpp"
#include "tfdp/flat_runs.hpp"

namespace tfdp {

/// Counts the boundaries of all contours of a mask, outer ones and those of holes, in one pass over its runs.
///
/// From line to line a contour goes along the begins and ends of runs, its *sides*. Where runs of adjacent
/// lines touch one to one, each side goes on as it is. Elsewhere a run starts or stops, or parts into
/// several, or several come together; there, a chain of sides begins, or two chains are joined. All chains
/// that are joined in the end are one contour. An outer one has area2 >= 0, a hole's area2 < 0, so the
/// primary contour is the one of the largest area2: nothing has to be filled, and what lies in a hole
/// encloses less than what is around the hole.
///
/// One object per thread; its memory is reused.
class ContourSums {
  public:
    /// Of the primary contour; all zero for an empty mask. False if this cannot tell: a run reaches beyond
    /// its line, or several contours enclose the largest area and differ.
    [[nodiscard]] bool primary(const FlatRuns& runs, BoundaryCounts& counts);

  private:
    /// What is summed over some steps of a contour from line to line. A step by d moves a side d pixels along
    /// the line, which takes |d| - 1 straight steps and a diagonal one, or one straight step if d is 0.
    struct Chain {
        std::uint32_t moved;      ///< sum of |d|
        std::uint32_t unmoved;    ///< how often d was 0
        std::uint32_t positions;  ///< of both ends of each step: ends less begins, modulo 2^32
        std::uint32_t steps;
    };

    struct ChainLanes;

    [[nodiscard]] static Chain around_gap(std::int32_t n) noexcept;
    [[nodiscard]] static BoundaryCounts counts_of(const Chain& chain) noexcept;
    void go_on(const Run* before, const Run* now, const Run* next) noexcept;
    void follow_one() noexcept;
    template <int n>
    void follow() noexcept;
    void start(Run run, std::int32_t* sides) noexcept;
    void stop(Run run, const std::int32_t* sides) noexcept;
    std::int32_t add_chain(Chain chain) noexcept;
    void join(std::int32_t a, std::int32_t b) noexcept;
    [[nodiscard]] std::int32_t root(std::int32_t chain) noexcept;
    [[nodiscard]] bool largest(BoundaryCounts& counts) noexcept;

    Buffer<Chain> chain_memory_;
    Buffer<std::int32_t> parent_memory_;
    Buffer<std::int32_t> side_memory_;

    // The chains so far, and the sets of those that are joined.
    Chain* chains_ = nullptr;
    std::int32_t* parents_ = nullptr;
    std::int32_t n_chains_ = 0;
    // The line that was reached: the chains of its runs' sides, where it ends, and the run after it.
    std::int32_t* sides_ = nullptr;
    std::int32_t* other_sides_ = nullptr;
    std::int32_t line_length_ = 0;
    std::int32_t line_end_ = 0;
    const Run* next_ = nullptr;
};

}  // namespace tfdp
