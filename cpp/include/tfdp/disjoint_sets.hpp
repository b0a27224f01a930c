#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tfdp {

/// Union-find over labels 0, 1, 2, ...: the root of a set is its smallest label.
class DisjointSets {
  public:
    void clear() noexcept { parents_.clear(); }

    [[nodiscard]] std::int32_t size() const noexcept { return static_cast<std::int32_t>(parents_.size()); }

    /// A new set of one label.
    std::int32_t add() {
        const std::int32_t label = size();
        parents_.push_back(label);
        return label;
    }

    [[nodiscard]] std::int32_t root(std::int32_t label) noexcept {
        while (parent(label) != label) {
            parent(label) = parent(parent(label));  // halving keeps the paths short
            label = parent(label);
        }
        return label;
    }

    /// Returns the root of the union.
    std::int32_t unite(std::int32_t a, std::int32_t b) noexcept {
        a = root(a);
        b = root(b);
        const std::int32_t low = std::min(a, b);
        parent(std::max(a, b)) = low;
        return low;
    }

  private:
    [[nodiscard]] std::int32_t& parent(std::int32_t label) noexcept {
        return parents_[static_cast<std::size_t>(label)];
    }

    std::vector<std::int32_t> parents_;
};

}  // namespace tfdp
