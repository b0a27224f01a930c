#include "tfdp/components.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "pixels.hpp"

namespace tfdp {
namespace {

using testing::for_random_masks;
using testing::Pixels;

TEST(Components, NumberCountsAndFirstPixelOfEach) {
    for_random_masks(1000, [](const Pixels& pixels) {
        const std::vector<Pixels> expected = pixels.components();
        for (const Axis axis : {Axis::column, Axis::row}) {
            ComponentLabeller labeller;
            labeller.label(pixels.runs(axis));
            std::vector<Component> components = labeller.components();
            std::sort(components.begin(), components.end(),
                      [](const Component& a, const Component& b) { return a.listed_before(b); });
            ASSERT_EQ(components.size(), expected.size());
            for (std::size_t i = 0; i < expected.size(); ++i) {
                ASSERT_EQ(components[i].counts, expected[i].counts());
                const std::int32_t x = components[i].first_x;
                const std::int32_t y = components[i].first_y;
                ASSERT_TRUE(expected[i].at(x, y));
                for (std::int32_t other = 0; other < pixels.size().width; ++other) {
                    ASSERT_FALSE(y > 0 && expected[i].at(other, y - 1));
                    ASSERT_FALSE(other < x && expected[i].at(other, y));
                }
            }
        }
    });
}

TEST(Components, HolesByEulersFormula) {
    const auto holes = [](const std::vector<std::string>& rows) {
        ComponentLabeller labeller;
        labeller.label(Pixels(rows).runs(Axis::column));
        return labeller.holes();
    };
    EXPECT_EQ(holes({}), 0);
    EXPECT_EQ(holes({"###", "###"}), 0);
    EXPECT_EQ(holes({"###", "#.#", "###"}), 1);
    EXPECT_EQ(holes({".#.", "#.#", ".#."}), 1);  // background is 4-connected: diagonal bridges enclose
    EXPECT_EQ(holes({"##.", "#.#", ".##"}), 1);
    EXPECT_EQ(holes({"###", "#.#", "#.."}), 0);
    EXPECT_EQ(holes({"#####", "#.#.#", "#####"}), 2);
    EXPECT_EQ(holes({"#######", "#.....#", "#.###.#", "#.#.#.#", "#.###.#", "#.....#", "#######"}), 2);
}

TEST(HoleFiller, FillsWhatDoesNotReachTheOutside) {
    for_random_masks(1000, [](const Pixels& pixels) {
        for (const Axis axis : {Axis::column, Axis::row}) {
            HoleFiller filler;
            Runs filled;
            filler.fill(pixels.runs(axis), filled);
            const Pixels expected = pixels.filled();
            for (std::int32_t y = 0; y < pixels.size().height; ++y) {
                for (std::int32_t x = 0; x < pixels.size().width; ++x) {
                    ASSERT_EQ(filled.contains(x, y), expected.at(x, y));
                }
            }
            ComponentLabeller labeller;
            labeller.label(filled);
            ASSERT_EQ(labeller.holes(), 0);
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
