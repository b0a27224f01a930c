#include "polygon_text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#if defined(TFDP_SSE2)
#include <immintrin.h>
#endif

namespace tfdp {

namespace {

constexpr std::ptrdiff_t block = 64;

/// A mask of the characters whose predecessor is in the given mask: bit 0 looks at the block before.
class Predecessor {
  public:
    explicit Predecessor(bool first) noexcept : last_(first ? 1 : 0) {}
    [[nodiscard]] std::uint64_t operator()(std::uint64_t mask) noexcept {
        const std::uint64_t shifted = mask << 1 | last_;
        last_ = mask >> (block - 1);
        return shifted;
    }

  private:
    std::uint64_t last_;
};

/// Checks 64 characters at a time: which character may follow which is all there is to the grammar, but for
/// leading zeros, second points, and what follows a list. The bracket before the first character is taken.
class PolygonGrammar {
  public:
    /// Takes the next 64 characters. Returns those that are wrong, and in `last` brackets behind brackets.
    [[nodiscard]] std::uint64_t wrong(const CharacterMasks& m, std::uint64_t& last) noexcept {
        const std::uint64_t after_digit = after_digit_(m.digit);
        const std::uint64_t after_point = after_point_(m.point);
        const std::uint64_t after_minus = after_minus_(m.minus);
        const std::uint64_t after_comma = after_comma_(m.comma);
        const std::uint64_t after_space = after_space_(m.space);
        const std::uint64_t after_open = after_open_(m.open);
        const std::uint64_t after_close = after_close_(m.close);
        const std::uint64_t before_number = after_open | after_comma | after_space;

        std::uint64_t right = m.digit & (before_number | after_minus | after_digit | after_point);
        right |= m.minus & before_number;
        right |= m.point & after_digit;
        right |= m.comma & (after_digit | after_close);
        right |= m.space & after_comma;
        right |= m.close & (after_digit | after_close);
        // After a polygon comes a polygon, and nowhere else does one begin.
        const std::uint64_t next = after_polygon_(m.comma & after_close);
        const std::uint64_t next_or_later = next | after_polygon_space_(m.space & next);
        right |= m.open & next_or_later;
        right &= ~((m.digit | m.minus) & next_or_later);
        // A number begins with a zero only if that is its whole part.
        const std::uint64_t leading_zero = m.zero & (before_number | after_minus);
        right &= ~(after_leading_zero_(leading_zero) & m.digit);
        right &= ~(end_of_fractions(m.digit, m.digit & after_point) & m.point);
        last = m.close & after_close;
        return ~right;
    }

  private:
    /// What follows the digits behind a point. The sum carries each first digit to the end of its run.
    [[nodiscard]] std::uint64_t end_of_fractions(std::uint64_t digit, std::uint64_t first) noexcept {
        const std::uint64_t sum = digit + first;
        const std::uint64_t total = sum + in_fraction_;
        in_fraction_ = (sum < digit ? 1U : 0U) | (total < sum ? 1U : 0U);
        return total & ~digit;
    }

