#include <cstdint>
#include <cstring>

#include "tfdp/lanes.hpp"
#include "tfdp/runs.hpp"

// Pixels are taken in blocks of 64. Most blocks are all background or all foreground, as the pixel before
// them is, and are passed over. Of another one, a bit for each pixel says where foreground begins and ends.

namespace tfdp {

namespace {

using Bytes = std::uint8_t __attribute__((vector_size(16)));

constexpr std::int32_t block = 64;

/// Bit i is set if pixel i of a block is foreground.
[[nodiscard]] std::uint64_t foreground_bits(const std::uint8_t* pixels) noexcept {
    std::uint64_t bits = 0;
#if defined(__SSE2__)
    for (int i = 0; i < 4; ++i) {
        const auto is_background = load<Bytes>(pixels + 16 * i) == 0;
        const int mask = _mm_movemask_epi8(reinterpret_cast<__m128i>(is_background));
        bits |= static_cast<std::uint64_t>(mask ^ 0xFFFF) << (16 * i);
    }
#else
    for (int i = 0; i < block; ++i) {
        bits |= static_cast<std::uint64_t>(pixels[i] != 0) << i;
    }
#endif
    return bits;
}

template <class V>
[[nodiscard]] bool all_bits_zero(V vector) noexcept {
    const auto halves = reinterpret_cast<LanePairs>(vector);
    return (halves[0] | halves[1]) == 0;
}

[[nodiscard]] bool is_background(const std::uint8_t* pixels) noexcept {
    return all_bits_zero(load<LanePairs>(pixels) | load<LanePairs>(pixels + 16) |
                         load<LanePairs>(pixels + 32) | load<LanePairs>(pixels + 48));
}

[[nodiscard]] bool is_foreground(const std::uint8_t* pixels) noexcept {
    return all_bits_zero((load<Bytes>(pixels) == 0) | (load<Bytes>(pixels + 16) == 0) |
                         (load<Bytes>(pixels + 32) == 0) | (load<Bytes>(pixels + 48) == 0));
}

/// The runs of one line.
class Line {
  public:
    Line(Runs& runs, std::int32_t number) noexcept : runs_(runs), number_(number) {}

    void read(const std::uint8_t* pixels, std::int32_t n) {
        std::int32_t i = 0;
        for (; i + block <= n; i += block) {
            if (!(inside_ ? is_foreground(pixels + i) : is_background(pixels + i))) {
                read_block(pixels + i, i);
            }
        }
        if (i < n) {
            std::uint8_t rest[block] = {};
            std::memcpy(rest, pixels + i, static_cast<std::size_t>(n - i));
            read_block(rest, i);
        }
        if (inside_) {
            runs_.append(number_, begin_, n);
        }
    }

  private:
    void read_block(const std::uint8_t* pixels, std::int32_t first) {
        const std::uint64_t bits = foreground_bits(pixels);
        std::uint64_t changes = bits ^ (bits << 1 | (inside_ ? 1U : 0U));
        for (; changes != 0; changes &= changes - 1) {
            const std::int32_t at = first + __builtin_ctzll(changes);
            if (inside_) {
                runs_.append(number_, begin_, at);
            } else {
                begin_ = at;
            }
            inside_ = !inside_;
        }
    }

    Runs& runs_;
    std::int32_t number_;
    std::int32_t begin_ = 0;
    bool inside_ = false;
};

}  // namespace

void runs_from_dense(const std::uint8_t* mask, std::ptrdiff_t line_stride, Size size, Axis axis, Runs& runs) {
    runs.clear(axis);
    const std::int32_t lines = axis == Axis::column ? size.width : size.height;
    const std::int32_t length = axis == Axis::column ? size.height : size.width;
    for (std::int32_t line = 0; line < lines; ++line) {
        Line(runs, line).read(mask + line * line_stride, length);
    }
}

}  // namespace tfdp
