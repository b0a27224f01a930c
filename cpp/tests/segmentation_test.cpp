#include "tfdp/segmentation.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tfdp {
namespace {

constexpr Size image{10, 20};

Status read(const std::string& json, SegmentationBatch& batch, Size size = image) {
    append_json(json, size, batch);
    return static_cast<Status>(batch.statuses.back());
}

Status read(const std::string& json, Size size = image) {
    SegmentationBatch batch;
    return read(json, batch, size);
}

TEST(Segmentation, PolygonsOfSeveralInstances) {
    SegmentationBatch batch;
    EXPECT_EQ(read("[[1, 2.5, 3, 4, 5, 6], [ 7 , 8 ]]", batch), Status::ok);
    EXPECT_EQ(read("null", batch), Status::ok);
    EXPECT_EQ(read("[[]]", batch), Status::ok);
    EXPECT_EQ(batch.kinds, (std::vector<std::uint8_t>{1, 0, 1}));
    EXPECT_EQ(batch.coordinates, (std::vector<double>{1, 2.5, 3, 4, 5, 6, 7, 8}));
    EXPECT_EQ(batch.polygon_offsets, (std::vector<std::int64_t>{0, 6, 8, 8}));
    EXPECT_EQ(batch.instance_offsets, (std::vector<std::int64_t>{0, 2, 3}));
    EXPECT_EQ(batch.sizes, (std::vector<std::int32_t>{10, 20, 10, 20, 10, 20}));
}

TEST(Segmentation, RleOfBothKinds) {
    SegmentationBatch batch;
    EXPECT_EQ(read(R"({"size": [10, 20], "counts": [5, 6]})", batch), Status::ok);
    EXPECT_EQ(read(R"({"counts": "a\\b", "extra": {"size": [1]}, "size": [10, 20]})", batch), Status::ok);
    EXPECT_EQ(read(R"({"counts": []})", batch), Status::ok);
    EXPECT_EQ(batch.kinds, (std::vector<std::uint8_t>{3, 2, 3}));
    EXPECT_EQ(batch.counts, (std::vector<std::uint32_t>{5, 6}));
    EXPECT_EQ(batch.counts_offsets, (std::vector<std::int64_t>{0, 2, 2}));
    EXPECT_EQ(std::string(batch.text.begin(), batch.text.end()), "a\\b");
}

TEST(Segmentation, AKeyGivenTwiceCountsAsItsLastValue) {
    SegmentationBatch batch;
    EXPECT_EQ(read(R"({"counts": "abc", "counts": [7]})", batch), Status::ok);
    EXPECT_EQ(batch.kinds.back(), 3);
    EXPECT_TRUE(batch.text.empty());
}

TEST(Segmentation, Sizes) {
    EXPECT_EQ(read(R"({"size": [10, 20], "counts": ""})", unknown_size), Status::ok);
    EXPECT_EQ(read(R"({"size": [20, 10], "counts": ""})"), Status::size_mismatch);
    EXPECT_EQ(read(R"({"counts": ""})", unknown_size), Status::size_missing);
    EXPECT_EQ(read("[[1, 2]]", unknown_size), Status::size_missing);
    EXPECT_EQ(read("[]", unknown_size), Status::ok);
    EXPECT_EQ(read(R"({"size": [-1, 20], "counts": ""})"), Status::size_out_of_range);
    EXPECT_EQ(read(R"({"size": [10, 99999999999], "counts": ""})"), Status::size_out_of_range);
    EXPECT_EQ(read(R"({"size": [10], "counts": ""})"), Status::segmentation_type);
    EXPECT_EQ(read(R"({"size": [10, 20, 3], "counts": ""})"), Status::segmentation_type);
    EXPECT_EQ(read(R"({"size": "10", "counts": ""})"), Status::segmentation_type);
}

TEST(Segmentation, WhatIsRefused) {
    EXPECT_EQ(read("5"), Status::segmentation_type);
    EXPECT_EQ(read("\"abc\""), Status::segmentation_type);
    EXPECT_EQ(read("[1, 2, 3, 4]"), Status::segmentation_type);
    EXPECT_EQ(read("[[1, \"2\"]]"), Status::segmentation_type);
    EXPECT_EQ(read("[[1, null]]"), Status::segmentation_type);
    EXPECT_EQ(read("[[[1, 2]]]"), Status::segmentation_type);
    EXPECT_EQ(read("{}"), Status::segmentation_type);
    EXPECT_EQ(read(R"({"size": [10, 20]})"), Status::segmentation_type);
    EXPECT_EQ(read(R"({"counts": null})"), Status::rle_counts_type);
    EXPECT_EQ(read(R"({"counts": [1, 2.5]})"), Status::rle_counts_type);
    EXPECT_EQ(read(R"({"counts": ["1"]})"), Status::rle_counts_type);
    EXPECT_EQ(read(R"({"counts": [-1]})"), Status::rle_count_out_of_range);
    EXPECT_EQ(read(R"({"counts": [4294967296]})"), Status::rle_count_out_of_range);
    EXPECT_EQ(read("[[1, 2]"), Status::json_malformed);
    EXPECT_EQ(read("[[1, 2]] 3"), Status::json_malformed);
    EXPECT_EQ(read("[[1 2]]"), Status::json_malformed);
    EXPECT_EQ(read(R"({"counts": "ab)"), Status::json_malformed);
    EXPECT_EQ(read(R"({"counts" "ab"})"), Status::json_malformed);
}

TEST(Segmentation, AFailureTakesNothingAwayFromTheOthers) {
    SegmentationBatch batch;
    EXPECT_EQ(read("[[1, 2, 3, 4, 5, 6]]", batch), Status::ok);
    EXPECT_EQ(read("[[7, 8], [9, null]]", batch), Status::segmentation_type);
    EXPECT_EQ(read(R"({"counts": [1, -1]})", batch), Status::rle_count_out_of_range);
    EXPECT_EQ(read(R"({"counts": "ab)", batch), Status::json_malformed);
    EXPECT_EQ(read("[[10, 11]]", batch), Status::ok);
    EXPECT_EQ(batch.coordinates, (std::vector<double>{1, 2, 3, 4, 5, 6, 10, 11}));
    EXPECT_EQ(batch.polygon_offsets, (std::vector<std::int64_t>{0, 6, 8}));
    EXPECT_EQ(batch.instance_offsets, (std::vector<std::int64_t>{0, 1, 2}));
    EXPECT_EQ(batch.kinds, (std::vector<std::uint8_t>{1, 0, 0, 0, 1}));
    EXPECT_TRUE(batch.counts.empty());
    EXPECT_TRUE(batch.text.empty());
}

// Every prefix of a segmentation is malformed, and none of them is read past its end.
TEST(Segmentation, Prefixes) {
    for (const std::string whole :
         {R"([[1.5, -2e3], [7, 8, 9, 10]])", R"({"size": [10, 20], "counts": "a\\\u0041"})",
          R"({"counts": [1, 2, 3], "more": [{"x": "y"}]})"}) {
        EXPECT_EQ(read(whole), Status::ok);
        for (std::size_t n = 0; n < whole.size(); ++n) {
            const std::string prefix(whole.data(), n);
            EXPECT_NE(read(prefix), Status::ok) << prefix;
        }
    }
}

}  // namespace
}  // namespace tfdp
