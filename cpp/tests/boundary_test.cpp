#include "tfdp/boundary.hpp"

#include <gtest/gtest.h>

#include "pixels.hpp"
#include "tfdp/contour.hpp"

namespace tfdp {
namespace {

using testing::for_random_masks;
using testing::Pixels;

BoundaryCounts primary(const std::vector<std::string>& rows) {
    BoundaryCounter counter;
    const Pixels pixels(rows);
    const BoundaryCounts by_column = counter.primary(pixels.runs(Axis::column));
    EXPECT_EQ(by_column, counter.primary(pixels.runs(Axis::row)));
    return by_column;
}

TEST(Boundary, SimpleShapes) {
    EXPECT_EQ(primary({}), (BoundaryCounts{0, 0, 0}));
    EXPECT_EQ(primary({"....", "...."}), (BoundaryCounts{0, 0, 0}));
    EXPECT_EQ(primary({"...", ".#.", "..."}), (BoundaryCounts{0, 0, 0}));
    EXPECT_EQ(primary({"####"}), (BoundaryCounts{6, 0, 0}));
    EXPECT_EQ(primary({"#", "#", "#"}), (BoundaryCounts{4, 0, 0}));
    EXPECT_EQ(primary({"#..", ".#.", "..#"}), (BoundaryCounts{0, 4, 0}));
    EXPECT_EQ(primary({"###", "###", "###"}), (BoundaryCounts{8, 0, 8}));
    EXPECT_EQ(primary({".#.", "###", ".#."}), (BoundaryCounts{0, 4, 4}));
}

TEST(Boundary, HolesAndWhatIsInsideThemDoNotCount) {
    const BoundaryCounts square =
        primary({"#######", "#######", "#######", "#######", "#######", "#######", "#######"});
    EXPECT_EQ(primary({"#######", "#.....#", "#.###.#", "#.#.#.#", "#.###.#", "#.....#", "#######"}), square);
}

TEST(Boundary, TheLargestAreaWins) {
    EXPECT_EQ(primary({"##.###", "##.###", "...###"}), (BoundaryCounts{8, 0, 8}));
}

TEST(Boundary, AmongEqualAreasTheLastInRasterOrderWins) {
    // Both enclose one square pixel: a 2 x 2 block, and one with a diagonal tail.
    EXPECT_EQ(primary({"##....", "##....", "......", "...##.", "...##.", ".....#"}),
              (BoundaryCounts{4, 2, 2}));
    EXPECT_EQ(primary({"##....", "##....", "..#...", "....##", "....##"}), (BoundaryCounts{4, 0, 2}));
    EXPECT_EQ(primary({"###...", "......", "...#.."}), (BoundaryCounts{0, 0, 0}));
    EXPECT_EQ(primary({"#.###"}), (BoundaryCounts{4, 0, 0}));
}

TEST(Boundary, EqualsItsDefinitionOnRandomMasks) {
    BoundaryCounter counter;
    for_random_masks(4000, [&](const Pixels& pixels) {
        ASSERT_EQ(counter.primary(pixels.runs(Axis::column)), pixels.primary());
        ASSERT_EQ(counter.primary(pixels.runs(Axis::row)), pixels.primary());
    });
}

TEST(Boundary, LargeImages) {
    BoundaryCounter counter;
    Runs runs;
    runs.clear(Axis::column);
    for (std::int32_t x = 0; x < 20000; ++x) {
        runs.append(x, 0, 20000);
    }
    const std::int64_t side = 19999;
    EXPECT_EQ(counter.primary(runs), (BoundaryCounts{4 * side, 0, 2 * side * side}));
}

}  // namespace
}  // namespace tfdp
