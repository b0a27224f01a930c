#include "tfdp/contour.hpp"

#include <gtest/gtest.h>

#include "pixels.hpp"
#include "tfdp/boundary.hpp"

namespace tfdp {
namespace {

using testing::for_random_masks;
using testing::Pixels;
using Points = std::vector<Point>;

std::vector<Points> trace(const Pixels& pixels, Axis axis) {
    ContourTracer tracer;
    Contours contours;
    tracer.trace(pixels.runs(axis), contours);
    std::vector<Points> split;
    for (std::size_t i = 0; i + 1 < contours.offsets.size(); ++i) {
        split.emplace_back(contours.points.begin() + contours.offsets[i],
                           contours.points.begin() + contours.offsets[i + 1]);
    }
    return split;
}

// The expected lists are what OpenCV 5.0 returns for these masks.
TEST(Contour, StartsAtTheFirstPixelAndGoesDown) {
    EXPECT_EQ(trace(Pixels({"###", "###", "###"}), Axis::row),
              (std::vector<Points>{{{0, 0}, {0, 2}, {2, 2}, {2, 0}}}));
    EXPECT_EQ(trace(Pixels({".#.", "###", ".#."}), Axis::row),
              (std::vector<Points>{{{1, 0}, {0, 1}, {1, 2}, {2, 1}}}));
}

TEST(Contour, PixelsAndLines) {
    EXPECT_EQ(trace(Pixels({".", "#"}), Axis::column), (std::vector<Points>{{{0, 1}}}));
    EXPECT_EQ(trace(Pixels({"####"}), Axis::column), (std::vector<Points>{{{0, 0}, {3, 0}}}));
    EXPECT_EQ(trace(Pixels({"#.#", ".#."}), Axis::column),
              (std::vector<Points>{{{0, 0}, {1, 1}, {2, 0}, {1, 1}}}));
}

TEST(Contour, TheLastInRasterOrderComesFirst) {
    EXPECT_EQ(trace(Pixels({"#.#", "...", "#.."}), Axis::row),
              (std::vector<Points>{{{0, 2}}, {{2, 0}}, {{0, 0}}}));
}

TEST(Contour, WhatIsInsideAHoleHasNone) {
    EXPECT_EQ(trace(Pixels({"#####", "#...#", "#.#.#", "#...#", "#####"}), Axis::row).size(), 1U);
}

TEST(Contour, CountsByTheDefinitions) {
    const Points diamond{{1, 0}, {0, 1}, {1, 2}, {2, 1}};
    EXPECT_EQ(counts_of_contour(diamond.data(), 4), (BoundaryCounts{0, 4, 4}));
    EXPECT_EQ(counts_of_contour(diamond.data(), 1), (BoundaryCounts{0, 0, 0}));
    EXPECT_EQ(counts_of_contour(diamond.data(), 0), (BoundaryCounts{0, 0, 0}));
}

TEST(Contour, TracingAgreesWithCountingOnRandomMasks) {
    BoundaryCounter counter;
    for_random_masks(4000, [&](const Pixels& pixels) {
        const std::vector<Points> contours = trace(pixels, Axis::column);
        ASSERT_EQ(contours, trace(pixels, Axis::row));
        BoundaryCounts primary;
        bool first = true;
        for (const Points& contour : contours) {
            const BoundaryCounts counts =
                counts_of_contour(contour.data(), static_cast<std::int64_t>(contour.size()));
            if (first || counts.area2 > primary.area2) {
                primary = counts;
                first = false;
            }
        }
        ASSERT_EQ(counter.primary(pixels.runs(Axis::column)), primary);
    });
}

}  // namespace
}  // namespace tfdp
