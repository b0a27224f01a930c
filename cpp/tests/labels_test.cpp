#include "tfdp/labels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tfdp {
namespace {

TEST(Labels, RunsOfEachLabel) {
    const std::vector<std::int32_t> map{5, 5, 0, -2,  //
                                        5, 0, 0, -2,  //
                                        0, 5, 5, 5};
    LabelRuns label_runs;
    label_runs.read(map.data(), 16, {3, 4}, 0);
    ASSERT_EQ(label_runs.labels(), (std::vector<std::int64_t>{-2, 5}));
    Runs runs;
    label_runs.runs_of(1, runs);
    EXPECT_EQ(runs.axis(), Axis::row);
    EXPECT_EQ(runs.size(), 3);
    EXPECT_EQ(runs.pixels(), 6);
    EXPECT_TRUE(runs.contains(3, 2));
    EXPECT_FALSE(runs.contains(3, 1));
}

TEST(Labels, TheBackgroundIsAChoice) {
    const std::vector<std::uint8_t> map{255, 0, 1};
    LabelRuns label_runs;
    label_runs.read(map.data(), 3, {1, 3}, 255);
    EXPECT_EQ(label_runs.labels(), (std::vector<std::int64_t>{0, 1}));
}

TEST(Labels, MapsWithoutPixels) {
    LabelRuns label_runs;
    label_runs.read(static_cast<const std::int16_t*>(nullptr), 0, {0, 7}, 0);
    EXPECT_TRUE(label_runs.labels().empty());
}

template <class T>
class LabelTypes : public ::testing::Test {};
using AllTypes = ::testing::Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,
                                  std::uint32_t, std::int64_t>;
TYPED_TEST_SUITE(LabelTypes, AllTypes);

TYPED_TEST(LabelTypes, EachPixelBelongsToItsLabelAlone) {
    std::mt19937 generator(7);
    std::uniform_int_distribution<int> label(0, 4);
    constexpr std::int32_t height = 9;
    constexpr std::int32_t width = 13;
    std::vector<TypeParam> map(height * width);
    for (TypeParam& value : map) {
        value = static_cast<TypeParam>(label(generator) * 31);
    }
    LabelRuns label_runs;
    label_runs.read(map.data(), width * static_cast<std::ptrdiff_t>(sizeof(TypeParam)), {height, width}, 0);
    ASSERT_EQ(label_runs.labels(), (std::vector<std::int64_t>{31, 62, 93, 124}));
    Runs runs;
    for (std::int64_t i = 0; i < 4; ++i) {
        label_runs.runs_of(i, runs);
        for (std::int32_t y = 0; y < height; ++y) {
            for (std::int32_t x = 0; x < width; ++x) {
                const auto value = static_cast<std::int64_t>(map[static_cast<std::size_t>(y * width + x)]);
                ASSERT_EQ(runs.contains(x, y), value == 31 * (i + 1));
            }
        }
    }
}

TYPED_TEST(LabelTypes, RunsOfAnyLength) {
    std::mt19937 generator(8);
    std::geometric_distribution<int> run_length(0.02);
    for (std::int32_t n = 0; n < 300; ++n) {
        std::vector<TypeParam> row;
        while (row.size() < static_cast<std::size_t>(n)) {
            const int value = static_cast<int>(row.size() * 7 % 100);
            row.insert(row.end(), static_cast<std::size_t>(1 + run_length(generator)),
                       static_cast<TypeParam>(value));
        }
        row.resize(static_cast<std::size_t>(n));
        LabelRuns label_runs;
        label_runs.read(row.data(), 0, {1, n}, 0);
        Runs runs;
        std::int64_t pixels = 0;
        for (std::size_t i = 0; i < label_runs.labels().size(); ++i) {
            label_runs.runs_of(static_cast<std::int64_t>(i), runs);
            pixels += runs.pixels();
            for (std::int32_t x = 0; x < n; ++x) {
                const bool here = row[static_cast<std::size_t>(x)] == label_runs.labels()[i];
                ASSERT_EQ(runs.contains(x, 0), here) << n << " " << x;
            }
        }
        ASSERT_EQ(pixels, n - std::count(row.begin(), row.end(), TypeParam{0}));
    }
}

}  // namespace
}  // namespace tfdp
