#include "tfdp/outlines.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "pixels.hpp"

namespace tfdp {
namespace {

using testing::for_random_masks;
using testing::Pixels;

TEST(Outlines, NumberCountsAndFirstPixelOfEach) {
    for_random_masks(4000, [](const Pixels& pixels) {
        const std::vector<Pixels> expected = pixels.filled().components();
        for (const Axis axis : {Axis::column, Axis::row}) {
            OutlineFinder finder;
            std::vector<Outline> outlines = finder.find(pixels.runs(axis));
            std::sort(outlines.begin(), outlines.end(),
                      [](const Outline& a, const Outline& b) { return a.listed_before(b); });
            ASSERT_EQ(outlines.size(), expected.size());
            for (std::size_t i = 0; i < expected.size(); ++i) {
                ASSERT_EQ(outlines[i].counts, expected[i].counts());
                const std::int32_t x = outlines[i].first_x;
                const std::int32_t y = outlines[i].first_y;
                ASSERT_TRUE(expected[i].at(x, y));
                for (std::int32_t other = 0; other < pixels.size().width; ++other) {
                    ASSERT_FALSE(y > 0 && expected[i].at(other, y - 1));
                    ASSERT_FALSE(other < x && expected[i].at(other, y));
                }
            }
        }
    });
}

TEST(Outlines, HolesAreFilled) {
    const auto counts = [](const std::vector<std::string>& rows) {
        OutlineFinder finder;
        const std::vector<Outline> outlines = finder.find(Pixels(rows).runs(Axis::column));
        EXPECT_EQ(outlines.size(), 1U);
        return outlines.at(0).counts;
    };
    const BoundaryCounts diamond{0, 4, 4};
    EXPECT_EQ(counts({".#.", "###", ".#."}), diamond);
    EXPECT_EQ(counts({".#.", "#.#", ".#."}), diamond);  // background is 4-connected: diagonal bridges enclose
    EXPECT_EQ(counts({"##.", "#.#", ".##"}), counts({"##.", "###", ".##"}));
    EXPECT_NE(counts({"###", "#.#", "#.."}), counts({"###", "###", "#.."}));
    // Two holes that touch diagonally.
    EXPECT_EQ(counts({"####", "#.##", "##.#", "####"}), counts({"####", "####", "####", "####"}));
    // A ring within a ring.
    const std::string full = "#######";
    EXPECT_EQ(counts({full, "#.....#", "#.###.#", "#.#.#.#", "#.###.#", "#.....#", full}),
              counts({full, full, full, full, full, full, full}));
}

TEST(Outlines, AFinderRemembersNothing) {
    OutlineFinder finder;
    for_random_masks(500, [&](const Pixels& pixels) {
        OutlineFinder fresh;
        const Runs runs = pixels.runs(Axis::column);
        const std::size_t expected = fresh.find(runs).size();
        ASSERT_EQ(finder.find(runs).size(), expected);
        for (std::size_t i = 0; i < expected; ++i) {
            ASSERT_EQ(finder.find(runs)[i].counts, fresh.find(runs)[i].counts);
        }
    });
}

TEST(DisjointSets, TheRootIsTheSmallestLabel) {
    DisjointSets sets;
    for (int i = 0; i < 6; ++i) {
        EXPECT_EQ(sets.add(), i);
    }
    EXPECT_EQ(sets.unite(5, 4), 4);
    EXPECT_EQ(sets.unite(2, 5), 2);
    EXPECT_EQ(sets.unite(2, 4), 2);
    EXPECT_EQ(sets.root(5), 2);
    EXPECT_EQ(sets.root(3), 3);
}

}  // namespace
}  // namespace tfdp
