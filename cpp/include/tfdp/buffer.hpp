#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace tfdp {

/// An array that grows without initialising what it adds, and whose clear() keeps the memory.
template <class T>
class Buffer {
    static_assert(std::is_trivially_copyable_v<T>);

  public:
    void clear() noexcept { size_ = 0; }

    [[nodiscard]] std::int64_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] const T* data() const noexcept { return data_.get(); }
    [[nodiscard]] const T* begin() const noexcept { return data_.get(); }
    [[nodiscard]] const T* end() const noexcept { return data_.get() + size_; }
    [[nodiscard]] T& back() noexcept { return data_[static_cast<std::size_t>(size_ - 1)]; }
    [[nodiscard]] const T& operator[](std::int64_t i) const noexcept {
        return data_[static_cast<std::size_t>(i)];
    }

    void push_back(T value) {
        if (size_ == capacity_) {
            grow(1);
        }
        data_[static_cast<std::size_t>(size_++)] = value;
    }

    /// Makes room for n more elements and returns where they go; end_at() says how many have been written.
    [[nodiscard]] T* room_for(std::int64_t n) {
        if (capacity_ - size_ < n) {
            grow(n);
        }
        return data_.get() + size_;
    }
    void end_at(const T* end) noexcept { size_ = end - data_.get(); }

  private:
    void grow(std::int64_t n) {
        const std::int64_t capacity = std::max(size_ + n, 2 * capacity_);
        std::unique_ptr<T[]> data(new T[static_cast<std::size_t>(capacity)]);
        std::copy_n(data_.get(), size_, data.get());
        data_ = std::move(data);
        capacity_ = capacity;
    }

    std::unique_ptr<T[]> data_;
    std::int64_t size_ = 0;
    std::int64_t capacity_ = 0;
};

}  // namespace tfdp
