#include "tfdp/contour_sums.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "pixels.hpp"

namespace tfdp {
namespace {

using testing::for_random_masks;
using testing::Pixels;

void check(const Pixels& pixels) {
    FlatRuns flat;
    ContourSums sums;
    for (const Axis axis : {Axis::column, Axis::row}) {
        ASSERT_TRUE(flat.assign(pixels.runs(axis)));
        BoundaryCounts primary;
        if (sums.primary(flat, primary)) {
            ASSERT_EQ(primary, pixels.primary());
        } else {
            // Of contours that tie, the counts of the first depend on the order.
            ASSERT_GT(pixels.filled().components().size(), 1U);
        }
    }
}

TEST(ContourSums, OfRandomMasks) {
    for_random_masks(4000, check);
}

TEST(ContourSums, OfBandsThatRunAlongForLong) {
    std::mt19937 generator(5);
    for (std::int32_t i = 0; i < 400; ++i) {
        check(Pixels::bands(generator, 1 + i % 6, 1 + i % 50));
    }
}

TEST(ContourSums, AllMasksOfThreeByFour) {
    for (unsigned bits = 0; bits < 1U << 12; ++bits) {
        Pixels pixels(3, 4);
        for (std::int32_t i = 0; i < 12; ++i) {
            pixels.set(i % 4, i / 4, ((bits >> i) & 1U) != 0);
        }
        check(pixels);
    }
}

TEST(ContourSums, CannotTellContoursOfOneAreaApart) {
    FlatRuns flat;
    ContourSums sums;
    BoundaryCounts primary;
    ASSERT_TRUE(flat.assign(Pixels({"##....", "##....", "..#...", "....##", "....##"}).runs(Axis::row)));
    EXPECT_FALSE(sums.primary(flat, primary));
    // Equal in everything, it does not matter which.
    ASSERT_TRUE(flat.assign(Pixels({"##....", "##....", "......", "....##", "....##"}).runs(Axis::row)));
    EXPECT_TRUE(sums.primary(flat, primary));
    EXPECT_EQ(primary, (BoundaryCounts{4, 0, 2}));
}

TEST(ContourSums, RefusesRunsThatReachBeyondTheirLine) {
    FlatRuns flat;
    ContourSums sums;
    BoundaryCounts primary;
    // A square, and in an image of 5 x 6 pixels then a run over the end of column 4.
    const std::vector<std::uint32_t> lengths{1, 3, 2, 3, 2, 3, 9, 3, 4};
    ASSERT_TRUE(flat.assign_counts(lengths.data(), 9, {5, 6}));
    EXPECT_FALSE(sums.primary(flat, primary));
}

TEST(ContourSums, EmptyLinesBetween) {
    check(Pixels({"##", "##", "..", "..", "..", "##", "##", "##"}));
    check(Pixels({"#", ".", "#", "#", ".", ".", "#"}));
}

}  // namespace
}  // namespace tfdp
