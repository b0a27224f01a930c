#include "tfdp/runs.hpp"

#include <gtest/gtest.h>

#include <random>

#include "pixels.hpp"

namespace tfdp {
namespace {

using testing::for_random_masks;
using testing::Pixels;
using Counts = std::vector<std::uint32_t>;

Status read(const Counts& counts, Size size, Runs& runs) {
    return runs_from_counts(counts.data(), static_cast<std::int64_t>(counts.size()), size, runs);
}

void expect_equal(const Runs& a, const Runs& b) {
    ASSERT_EQ(a.axis(), b.axis());
    ASSERT_EQ(a.line_count(), b.line_count());
    ASSERT_EQ(a.size(), b.size());
    if (!a.empty()) {
        ASSERT_EQ(a.first_line(), b.first_line());
    }
    for (std::int64_t i = 0; i <= a.line_count(); ++i) {
        ASSERT_EQ(a.line_begin(i), b.line_begin(i));
    }
    for (std::int64_t r = 0; r < a.size(); ++r) {
        ASSERT_EQ(a.data()[r].begin, b.data()[r].begin);
        ASSERT_EQ(a.data()[r].end, b.data()[r].end);
    }
}

TEST(Runs, AppendKeepsLinesAndMergesRunsThatTouch) {
    Runs runs;
    runs.clear(Axis::column);
    runs.append(3, 0, 2);
    runs.append(3, 2, 4);
    runs.append(3, 4, 4);
    runs.append(6, 1, 2);
    EXPECT_EQ(runs.first_line(), 3);
    EXPECT_EQ(runs.line_count(), 4);
    EXPECT_EQ(runs.size(), 2);
    EXPECT_EQ(runs.pixels(), 5);
    EXPECT_EQ(runs.line_begin(1), 1);
    EXPECT_EQ(runs.line_begin(3), 1);
    EXPECT_EQ(runs.line_begin(4), 2);
}

TEST(Runs, ContainsEachPixelAndNothingElse) {
    for_random_masks(200, [](const Pixels& pixels) {
        for (const Axis axis : {Axis::column, Axis::row}) {
            const Runs runs = pixels.runs(axis);
            for (std::int32_t y = -1; y <= pixels.size().height; ++y) {
                for (std::int32_t x = -1; x <= pixels.size().width; ++x) {
                    ASSERT_EQ(runs.contains(x, y), pixels.at(x, y));
                }
            }
        }
    });
}

TEST(Runs, CountsGoDownTheColumns) {
    Runs runs;
    ASSERT_EQ(read({1, 3, 2}, {3, 2}, runs), Status::ok);
    expect_equal(runs, Pixels({".#", "#.", "#."}).runs(Axis::column));
}

TEST(Runs, CountsMayBeZeroAnywhere) {
    Runs runs;
    ASSERT_EQ(read({0, 1, 0, 1, 0, 0, 4}, {3, 2}, runs), Status::ok);
    expect_equal(runs, Pixels({"#.", "#.", ".."}).runs(Axis::column));
}

TEST(Runs, CountsOfImagesWithoutPixels) {
    Runs runs;
    EXPECT_EQ(read({}, {0, 5}, runs), Status::ok);
    EXPECT_TRUE(runs.empty());
    EXPECT_EQ(read({0}, {5, 0}, runs), Status::ok);
    EXPECT_EQ(read({1}, {5, 0}, runs), Status::runs_do_not_fill_mask);
    EXPECT_EQ(read({}, {1, 1}, runs), Status::runs_do_not_fill_mask);
}

TEST(Runs, CountsMustFillTheMask) {
    Runs runs;
    EXPECT_EQ(read({5}, {3, 2}, runs), Status::runs_do_not_fill_mask);
    EXPECT_EQ(read({7}, {3, 2}, runs), Status::runs_do_not_fill_mask);
    EXPECT_EQ(read({4294967295U, 4294967295U}, {3, 2}, runs), Status::runs_do_not_fill_mask);
    EXPECT_EQ(read({6}, {-3, -2}, runs), Status::size_out_of_range);
}

TEST(Runs, LargeFullMaskHasOneRunPerColumn) {
    Runs runs;
    ASSERT_EQ(read({0, 400000000}, {20000, 20000}, runs), Status::ok);
    EXPECT_EQ(runs.size(), 20000);
    EXPECT_EQ(runs.pixels(), 400000000);
}

TEST(Runs, CountsSurviveTheRoundTripOfEitherAxis) {
    for_random_masks(500, [](const Pixels& pixels) {
        Counts counts;
        ASSERT_EQ(counts_from_runs(pixels.runs(Axis::column), pixels.size(), counts), Status::ok);
        for (std::size_t i = 1; i < counts.size(); ++i) {
            ASSERT_GT(counts[i], 0U);
        }
        Runs runs;
        ASSERT_EQ(read(counts, pixels.size(), runs), Status::ok);
        expect_equal(runs, pixels.runs(Axis::column));
        Counts from_rows;
        ASSERT_EQ(counts_from_runs(pixels.runs(Axis::row), pixels.size(), from_rows), Status::ok);
        ASSERT_EQ(from_rows, counts);
    });
}

TEST(Runs, CountsHave32Bits) {
    Runs runs;
    runs.clear(Axis::column);
    Counts counts;
    EXPECT_EQ(counts_from_runs(runs, {65536, 65535}, counts), Status::ok);
    EXPECT_EQ(counts_from_runs(runs, {65536, 65536}, counts), Status::rle_count_out_of_range);
    EXPECT_EQ(counts_from_runs(runs, {-1, 1}, counts), Status::size_out_of_range);
}

TEST(Runs, TransposeIsTheSameMask) {
    for_random_masks(500, [](const Pixels& pixels) {
        Runs transposed;
        transpose(pixels.runs(Axis::row), transposed);
        expect_equal(transposed, pixels.runs(Axis::column));
        transpose(pixels.runs(Axis::column), transposed);
        expect_equal(transposed, pixels.runs(Axis::row));
    });
}

TEST(Runs, DenseMasksOfAnyByteAndAnyStride) {
    // Two lines of 19 bytes of which 17 count, so that words of eight end inside of runs.
    std::vector<std::uint8_t> bytes(38, 9);
    for (const std::size_t background : {0U, 8U, 9U, 16U, 19U, 35U}) {
        bytes[background] = 0;
    }
    Runs runs;
    runs_from_dense(bytes.data(), 19, {2, 17}, Axis::row, runs);
    expect_equal(runs, Pixels({".#######..######.", ".###############."}).runs(Axis::row));
}

TEST(Runs, AnAppenderDoesWhatAppendDoes) {
    std::mt19937 generator(11);
    std::uniform_int_distribution<std::int32_t> step(0, 2);
    for (int i = 0; i < 500; ++i) {
        Runs expected;
        expected.clear(Axis::row);
        Runs runs;
        runs.clear(Axis::row);
        {
            Runs::Appender appender(runs, 60, 60);
            std::int32_t line = step(generator);
            std::int32_t at = 0;
            for (int k = 0; k < 20; ++k) {
                if (step(generator) == 0) {
                    line += 1 + step(generator);
                    at = 0;
                }
                const std::int32_t begin = at + step(generator);
                at = begin + step(generator);
                expected.append(line, begin, at);
                appender.append(line, begin, at);
            }
            const std::int32_t n = step(generator) + 1;
            appender.append_lines(line + 1, n, [](std::int32_t k) { return Lanes{k, k + 3, k + 1, k + 4}; });
            for (std::int32_t k = 0; k < n; ++k) {
                expected.append(line + 1 + k, k, k + 3);
            }
        }
        expect_equal(runs, expected);
    }
}

TEST(Runs, DenseLinesOfAnyLength) {
    std::mt19937 generator(3);
    std::geometric_distribution<int> run_length(0.03);
    std::uniform_int_distribution<int> values(1, 255);
    for (std::int32_t n = 0; n < 400; ++n) {
        std::vector<std::uint8_t> pixels;
        Runs expected;
        expected.clear(Axis::row);
        for (bool foreground = n % 2 == 0; pixels.size() < static_cast<std::size_t>(n);
             foreground = !foreground) {
            const auto begin = static_cast<std::int32_t>(pixels.size());
            const std::int32_t end = std::min(begin + run_length(generator), n);
            for (std::int32_t i = begin; i < end; ++i) {
                pixels.push_back(foreground ? static_cast<std::uint8_t>(values(generator)) : 0);
            }
            if (foreground) {
                expected.append(0, begin, end);
            }
        }
        Runs runs;
        runs_from_dense(pixels.data(), n, {1, n}, Axis::row, runs);
        ASSERT_EQ(runs.size(), expected.size()) << n;
        for (std::int64_t r = 0; r < runs.size(); ++r) {
            ASSERT_EQ(runs.data()[r].begin, expected.data()[r].begin) << n;
            ASSERT_EQ(runs.data()[r].end, expected.data()[r].end) << n;
        }
    }
}

}  // namespace
}  // namespace tfdp
