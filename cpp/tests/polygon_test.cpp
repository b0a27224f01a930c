#include "tfdp/polygon.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace tfdp {
namespace {

using Polygon = std::vector<double>;
using Picture = std::vector<std::string>;

constexpr FillConvention both[] = {FillConvention::coco, FillConvention::opencv};
constexpr Size image{30, 40};

Status fill(PolygonFiller& filler, const std::vector<Polygon>& polygons, Size size, FillConvention convention,
            Runs& runs) {
    std::vector<double> coordinates;
    std::vector<std::int64_t> offsets{0};
    for (const Polygon& polygon : polygons) {
        coordinates.insert(coordinates.end(), polygon.begin(), polygon.end());
        offsets.push_back(static_cast<std::int64_t>(coordinates.size()));
    }
    return filler.fill(coordinates.data(), offsets.data(), static_cast<std::int64_t>(polygons.size()), size,
                       convention, runs);
}

Runs filled(const std::vector<Polygon>& polygons, Size size, FillConvention convention) {
    PolygonFiller filler;
    Runs runs;
    EXPECT_EQ(fill(filler, polygons, size, convention, runs), Status::ok);
    return runs;
}

Status status_of(const std::vector<Polygon>& polygons, Size size, FillConvention convention) {
    PolygonFiller filler;
    Runs runs;
    return fill(filler, polygons, size, convention, runs);
}

/// Calls visit(line, run) for all runs.
template <class Visit>
void for_each_run(const Runs& runs, Visit visit) {
    for (std::int64_t i = 0; i < runs.line_count(); ++i) {
        for (std::int64_t r = runs.line_begin(i); r < runs.line_begin(i + 1); ++r) {
            visit(runs.first_line() + static_cast<std::int32_t>(i), runs.data()[r]);
        }
    }
}

std::int64_t pixels(const std::vector<Polygon>& polygons, Size size, FillConvention convention) {
    std::int64_t sum = 0;
    for_each_run(filled(polygons, size, convention),
                 [&](std::int32_t, Run run) { sum += run.end - run.begin; });
    return sum;
}

Picture picture(const std::vector<Polygon>& polygons, Size size, FillConvention convention) {
    const Runs runs = filled(polygons, size, convention);
    Picture rows(static_cast<std::size_t>(size.height),
                 std::string(static_cast<std::size_t>(size.width), '.'));
    for_each_run(runs, [&](std::int32_t line, Run run) {
        for (std::int32_t i = run.begin; i < run.end; ++i) {
            const std::int32_t row = runs.axis() == Axis::row ? line : i;
            const std::int32_t column = runs.axis() == Axis::row ? i : line;
            rows.at(static_cast<std::size_t>(row)).at(static_cast<std::size_t>(column)) = '#';
        }
    });
    return rows;
}

Polygon box(double left, double top, double right, double bottom) {
    return {left, top, right, top, right, bottom, left, bottom};
}

// All expected pictures and counts come from pycocotools 2.0.11 and OpenCV 5.0.0.

TEST(Polygon, SquareOfTheSpecification) {
    EXPECT_EQ(pixels({box(10, 10, 20, 20)}, image, FillConvention::coco), 100);
    EXPECT_EQ(pixels({box(10, 10, 20, 20)}, image, FillConvention::opencv), 121);
}

TEST(Polygon, RunsLieAlongColumnsForCocoAndRowsForOpencv) {
    const Runs coco = filled({box(10, 12, 20, 18)}, image, FillConvention::coco);
    EXPECT_EQ(coco.axis(), Axis::column);
    EXPECT_EQ(coco.first_line(), 10);
    EXPECT_EQ(coco.line_count(), 10);
    EXPECT_EQ(coco.data()[9].begin, 12);
    EXPECT_EQ(coco.data()[9].end, 18);

    const Runs opencv = filled({box(10, 12, 20, 18)}, image, FillConvention::opencv);
    EXPECT_EQ(opencv.axis(), Axis::row);
    EXPECT_EQ(opencv.first_line(), 12);
    EXPECT_EQ(opencv.line_count(), 7);
    EXPECT_EQ(opencv.data()[6].begin, 10);
    EXPECT_EQ(opencv.data()[6].end, 21);
}

TEST(Polygon, FractionalTriangle) {
    const std::vector<Polygon> triangle{{1.5, 1.2, 10.7, 3.1, 4.4, 8.9}};
    EXPECT_EQ(picture(triangle, {10, 12}, FillConvention::coco),
              (Picture{"............",  //
                       "..#.........",  //
                       "..######....",  //
                       "..########..",  //
                       "...######...",  //
                       "...#####....",  //
                       "....###.....",  //
                       "....##......",  //
                       "....#.......",  //
                       "............"}));
    EXPECT_EQ(picture(triangle, {10, 12}, FillConvention::opencv),
              (Picture{"............",  //
                       ".###........",  //
                       ".#######....",  //
                       "..#########.",  //
                       "..########..",  //
                       "...######...",  //
                       "...#####....",  //
                       "....##......",  //
                       "....#.......",  //
                       "............"}));
}

TEST(Polygon, SelfIntersectionIsEvenOdd) {
    const std::vector<Polygon> star{{6, 0, 9, 9, 1, 3, 11, 3, 3, 9}};
    EXPECT_EQ(picture(star, {10, 13}, FillConvention::coco),
              (Picture{".............",  //
                       ".....##......",  //
                       ".....##......",  //
                       "..###..###...",  //
                       "...#....#....",  //
                       ".............",  //
                       "....####.....",  //
                       "...##..##....",  //
                       "...#....#....",  //
                       "............."}));
    EXPECT_EQ(picture(star, {10, 13}, FillConvention::opencv),
              (Picture{"......#......",  //
                       "......#......",  //
                       ".....###.....",  //
                       ".###########.",  //
                       "..####.####..",  //
                       "....#...##...",  //
                       "....##.##....",  //
                       "....#####....",  //
                       "...###..##...",  //
                       "...#.....#..."}));
}

TEST(Polygon, ConcaveHasSeveralRunsInALine) {
    const std::vector<Polygon> gate{{1, 1, 11, 1, 11, 8, 8, 8, 8, 4, 4, 4, 4, 8, 1, 8}};
    EXPECT_EQ(pixels(gate, {10, 13}, FillConvention::coco), 54);
    EXPECT_EQ(pixels(gate, {10, 13}, FillConvention::opencv), 76);
    const Runs opencv = filled(gate, {10, 13}, FillConvention::opencv);
    EXPECT_EQ(opencv.line_count(), 8);
    EXPECT_EQ(opencv.size(), 4 + 2 * 4);
}

TEST(Polygon, ClippedAtEachSide) {
    struct Case {
        Polygon polygon;
        std::int64_t coco;
        std::int64_t opencv;
    };
    const Case cases[] = {{box(-5, 10, 5, 20), 50, 66},
                          {box(35, 10, 45, 20), 50, 55},
                          {box(10, -5, 20, 5), 50, 66},
                          {box(10, 25, 20, 35), 50, 55},
                          {box(-100, -100, 100, 100), 1200, 1200}};
    for (const Case& c : cases) {
        EXPECT_EQ(pixels({c.polygon}, image, FillConvention::coco), c.coco);
        EXPECT_EQ(pixels({c.polygon}, image, FillConvention::opencv), c.opencv);
    }
}

TEST(Polygon, OutsideOnEachSideIsEmpty) {
    for (const Polygon& polygon : {box(-20, 10, -10, 20), box(50, 10, 60, 20), box(10, -20, 20, -10),
                                   box(10, 50, 20, 60), box(-20, -20, -10, -10)}) {
        for (const FillConvention convention : both) {
            const Runs runs = filled({polygon}, image, convention);
            EXPECT_TRUE(runs.empty());
            EXPECT_EQ(runs.line_count(), 0);
        }
    }
}

/// OpenCV fills between the rounded ends of the clipped sides: its second row is narrower than that of coco.
TEST(Polygon, ClippedObliqueSides) {
    const std::vector<Polygon> kite{{-7, 2, 5, -4, 16, 5, 6, 13}};
    EXPECT_EQ(picture(kite, {10, 12}, FillConvention::coco),
              (Picture{"##########..",  //
                       "############",  //
                       "############",  //
                       "############",  //
                       "############",  //
                       "############",  //
                       "############",  //
                       "############",  //
                       ".###########",  //
                       "..########.."}));
    EXPECT_EQ(picture(kite, {10, 12}, FillConvention::opencv),
              (Picture{"##########..",  //
                       "###########.",  //
                       "############",  //
                       "############",  //
                       "############",  //
                       "############",  //
                       "############",  //
                       "############",  //
                       ".###########",  //
                       "..##########"}));
}

TEST(Polygon, CocoRoundsAndOpencvTruncatesTowardZero) {
    const std::vector<Polygon> triangle{{-.9, -.9, 3.9, -.9, 3.9, 2.9}};
    EXPECT_EQ(picture(triangle, {4, 6}, FillConvention::coco),
              (Picture{".###..", "..##..", "...#..", "......"}));
    EXPECT_EQ(picture(triangle, {4, 6}, FillConvention::opencv),
              (Picture{"####..", ".###..", "...#..", "......"}));
    EXPECT_EQ(picture({box(1.5, 1.5, 4.5, 4.5)}, {6, 6}, FillConvention::coco),
              (Picture{"......", "......", "..###.", "..###.", "..###.", "......"}));
}

TEST(Polygon, PointsAndLinesArePaintedByOpencvOnly) {
    struct Case {
        Polygon polygon;
        std::int64_t opencv;
    };
    const Case cases[] = {{{}, 0},
                          {{3, 4}, 1},
                          {{40, 4}, 0},
                          {{-1, 4}, 0},
                          {{2, 3, 6, 3}, 5},
                          {{2, 1, 2, 5}, 5},
                          {{1, 1, 7, 3}, 7},
                          {{3, 3, 3, 3, 3, 3}, 1},
                          {{1, 1, 5, 1, 3, 1}, 5},
                          {{1, 1, 6, 4, 6, 4, 1, 1}, 6}};
    for (const Case& c : cases) {
        EXPECT_EQ(pixels({c.polygon}, image, FillConvention::coco), 0);
        EXPECT_EQ(pixels({c.polygon}, image, FillConvention::opencv), c.opencv);
    }
    EXPECT_EQ(picture({{1, 1, 10, 4}}, {6, 12}, FillConvention::opencv),
              (Picture{"............",  //
                       ".##.........",  //
                       "...###......",  //
                       "......###...",  //
                       ".........##.",  //
                       "............"}));
}

TEST(Polygon, FourNumbersAreTwoPointsAndNeverABox) {
    EXPECT_EQ(pixels({{10, 10, 20, 20}}, image, FillConvention::coco), 0);
    EXPECT_EQ(pixels({{10, 10, 20, 20}}, image, FillConvention::opencv), 11);
}

TEST(Polygon, UnionOfOverlappingPolygons) {
    const std::vector<Polygon> boxes{box(10, 10, 20, 20), box(15, 15, 25, 25)};
    EXPECT_EQ(pixels(boxes, image, FillConvention::coco), 175);
    EXPECT_EQ(pixels(boxes, image, FillConvention::opencv), 206);
    for (const FillConvention convention : both) {
        const Runs runs = filled(boxes, image, convention);
        EXPECT_EQ(runs.size(), runs.line_count());
        EXPECT_EQ(picture({boxes[1], boxes[0]}, image, convention), picture(boxes, image, convention));
        // Unlike even-odd within one polygon, covering twice is covering.
        EXPECT_EQ(picture({boxes[0], boxes[0]}, image, convention), picture({boxes[0]}, image, convention));
    }
}

TEST(Polygon, UnionMergesRunsThatTouch) {
    const std::vector<Polygon> boxes{box(15, 10, 20, 20), box(10, 10, 14, 20)};
    const Runs opencv = filled(boxes, image, FillConvention::opencv);
    EXPECT_EQ(opencv.size(), 11);
    EXPECT_EQ(pixels(boxes, image, FillConvention::opencv), 121);

    const Runs coco = filled({box(10, 10, 20, 15), box(10, 15, 20, 20)}, image, FillConvention::coco);
    EXPECT_EQ(coco.size(), 10);
    EXPECT_EQ(coco.line_count(), 10);
}

TEST(Polygon, UnionOfDistantPolygonsLeavesEmptyLines) {
    for (const FillConvention convention : both) {
        const Runs runs =
            filled({box(30, 20, 32, 22), {}, box(-9, -9, -5, -5), box(2, 2, 4, 4)}, image, convention);
        EXPECT_EQ(runs.first_line(), 2);
        EXPECT_EQ(runs.line_begin(5), runs.line_begin(6));
        EXPECT_EQ(pixels({box(30, 20, 32, 22), box(2, 2, 4, 4)}, image, convention),
                  convention == FillConvention::coco ? 8 : 18);
    }
}

TEST(Polygon, NoPolygonsOrAnEmptyImageGiveAnEmptyMask) {
    for (const FillConvention convention : both) {
        EXPECT_TRUE(filled({}, image, convention).empty());
        for (const Size size : {Size{0, 40}, Size{30, 0}, Size{0, 0}}) {
            EXPECT_TRUE(filled({box(0, 0, 5, 5)}, size, convention).empty());
            EXPECT_TRUE(filled({box(0, 0, 5, 5), box(1, 1, 2, 2)}, size, convention).empty());
        }
    }
}

TEST(Polygon, ImagesOfOneLine) {
    for (const FillConvention convention : both) {
        EXPECT_EQ(picture({box(-5, -5, 5, 5)}, {1, 1}, convention), (Picture{"#"}));
        EXPECT_EQ(picture({box(-5, -5, 9, 9)}, {1, 4}, convention), (Picture{"####"}));
        EXPECT_EQ(picture({box(-5, -5, 9, 9)}, {3, 1}, convention), (Picture{"#", "#", "#"}));
    }
}

TEST(Polygon, FarthestCoordinatesAndLargestImage) {
    const double far = max_coordinate;
    for (const FillConvention convention : both) {
        EXPECT_EQ(pixels({box(-far, -far, far, far)}, image, convention), 1200);
        EXPECT_EQ(pixels({{-far, -far, far, -far, 20, far}}, {10, 10}, convention), 100);
        EXPECT_EQ(pixels({box(10, 10, 20, 20)}, {max_side, max_side}, convention),
                  convention == FillConvention::coco ? 100 : 121);
        EXPECT_EQ(pixels({box(far - 10, far - 10, far, far)}, {max_side, max_side}, convention),
                  convention == FillConvention::coco ? 100 : 121);
    }
}

TEST(Polygon, FailureStatuses) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const Polygon good = box(1, 1, 5, 5);
    for (const FillConvention convention : both) {
        EXPECT_EQ(status_of({{1, 1, 5, 5, 3}}, image, convention), Status::coordinates_odd);
        EXPECT_EQ(status_of({good, {1}, {2}}, image, convention), Status::coordinates_odd);
        EXPECT_EQ(status_of({good, {1, 1, 2, nan}}, image, convention), Status::coordinate_not_finite);
        EXPECT_EQ(status_of({{infinity, 1}}, image, convention), Status::coordinate_not_finite);
        EXPECT_EQ(status_of({{1, -infinity}}, image, convention), Status::coordinate_not_finite);
        EXPECT_EQ(status_of({good, {1, 1, max_coordinate + 1, 5}}, image, convention),
                  Status::coordinate_out_of_range);
        EXPECT_EQ(status_of({{1, -1e300}}, image, convention), Status::coordinate_out_of_range);
        EXPECT_EQ(status_of({{max_coordinate, -max_coordinate}}, image, convention), Status::ok);
        for (const Size size : {Size{-1, 5}, Size{5, -1}, Size{max_side + 1, 5}, Size{5, max_side + 1}}) {
            EXPECT_EQ(status_of({good}, size, convention), Status::size_out_of_range);
        }
        // The order of the checks.
        EXPECT_EQ(status_of({{1e300, nan, 1}}, {-1, 5}, convention), Status::coordinates_odd);
        EXPECT_EQ(status_of({{1e300, nan}}, {-1, 5}, convention), Status::coordinate_not_finite);
        EXPECT_EQ(status_of({{1e300, 1}}, {-1, 5}, convention), Status::coordinate_out_of_range);
    }
}

