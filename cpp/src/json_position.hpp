#pragma once

#include <cstddef>
#include <string_view>

namespace tfdp {

/// A position in JSON text. Reading past the end gives '\0', which is no JSON token.
class JsonPosition {
  public:
    explicit JsonPosition(std::string_view text) noexcept
        : at_(text.data()), end_(text.data() + text.size()) {}

    [[nodiscard]] const char* at() const noexcept { return at_; }

    /// The next character that is not white space, without taking it.
    [[nodiscard]] char peek() noexcept {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) {
            ++at_;
        }
        return at_ != end_ ? *at_ : '\0';
    }

    /// Is there nothing left but white space?
    [[nodiscard]] bool at_end() noexcept {
        (void)peek();
        return at_ == end_;
    }

    /// Takes the next character if it is the given one.
    [[nodiscard]] bool take(char c) noexcept {
        if (peek() != c) {
            return false;
        }
        ++at_;
        return true;
    }

  protected:
    const char* at_;
    const char* end_;
};

}  // namespace tfdp
