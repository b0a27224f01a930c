#pragma once

#include <cstdint>
#include <vector>

#include "tfdp/boundary_counts.hpp"
#include "tfdp/disjoint_sets.hpp"
#include "tfdp/runs.hpp"

namespace tfdp {

/// An 8-connected component of the foreground.
struct Component {
    /// Of all its borders, those of its holes included.
    BoundaryCounts counts;
    /// Its first pixel in raster order (least y, then least x).
    std::int32_t first_x = 0;
    std::int32_t first_y = 0;

    /// OpenCV lists outer contours by their first pixel in DESCENDING raster order.
    [[nodiscard]] bool listed_before(const Component& other) const noexcept {
        return first_y != other.first_y ? first_y > other.first_y : first_x > other.first_x;
    }
};

/// Labels the 8-connected components of a mask with a union-find over its runs, and counts their boundaries on
/// the way. One object per thread; its memory is reused.
class ComponentLabeller {
  public:
    /// Replaces what components() and holes() say.
    void label(const Runs& runs);

    /// In no particular order.
    [[nodiscard]] const std::vector<Component>& components() const noexcept { return components_; }

    /// Number of holes of all components: regions of 4-connected background that do not reach the outside of
    /// the image.
    [[nodiscard]] std::int64_t holes() const noexcept { return holes_; }

  private:
    void collect();

    std::vector<Component> components_;
    std::int64_t holes_ = 0;
    DisjointSets sets_;
    std::vector<Component> pieces_;     // by label
    std::vector<std::int32_t> labels_;  // by run
};

/// Fills the holes of a mask: what remains background is connected, through 4-neighbours, with the outside of
/// the image. Components that lie inside a hole are swallowed. One object per thread; its memory is reused.
class HoleFiller {
  public:
    void fill(const Runs& runs, Runs& filled);

  private:
    void label_gaps(const Runs& runs);
    void connect_gaps(const Runs& runs, std::int64_t line);

    DisjointSets sets_;
    std::vector<std::int32_t> gaps_;  // by run: the label of the gap before it
};

}  // namespace tfdp
