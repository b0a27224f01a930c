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

TEST(Boundary, OfRunLengthsEqualsItsDefinitionOnRandomMasks) {
    BoundaryCounter counter;
    std::vector<std::uint32_t> lengths;
    for_random_masks(4000, [&](const Pixels& pixels) {
        ASSERT_EQ(counts_from_runs(pixels.runs(Axis::column), pixels.size(), lengths), Status::ok);
        BoundaryCounts primary;
        ASSERT_EQ(counter.primary_of_counts(lengths.data(), static_cast<std::int64_t>(lengths.size()),
                                            pixels.size(), primary),
                  Status::ok);
        ASSERT_EQ(primary, pixels.primary());
    });
}

TEST(Boundary, RunLengthsOfZeroAreLegalAnywhere) {
    BoundaryCounter counter;
    // The square of 2 x 2 pixels in an image of 4 x 4, its first column in two pieces.
    const std::vector<std::uint32_t> lengths{5, 1, 0, 1, 2, 2, 5, 0};
    BoundaryCounts primary;
    EXPECT_EQ(counter.primary_of_counts(lengths.data(), 8, {4, 4}, primary), Status::ok);
    EXPECT_EQ(primary, (BoundaryCounts{4, 0, 2}));
}

TEST(Boundary, RunLengthsThatDoNotFillTheImage) {
    BoundaryCounter counter;
    const std::vector<std::uint32_t> lengths{5, 2, 2, 0xFFFFFFFFU, 8, 0x80000000U, 0x7FFFFFFFU, 1};
    BoundaryCounts primary;
    for (std::int64_t n = 0; n <= 8; ++n) {
        EXPECT_EQ(counter.primary_of_counts(lengths.data(), n, {4, 4}, primary),
                  Status::runs_do_not_fill_mask)
            << n;
    }
    EXPECT_EQ(counter.primary_of_counts(lengths.data(), 2, {-1, 4}, primary), Status::size_out_of_range);
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