    Predecessor after_digit_{false};
    Predecessor after_point_{false};
    Predecessor after_minus_{false};
    Predecessor after_comma_{false};
    Predecessor after_space_{false};
    Predecessor after_open_{true};
    Predecessor after_close_{false};
    Predecessor after_polygon_{false};
    Predecessor after_polygon_space_{false};
    Predecessor after_leading_zero_{false};
    std::uint64_t in_fraction_ = 0;
};

}  // namespace

void classify_portable(const char* characters, CharacterMasks& masks) noexcept {
    masks = {};
    for (std::ptrdiff_t i = 0; i < block; ++i) {
        const std::uint64_t bit = std::uint64_t{1} << i;
        switch (characters[i]) {
            case '0':
                masks.zero |= bit;
                masks.digit |= bit;
                break;
            case '.':
                masks.point |= bit;
                break;
            case '-':
                masks.minus |= bit;
                break;
            case ',':
                masks.comma |= bit;
                break;
            case ' ':
                masks.space |= bit;
                break;
            case '[':
                masks.open |= bit;
                break;
            case ']':
                masks.close |= bit;
                break;
            default:
                masks.digit |= characters[i] >= '1' && characters[i] <= '9' ? bit : 0;
        }
    }
}

#if defined(TFDP_SSE2)

namespace {

// '0' .. '9' and this become the ten lowest signed numbers.
constexpr char to_lowest = 128 - '0';

[[gnu::target("avx512bw")]] void classify_avx512(const char* characters, CharacterMasks& masks) noexcept {
    const __m512i c = _mm512_loadu_si512(characters);
    const __m512i low = _mm512_add_epi8(c, _mm512_set1_epi8(to_lowest));
    masks.digit = _mm512_cmplt_epi8_mask(low, _mm512_set1_epi8(-128 + 10));
    masks.zero = _mm512_cmpeq_epi8_mask(c, _mm512_set1_epi8('0'));
    masks.point = _mm512_cmpeq_epi8_mask(c, _mm512_set1_epi8('.'));
    masks.minus = _mm512_cmpeq_epi8_mask(c, _mm512_set1_epi8('-'));
    masks.comma = _mm512_cmpeq_epi8_mask(c, _mm512_set1_epi8(','));
    masks.space = _mm512_cmpeq_epi8_mask(c, _mm512_set1_epi8(' '));
    masks.open = _mm512_cmpeq_epi8_mask(c, _mm512_set1_epi8('['));
    masks.close = _mm512_cmpeq_epi8_mask(c, _mm512_set1_epi8(']'));
}

}  // namespace

void classify_sse2(const char* characters, CharacterMasks& masks) noexcept {
    masks = {};
    for (int i = 0; i < 64; i += 16) {
        const __m128i c = _mm_loadu_si128(reinterpret_cast<const __m128i*>(characters + i));
        const auto bits = [i](__m128i lanes) {
            return std::uint64_t{static_cast<std::uint32_t>(_mm_movemask_epi8(lanes))} << i;
        };
        const __m128i low = _mm_add_epi8(c, _mm_set1_epi8(to_lowest));
        masks.digit |= bits(_mm_cmplt_epi8(low, _mm_set1_epi8(-128 + 10)));
        masks.zero |= bits(_mm_cmpeq_epi8(c, _mm_set1_epi8('0')));
        masks.point |= bits(_mm_cmpeq_epi8(c, _mm_set1_epi8('.')));
        masks.minus |= bits(_mm_cmpeq_epi8(c, _mm_set1_epi8('-')));
        masks.comma |= bits(_mm_cmpeq_epi8(c, _mm_set1_epi8(',')));
        masks.space |= bits(_mm_cmpeq_epi8(c, _mm_set1_epi8(' ')));
        masks.open |= bits(_mm_cmpeq_epi8(c, _mm_set1_epi8('[')));
        masks.close |= bits(_mm_cmpeq_epi8(c, _mm_set1_epi8(']')));
    }
}

void classify(const char* characters, CharacterMasks& masks) noexcept {
    static const bool wide = __builtin_cpu_supports("avx512bw") != 0;
    wide ? classify_avx512(characters, masks) : classify_sse2(characters, masks);
}

#else

void classify(const char* characters, CharacterMasks& masks) noexcept {
    classify_portable(characters, masks);
}

#endif

namespace {

enum class List : std::uint8_t { numbers, polygons };

/// The end of a list whose first bracket or brackets are taken; null if anything is wrong.
template <List list>
const char* end_of_list(const char* at, const char* end) noexcept {
    PolygonGrammar grammar;
    CharacterMasks masks;
    for (; at < end; at += block) {
        if (end - at >= block) {
            classify(at, masks);
        } else {
            std::array<char, block> rest{};
            std::copy(at, end, rest.begin());
            classify(rest.data(), masks);
        }
        std::uint64_t double_close = 0;
        const std::uint64_t wrong = grammar.wrong(masks, double_close);
        const std::uint64_t ends = list == List::numbers ? masks.close : double_close;
        const std::uint64_t last = ends & (~ends + 1);
        if ((wrong & (last | (last - 1))) != 0) {  // what comes after the list is not looked at
            return nullptr;
        }
        if (last != 0) {
            return at + lowest_bit(last) + 1;
        }
    }
    return nullptr;
}

}  // namespace

const char* end_of_numbers(const char* begin, const char* end) noexcept {
    return *begin == '[' ? end_of_list<List::numbers>(begin + 1, end) : nullptr;
}

const char* end_of_polygons(const char* begin, const char* end) noexcept {
    const bool nested = end - begin >= 2 && begin[0] == '[' && begin[1] == '[';
    return nested ? end_of_list<List::polygons>(begin + 2, end) : nullptr;
}

}  // namespace tfdp
