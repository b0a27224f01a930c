#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tfdp {

/// Items sorted by line with one pass to count and one to store them: reset, expect what will come, allocate,
/// put exactly that. Within a line the order is that of put.
template <class Item>
class LineBuckets {
  public:
    void reset(std::int32_t first_line, std::int32_t last_line) {
        first_line_ = first_line;
        ends_.assign(static_cast<std::size_t>(last_line - first_line) + 2, 0);
    }
    /// One item in each of the lines from .. to.
    void expect(std::int32_t from, std::int32_t to) noexcept {
        ++ends_[index(from)];
        --ends_[index(to) + 1];
    }
    void allocate() {
        std::int64_t items_in_line = 0;
        std::int64_t total = 0;
        for (std::int64_t& end : ends_) {
            items_in_line += end;
            end = total;
            total += items_in_line;
        }
        if (items_.size() < static_cast<std::size_t>(total)) {
            items_.resize(static_cast<std::size_t>(total));
        }
    }
    void put(std::int32_t line, const Item& item) noexcept {
        items_[static_cast<std::size_t>(ends_[index(line)]++)] = item;
    }
    /// The items of a line, once all of them are stored.
    [[nodiscard]] Item* begin(std::int32_t line) noexcept {
        return items_.data() + (line == first_line_ ? 0 : ends_[index(line) - 1]);
    }
    [[nodiscard]] Item* end(std::int32_t line) noexcept { return items_.data() + ends_[index(line)]; }

  private:
    [[nodiscard]] std::size_t index(std::int32_t line) const noexcept {
        return static_cast<std::size_t>(line - first_line_);
    }

    std::int32_t first_line_ = 0;
    std::vector<std::int64_t> ends_;  // differences of the counts, then where each line's next item goes
    std::vector<Item> items_;
};

}  // namespace tfdp
