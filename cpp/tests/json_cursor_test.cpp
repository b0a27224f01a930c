#include "json_cursor.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

namespace tfdp {
namespace {

double number(const std::string& text) {
    JsonCursor json(text);
    double value = 0;
    EXPECT_TRUE(json.take_number(value)) << text;
    EXPECT_TRUE(json.at_end()) << text;
    return value;
}

TEST(JsonCursor, NumbersAreRoundedAsByStrtod) {
    for (const char* text :
         {"0", "-0", "1", "12.5", "-0.1", "321.02", "0.30000000000000004", "1e22", "1.5E-3",
          "123456789012345", "1234567890123456", "9007199254740993", "0.000001", "5e-324",
          "179769313486231570000000000000000000000", "12345678901234567890.123", "1.0"}) {
        EXPECT_EQ(number(text), std::strtod(text, nullptr)) << text;
    }
    EXPECT_TRUE(std::signbit(number("-0.0")));
    std::mt19937_64 generator(1);
    std::uniform_real_distribution<double> coordinate(-700, 700);
    for (int i = 0; i < 20000; ++i) {
        char text[40];
        std::snprintf(text, sizeof text, "%.*f", i % 18, coordinate(generator));
        ASSERT_EQ(number(text), std::strtod(text, nullptr)) << text;
    }
}

TEST(JsonCursor, NumbersThatAreNotFinite) {
    EXPECT_TRUE(std::isnan(number("NaN")));
    EXPECT_FALSE(std::isfinite(number("Infinity")));
    EXPECT_FALSE(std::isfinite(number("-Infinity")));
    EXPECT_FALSE(std::isfinite(number("1e999")));
}

TEST(JsonCursor, WhatIsNoNumber) {
    for (const char* text : {"", "-", ".5", "abc", "nan", "inf", "\"1\"", "[1]", "true", "null", "+1"}) {
        JsonCursor json{std::string_view(text)};
        double value = 0;
        EXPECT_FALSE(json.take_number(value)) << text;
    }
}

TEST(JsonCursor, Integers) {
    const auto take = [](const char* text, std::int64_t& value) {
        return JsonCursor{std::string_view(text)}.take_integer(value);
    };
    std::int64_t value = 0;
    EXPECT_TRUE(take(" -12", value));
    EXPECT_EQ(value, -12);
    EXPECT_FALSE(take("1.0", value));
    EXPECT_FALSE(take("1e3", value));
    EXPECT_FALSE(take("99999999999999999999", value));
    EXPECT_FALSE(take("\"1\"", value));
}

std::string string(const char* text, bool& whole) {
    JsonCursor json{std::string_view(text)};
    std::string value;
    whole = json.take_string([&](std::uint8_t c) { value.push_back(static_cast<char>(c)); });
    return value;
}

TEST(JsonCursor, StringsAreUnescaped) {
    bool whole = false;
    EXPECT_EQ(string(R"("a\\b\/\"\n\u0041")", whole), "a\\b/\"\nA");
    EXPECT_TRUE(whole);
    EXPECT_EQ(string(R"("\u20ac")", whole), "\xff");
    EXPECT_TRUE(whole);
    for (const char* text : {"\"abc", "\"ab\\", "\"\\u12", "\"\\u12g4\"", "\"\\x\"", "abc", ""}) {
        (void)string(text, whole);
        EXPECT_FALSE(whole) << text;
    }
}

TEST(JsonCursor, LongStringsAreUnescapedAlike) {
    // Every arrangement of plain characters, escapes and quotes, whole, cut off, and with more behind it.
    const std::string pieces[] = {"a", "0123456789", "\\\\", "\\\"", "\\n", "\\u20ac", "\"", "\\", "\xff"};
    for (const std::string& first : pieces) {
        for (const std::string& second : pieces) {
            for (const std::string& third : pieces) {
                for (const char* end : {"", "\"", "\", \"x\""}) {
                    const std::string text = "\"" + first + second + third + end;
                    bool whole = false;
                    const std::string expected = string(text.c_str(), whole);
                    JsonCursor json{std::string_view(text)};
                    std::vector<std::uint8_t> found = {1};
                    EXPECT_EQ(json.take_string(found), whole) << text;
                    if (whole) {
                        EXPECT_EQ(std::string(found.begin() + 1, found.end()), expected) << text;
                        JsonCursor other{std::string_view(text)};
                        (void)other.take_string([](std::uint8_t) {});
                        EXPECT_EQ(json.at_end(), other.at_end()) << text;
                    }
                }
            }
        }
    }
}

TEST(JsonCursor, SkipsAnyValue) {
    for (const char* text :
         {"1", "\"a,]}\\\"b\"", "[1,[2,{\"a\":\"]\"}]]", "{\"a\":{\"b\":[]}}", "null", "true"}) {
        JsonCursor json{std::string_view(text)};
        EXPECT_TRUE(json.skip_value()) << text;
        EXPECT_TRUE(json.at_end()) << text;
        const std::string in_object = std::string(text) + ", \"next\"";
        JsonCursor inside{std::string_view(in_object)};
        EXPECT_TRUE(inside.skip_value()) << text;
        EXPECT_TRUE(inside.take(',')) << text;
        const std::string last_in_object = std::string(text) + "\n}";
        JsonCursor last{std::string_view(last_in_object)};
        EXPECT_TRUE(last.skip_value()) << text;
        EXPECT_TRUE(last.take('}')) << text;
    }
    for (const char* text : {"", "[1", "{\"a\":", "\"abc", "}", ",", "]"}) {
        JsonCursor json{std::string_view(text)};
        EXPECT_FALSE(json.skip_value()) << text;
    }
}

}  // namespace
}  // namespace tfdp
