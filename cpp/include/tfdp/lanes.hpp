#pragma once

#include <cstdint>
#include <cstring>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The halves of wider lanes are taken in little-endian order"
#endif

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tfdp {

// Four 32-bit integers that are added, compared and so on at once. GCC and Clang translate these types for
// every processor; what x86-64 is always able to do is enough for good code.

using Lanes = std::int32_t __attribute__((vector_size(16)));
/// The same for sums, which wrap around.
using SumLanes = std::uint32_t __attribute__((vector_size(16)));
using LanePairs = std::uint64_t __attribute__((vector_size(16)));

template <class V = Lanes>
[[nodiscard]] inline V load(const void* from) noexcept {
    V lanes;
    std::memcpy(&lanes, from, sizeof lanes);
    return lanes;
}

template <class V>
inline void store(void* to, V lanes) noexcept {
    std::memcpy(to, &lanes, sizeof lanes);
}

[[nodiscard]] inline Lanes broadcast(std::int32_t value) noexcept {
    return Lanes{value, value, value, value};
}

[[nodiscard]] inline Lanes absolute(Lanes a) noexcept {
    const Lanes sign = a >> 31;
    return (a ^ sign) - sign;
}

/// a1, a0, a3, a2.
[[nodiscard]] inline Lanes swap_neighbours(Lanes a) noexcept {
#if defined(__clang__)
    return __builtin_shufflevector(a, a, 1, 0, 3, 2);
#else
    return __builtin_shuffle(a, Lanes{1, 0, 3, 2});
#endif
}

/// a0, b0, a1, b1.
[[nodiscard]] inline SumLanes interleave_low(SumLanes a, SumLanes b) noexcept {
#if defined(__clang__)
    return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#else
    return __builtin_shuffle(a, b, SumLanes{0, 4, 1, 5});
#endif
}

/// a2, b2, a3, b3.
[[nodiscard]] inline SumLanes interleave_high(SumLanes a, SumLanes b) noexcept {
#if defined(__clang__)
    return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#else
    return __builtin_shuffle(a, b, SumLanes{2, 6, 3, 7});
#endif
}

/// a0, a1, b0, b1.
[[nodiscard]] inline SumLanes low_halves(SumLanes a, SumLanes b) noexcept {
    return reinterpret_cast<SumLanes>(
        LanePairs{reinterpret_cast<LanePairs>(a)[0], reinterpret_cast<LanePairs>(b)[0]});
}

/// a2, a3, b2, b3.
[[nodiscard]] inline SumLanes high_halves(SumLanes a, SumLanes b) noexcept {
    return reinterpret_cast<SumLanes>(
        LanePairs{reinterpret_cast<LanePairs>(a)[1], reinterpret_cast<LanePairs>(b)[1]});
}

/// The upper halves of a0, a1, b0, b1.
[[nodiscard]] inline Lanes high_words(LanePairs a, LanePairs b) noexcept {
#if defined(__clang__)
    return __builtin_shufflevector(reinterpret_cast<Lanes>(a), reinterpret_cast<Lanes>(b), 1, 3, 5, 7);
#else
    return __builtin_shuffle(reinterpret_cast<Lanes>(a), reinterpret_cast<Lanes>(b), Lanes{1, 3, 5, 7});
#endif
}

[[nodiscard]] inline bool any_negative(Lanes a) noexcept {
#if defined(__SSE2__)
    return _mm_movemask_ps(_mm_castsi128_ps(reinterpret_cast<__m128i>(a))) != 0;
#else
    const auto signs = reinterpret_cast<LanePairs>(a >> 31);
    return (signs[0] | signs[1]) != 0;
#endif
}

}  // namespace tfdp
