#include "tfdp/flat_runs.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "pixels.hpp"

namespace tfdp {
namespace {

using testing::for_random_masks;
using testing::Pixels;

std::vector<std::uint32_t> lengths_of(const Pixels& pixels) {
    std::vector<std::uint32_t> lengths;
    EXPECT_EQ(counts_from_runs(pixels.runs(Axis::column), pixels.size(), lengths), Status::ok);
    return lengths;
}

bool assign(FlatRuns& flat, const std::vector<std::uint32_t>& lengths, Size size) {
    return flat.assign_counts(lengths.data(), static_cast<std::int64_t>(lengths.size()), size);
}

/// Calls see(line, begin, end) for each run, in pieces that end with their line.
template <class See>
void for_each_run(const FlatRuns& flat, See see) {
    for (Run run : flat) {
        while (run.begin < run.end) {
            const std::int32_t line = run.begin / flat.line_length();
            const std::int32_t top = line * flat.line_length();
            const std::int32_t end = std::min(run.end, top + flat.line_length());
            see(line, run.begin - top, end - top);
            run.begin = end;
        }
    }
}

TEST(FlatRuns, HoldsThePixelsOfRuns) {
    FlatRuns flat;
    for_random_masks(1000, [&](const Pixels& pixels) {
        for (const Axis axis : {Axis::column, Axis::row}) {
            const Runs runs = pixels.runs(axis);
            ASSERT_TRUE(flat.assign(runs));
            ASSERT_EQ(flat.size(), runs.size());
            Runs again;
            again.clear(axis);
            for_each_run(flat, [&](std::int32_t line, std::int32_t begin, std::int32_t end) {
                again.append(runs.first_line() + line, begin, end);
            });
            ASSERT_EQ(again.size(), runs.size());
            for (std::int64_t r = 0; r < runs.size(); ++r) {
                ASSERT_EQ(again.data()[r].begin, runs.data()[r].begin);
                ASSERT_EQ(again.data()[r].end, runs.data()[r].end);
            }
        }
    });
}

TEST(FlatRuns, HoldsThePixelsOfRunLengths) {
    FlatRuns flat;
    for_random_masks(1000, [&](const Pixels& pixels) {
        ASSERT_TRUE(assign(flat, lengths_of(pixels), pixels.size()));
        Pixels again(pixels.size().height, pixels.size().width);
        for_each_run(flat, [&](std::int32_t x, std::int32_t begin, std::int32_t end) {
            for (std::int32_t y = begin; y < end; ++y) {
                again.set(x, y, true);
            }
        });
        for (std::int32_t y = 0; y < pixels.size().height; ++y) {
            for (std::int32_t x = 0; x < pixels.size().width; ++x) {
                ASSERT_EQ(again.at(x, y), pixels.at(x, y));
            }
        }
    });
}

TEST(FlatRuns, WhatLiesBehindTheLastRunIsBeyondEveryLine) {
    FlatRuns flat;
    for (std::uint32_t n = 1; n < 12; ++n) {
        std::vector<std::uint32_t> lengths(n, 1);
        ASSERT_TRUE(assign(flat, lengths, {1, static_cast<std::int32_t>(n)}));
        ASSERT_EQ(flat.size(), n / 2);
        for (std::int64_t i = 0; i < FlatRuns::padding; ++i) {
            EXPECT_GE(flat.end()[i].begin, FlatRuns::max_pixels);
        }
    }
}

TEST(FlatRuns, AnAppenderAddsTheLines) {
    FlatRuns flat;
    flat.clear(10);
    {
        FlatRuns::Appender appender(flat, 8, 5);
        appender.append(0, 9, 10);
        appender.append(1, 0, 2);  // in another line, so it does not extend the last one
        appender.append(1, 2, 4);
        appender.append(1, 5, 5);
        appender.append_lines(2, 3, [](std::int32_t k) { return Lanes{k, k + 3, k + 1, k + 4}; });
        appender.append(4, 5, 7);
        appender.append(4, 8, 9);
    }
    const std::vector<std::pair<std::int32_t, std::int32_t>> expected{{9, 10},  {10, 14}, {20, 23},
                                                                      {31, 34}, {42, 47}, {48, 49}};
    ASSERT_EQ(flat.size(), static_cast<std::int64_t>(expected.size()));
    for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(flat.begin()[i].begin, expected[i].first) << i;
        EXPECT_EQ(flat.begin()[i].end, expected[i].second) << i;
    }
    EXPECT_GE(flat.end()->begin, FlatRuns::max_pixels);
}

TEST(FlatRuns, RefusesLengthsThatDoNotFillTheImage) {
    FlatRuns flat;
    EXPECT_FALSE(assign(flat, {}, {3, 5}));
    EXPECT_FALSE(assign(flat, {14}, {3, 5}));
    EXPECT_TRUE(assign(flat, {15}, {3, 5}));
    EXPECT_TRUE(assign(flat, {}, {0, 5}));
    EXPECT_FALSE(assign(flat, {15}, {-3, -5}));
    // Sums of 32 bits that wrap around to the right one.
    for (std::size_t i = 0; i < 9; ++i) {
        for (const std::uint32_t large : {0xFFFFFFFFU, 0x80000000U, 0x40000000U, 0x10000000U}) {
            std::vector<std::uint32_t> lengths(9, 2);
            lengths[i] = large;
            std::uint32_t others = 0;
            for (std::size_t k = 0; k < lengths.size(); ++k) {
                others += k == (i + 1) % 9 ? 0 : lengths[k];
            }
            lengths[(i + 1) % 9] = 18 - others;
            EXPECT_FALSE(assign(flat, lengths, {3, 6})) << i << " " << large;
        }
    }
}

TEST(FlatRuns, RefusesLengthsOfZeroButTheFirst) {
    FlatRuns flat;
    for (std::size_t i = 0; i < 9; ++i) {
        std::vector<std::uint32_t> lengths(9, 2);
        lengths[i] = 0;
        EXPECT_EQ(assign(flat, lengths, {4, 4}), i == 0) << i;
    }
}

TEST(FlatRuns, RefusesWhatIsTooLarge) {
    FlatRuns flat;
    const std::int32_t side = 1 << 14;
    EXPECT_FALSE(assign(flat, {0, 1U << 28}, {side, side}));
    EXPECT_TRUE(assign(flat, {0, (1U << 28) - static_cast<std::uint32_t>(side)}, {side, side - 1}));
    Runs runs;
    runs.clear(Axis::row);
    runs.append(0, 0, side);
    runs.append(side - 2, 0, 1);
    EXPECT_TRUE(flat.assign(runs));
    runs.append(side - 1, 0, 1);
    EXPECT_FALSE(flat.assign(runs));
    runs.clear(Axis::row);
    runs.append(5, 1 << 28, (1 << 28) + 1);
    EXPECT_FALSE(flat.assign(runs));
}

}  // namespace
}  // namespace tfdp
