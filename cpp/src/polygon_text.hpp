#pragma once

#include <cstdint>

namespace tfdp {

/// The position of the lowest bit that is set; one is.
[[nodiscard]] inline int lowest_bit(std::uint64_t bits) noexcept {
#if defined(__GNUC__)
    return __builtin_ctzll(bits);
#else
    int position = 0;
    for (; (bits & 1) == 0; bits >>= 1) {
        ++position;
    }
    return position;
#endif
}

/// Where each kind of character stands among 64: bit i is for the i-th.
struct CharacterMasks {
    std::uint64_t digit = 0;
    std::uint64_t zero = 0;  ///< digits as well
    std::uint64_t point = 0;
    std::uint64_t minus = 0;
    std::uint64_t comma = 0;
    std::uint64_t space = 0;
    std::uint64_t open = 0;   ///< [
    std::uint64_t close = 0;  ///< ]
};

/// Sorts 64 characters, as wide as the processor can.
void classify(const char* characters, CharacterMasks& masks) noexcept;

#if defined(__SSE2__) && defined(__GNUC__)
#define TFDP_SSE2
/// The same, 16 characters at a time.
void classify_sse2(const char* characters, CharacterMasks& masks) noexcept;
#endif

/// The same, one character after the other.
void classify_portable(const char* characters, CharacterMasks& masks) noexcept;

/// The end of a list of numbers that is written in the plainest way: [1, 2.5, -3, ...], with nothing or one
/// space after a comma, no exponents, and not empty. Null for anything else, be it JSON or not. What is
/// accepted is JSON. `begin` is before `end`.
[[nodiscard]] const char* end_of_numbers(const char* begin, const char* end) noexcept;

/// The same for a list of such lists, [[...], [...]].
[[nodiscard]] const char* end_of_polygons(const char* begin, const char* end) noexcept;

}  // namespace tfdp