TEST(Polygon, ThePolygonsMayBeginAnywhereInTheCoordinates) {
    const std::vector<double> coordinates{-1, 1e300, 10, 10, 20, 10, 20, 20, 10, 20, 1e300};
    const std::vector<std::int64_t> offsets{2, 10};
    PolygonFiller filler;
    Runs runs;
    EXPECT_EQ(filler.fill(coordinates.data(), offsets.data(), 1, image, FillConvention::coco, runs),
              Status::ok);
    EXPECT_EQ(runs.size(), 10);
}

TEST(Polygon, ReuseLeavesNoTraces) {
    const std::vector<std::vector<Polygon>> instances{
        {box(-100, -100, 100, 100)},
        {{6, 0, 9, 9, 1, 3, 11, 3, 3, 9}},
        {box(10, 10, 20, 20), box(15, 15, 25, 25), {3, 4}},
        {},
        {{1.5, 1.2, 10.7, 3.1, 4.4, 8.9}},
        {{1, 1, 5, 5, std::numeric_limits<double>::quiet_NaN()}},
        {{-7, 2, 5, -4, 16, 5, 6, 13}, {0, 0, 39, 29}},
    };
    PolygonFiller reused;
    Runs runs;
    for (int round = 0; round < 3; ++round) {
        for (const std::vector<Polygon>& polygons : instances) {
            for (const FillConvention convention : both) {
                const Status status = fill(reused, polygons, image, convention, runs);
                ASSERT_EQ(status, status_of(polygons, image, convention));
                if (status != Status::ok) {
                    continue;
                }
                const Runs fresh = filled(polygons, image, convention);
                ASSERT_EQ(runs.axis(), fresh.axis());
                ASSERT_EQ(runs.first_line(), fresh.first_line());
                ASSERT_EQ(runs.size(), fresh.size());
                ASSERT_EQ(runs.line_count(), fresh.line_count());
                for (std::int64_t i = 0; i < runs.line_count(); ++i) {
                    EXPECT_EQ(runs.line_begin(i), fresh.line_begin(i));
                }
                for (std::int64_t r = 0; r < runs.size(); ++r) {
                    EXPECT_EQ(runs.data()[r].begin, fresh.data()[r].begin);
                    EXPECT_EQ(runs.data()[r].end, fresh.data()[r].end);
                }
            }
        }
    }
}

}  // namespace
}  // namespace tfdp
