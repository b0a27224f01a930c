#include "tfdp/label_lines.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace tfdp {
namespace {

using Integers = std::vector<std::int64_t>;

/// The lines of a text that ends where its memory does, for the sanitizers to see.
LabelLines lines_of(std::string_view text) {
    const std::unique_ptr<char[]> tight(new char[text.size()]);
    std::copy(text.begin(), text.end(), tight.get());
    LabelLines lines;
    lines.add({tight.get(), text.size()});
    return lines;
}

TEST(LabelLines, Columns) {
    LabelLines lines = lines_of("3 0 .5e0 1 1 0 1\n12 0 0.5 1 1 0 1\n");
    lines.add("\n7\t0 0  1 -0.0 1e0 0.125 5e-1 1.\t");
    EXPECT_EQ(lines.numbers, (Integers{1, 2, 2}));
    EXPECT_EQ(lines.spans, (Integers{0, 16, 17, 33, 1, 33}));
    EXPECT_EQ(lines.classes, (Integers{-1, 12, 7}));
    EXPECT_EQ(lines.offsets, (Integers{0, 0, 6, 14}));
    EXPECT_EQ(lines.coordinates, (std::vector<double>{0, 0.5, 1, 1, 0, 1, 0, 0, 1, 0, 1, 0.125, 0.5, 1}));
    EXPECT_TRUE(std::signbit(lines.coordinates[9]));
}

TEST(LabelLines, LinesEndAsInPython) {
    EXPECT_EQ(lines_of("a\nb\r\nc\rd\n\re\r\r\nf").numbers, (Integers{1, 2, 3, 4, 6, 8}));
    EXPECT_EQ(lines_of("a\vb\fc\x1c"
                       "d\x85\n")
                  .spans,
              (Integers{0, 8}));
    EXPECT_EQ(lines_of(" \t\v\f\n \n\na").numbers, (Integers{4}));
    EXPECT_TRUE(lines_of("").numbers.empty());
    EXPECT_TRUE(lines_of("\n\r\n").numbers.empty());
}

TEST(LabelLines, PlainLines) {
    for (const char* text :
         {"0 0 0 0 1 1 1", "0 0 0 0 1 1 1 ", "  0 0 0 0 1 1 1", "0\t0\t0\t0\t1\t1\t1", "00 0 0 0 1 1 1",
          "0 0 0 0 1 1 0.5E+0", "0 0 0 0 1 1 00.5", "0 0 0 0 1 1 0.1000000000000000055511151231257827"}) {
        EXPECT_EQ(lines_of(text).classes, Integers{0}) << text;
    }
}

TEST(LabelLines, LinesThatAreNotPlain) {
    for (const char* text : {"0",
                             "x",
                             "0 0 0 0 0",
                             "0 0 0 0 1 1",
                             "0 0 0 0 1 1 1 1",
                             "-0 0 0 0 1 1 1",
                             "-1 0 0 0 1 1 1",
                             "+0 0 0 0 1 1 1",
                             "0. 0 0 0 1 1 1",
                             "1e0 0 0 0 1 1 1",
                             "0x0 0 0 0 1 1 1",
                             "99999999999999999999 0 0 0 1 1 1",
                             "0\v0 0 0 1 1 1",
                             "0 0 0 0\f1 1 1",
                             "0 0 0 0,1 1 1 1",
                             "0 0 0 0 1 1 1,",
                             "0 0 0 0 1 1 1.1",
                             "0 0 0 0 1 1 -1e-9",
                             "0 0 0 0 1 1 nan",
                             "0 0 0 0 1 1 NaN",
                             "0 0 0 0 1 1 inf",
                             "0 0 0 0 1 1 -Infinity",
                             "0 0 0 0 1 1 1e999",
                             "0 0 0 0 1 1 1e-999",
                             "0 0 0 0 1 1 0_1",
                             "0 0 0 0 1 1 .",
                             "0 0 0 0 1 1 -",
                             "0 0 0 0 1 1 1e",
                             "0 0 0 0 1 1 0.1.1",
                             "0 0 0 0 1 1 0x1",
                             "0 0 0 0 1 1 --1",
                             "0 0 0 0 1 1 1]",
                             "0 0 0 0 1 1 1 #"}) {
        const LabelLines lines = lines_of(text);
        EXPECT_EQ(lines.classes, Integers{-1}) << text;
        EXPECT_TRUE(lines.coordinates.empty()) << text;
    }
}

TEST(LabelLines, NumbersAreRoundedAsByStrtod) {
    std::mt19937_64 generator(1);
    std::uniform_real_distribution<double> share(0, 1);
    for (int i = 0; i < 20000; ++i) {
        char text[80];
        std::snprintf(text, sizeof text, i % 2 == 0 ? "%.*f" : "%.*e", i / 2 % 24, share(generator));
        const std::string line = "0 0 0 0 0 0 " + std::string(text);
        const LabelLines lines = lines_of(line);
        ASSERT_EQ(lines.classes, Integers{0}) << line;
        ASSERT_EQ(lines.coordinates.back(), std::strtod(text, nullptr)) << text;
    }
}

}  // namespace
}  // namespace tfdp
