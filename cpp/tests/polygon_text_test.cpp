#include "polygon_text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace tfdp {
namespace {

/// The grammar in a form that is slow and obvious. Each function returns where something ends that begins at
/// `at`, or none.
class Grammar {
  public:
    static constexpr std::size_t none = std::string::npos;

    explicit Grammar(const std::string& text) : text_(text) {}

    [[nodiscard]] std::size_t numbers(std::size_t at) const { return list(at, &Grammar::number); }
    [[nodiscard]] std::size_t polygons(std::size_t at) const { return list(at, &Grammar::numbers); }

  private:
    [[nodiscard]] char peek(std::size_t at) const { return at < text_.size() ? text_[at] : '\0'; }
    [[nodiscard]] std::size_t digits(std::size_t at) const {
        return std::min(text_.find_first_not_of("0123456789", at), text_.size());
    }
    [[nodiscard]] std::size_t number(std::size_t at) const {
        at += peek(at) == '-' ? 1U : 0U;
        const std::size_t whole = digits(at);
        if (whole == at || (text_[at] == '0' && whole > at + 1)) {
            return none;
        }
        if (peek(whole) != '.') {
            return whole;
        }
        return digits(whole + 1) > whole + 1 ? digits(whole + 1) : none;
    }
    [[nodiscard]] std::size_t list(std::size_t at, std::size_t (Grammar::*element)(std::size_t) const) const {
        if (peek(at) != '[') {
            return none;
        }
        do {
            ++at;
            at = (this->*element)(at + (peek(at) == ' ' && peek(at - 1) == ',' ? 1U : 0U));
        } while (at != none && peek(at) == ',');
        return at != none && peek(at) == ']' ? at + 1 : none;
    }

    const std::string& text_;
};

std::ptrdiff_t signed_end(std::size_t end) {
    return end != Grammar::none ? static_cast<std::ptrdiff_t>(end) : -1;
}

std::ptrdiff_t end_of(const char* (*function)(const char*, const char*) noexcept, const std::string& text) {
    const std::string exact(text);  // nothing behind it that may be read
    const char* const end = function(exact.data(), exact.data() + exact.size());
    return end != nullptr ? end - exact.data() : -1;
}

/// Lists of any length, most of them plain, so that what is wrong stands anywhere among 64 characters.
std::string some_polygons(std::mt19937& random) {
    const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    std::string text = "[";
    for (unsigned i = 0, polygons = 1 + below(3); i < polygons; ++i) {
        text += i > 0 ? (below(2) != 0 ? ", [" : ",[") : "[";
        for (unsigned j = 0, n = 1 + below(12); j < n; ++j) {
            text += j > 0 ? (below(4) != 0 ? ", " : ",") : "";
            text += below(9) == 0 ? "-" : "";
            text += std::to_string(below(4) == 0 ? 0 : below(100000));
            if (below(3) != 0) {
                text += "." + std::to_string(below(1000000));
            }
        }
        text += "]";
    }
    text += "]";
    constexpr std::string_view characters = "[],. -0123e\"\n";
    for (unsigned faults = below(3); faults > 0; --faults) {
        const std::size_t at = below(static_cast<unsigned>(text.size()));
        switch (below(3)) {
            case 0:
                text[at] = characters[below(characters.size())];
                break;
            case 1:
                text.insert(at, 1, characters[below(characters.size())]);
                break;
            default:
                text.erase(at, 1);
        }
    }
    return text + std::string(below(80), below(2) != 0 ? ']' : '"');
}

TEST(PolygonText, AcceptsWhatTheGrammarDoes) {
    std::mt19937 random(1);
    int accepted = 0;
    for (int i = 0; i < 8000; ++i) {
        const std::string text = some_polygons(random);
        const std::ptrdiff_t end = signed_end(Grammar(text).polygons(0));
        accepted += end >= 0 ? 1 : 0;
        ASSERT_EQ(end_of(end_of_polygons, text), end) << text;
        const std::string inner = text.substr(1);
        if (!inner.empty()) {
            ASSERT_EQ(end_of(end_of_numbers, inner), signed_end(Grammar(inner).numbers(0))) << inner;
        }
    }
    EXPECT_GT(accepted, 2000);
    EXPECT_LT(accepted, 6000);
}

TEST(PolygonText, LongNumbersAcrossBlocks) {
    for (std::size_t n = 1; n < 200; ++n) {
        const std::string digits(n, '7');
        for (const std::string& good : {"[[" + digits + "]]", "[[1." + digits + ", -0.0]]"}) {
            EXPECT_EQ(end_of(end_of_polygons, good), static_cast<std::ptrdiff_t>(good.size())) << good;
        }
        for (const std::string& bad :
             {"[[0" + digits + "]]", "[[1." + digits + ".5]]", "[[-" + digits + ".]]", "[[1." + digits}) {
            EXPECT_EQ(end_of(end_of_polygons, bad), -1) << bad;
        }
    }
}

void expect_equal(const CharacterMasks& a, const CharacterMasks& b) {
    EXPECT_EQ(a.digit, b.digit);
    EXPECT_EQ(a.zero, b.zero);
    EXPECT_EQ(a.point, b.point);
    EXPECT_EQ(a.minus, b.minus);
    EXPECT_EQ(a.comma, b.comma);
    EXPECT_EQ(a.space, b.space);
    EXPECT_EQ(a.open, b.open);
    EXPECT_EQ(a.close, b.close);
}

TEST(PolygonText, CharactersAreSortedTheSameWayEverywhere) {
    std::mt19937 random(2);
    for (int i = 0; i < 2000; ++i) {
        char characters[64];
        for (char& c : characters) {
            c = static_cast<char>(i % 2 == 0 ? random() % 256 : '*' + random() % 60);
        }
        CharacterMasks portable;
        CharacterMasks masks;
        classify_portable(characters, portable);
        classify(characters, masks);
        expect_equal(masks, portable);
#if defined(TFDP_SSE2)
        classify_sse2(characters, masks);
        expect_equal(masks, portable);
#endif
    }
}

}  // namespace
}  // namespace tfdp
