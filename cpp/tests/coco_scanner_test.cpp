#include "tfdp/coco_scanner.hpp"

#include <gtest/gtest.h>

#include <string>

#include "strict_json.hpp"

namespace tfdp {
namespace {

const std::string source = R"( {"info": {"n": [1, -2.5e+3, true, null, "\u00e9\ud83d\ude00\/"]},
 "images": [{"id": 7, "height": 20, "width": 30, "file_name": "a b.jpg"},
  {"file_name" :"é.png","width":5,"coco_url":null,"height":0,"id":-3 }],
 "annotations": [
  {"id": 1, "image_id": 7, "category_id": 3, "segmentation": [[1, 2.5, -3, 4, 5, 6]], "iscrowd": 0},
  {"segmentation":{"counts":[1,2,3],"size":[2,3]},"iscrowd":1,"ignore":false,"id":2,"image_id":-3,"category_id":3},
  {"id": 9223372036854775807, "image_id": 7, "category_id": 3, "segmentation": null, "ignore": true}
 ], "categories": [{"id": 3, "name": "]}"}]} )";

using State = CocoScanner::State;

State scan(const std::string& text) {
    CocoScanner scanner(text);
    return scanner.advance(static_cast<std::int64_t>(text.size()));
}

std::string piece(const Span& span) {
    return source.substr(static_cast<std::size_t>(span.begin),
                         static_cast<std::size_t>(span.end - span.begin));
}

void expect_source(const CocoScanner& scanner) {
    const ImageColumns& images = scanner.images();
    const AnnotationColumns& annotations = scanner.annotations();
    EXPECT_TRUE(images.plain);
    EXPECT_EQ(images.ids, (std::vector<std::int64_t>{7, -3}));
    EXPECT_EQ(images.sizes, (std::vector<std::int32_t>{20, 30, 0, 5}));
    ASSERT_EQ(images.file_names.size(), 2U);
    EXPECT_EQ(piece(images.file_names[0]), "a b.jpg");
    EXPECT_EQ(piece(images.file_names[1]), "é.png");
    EXPECT_EQ(piece(images.records[0]), R"({"id": 7, "height": 20, "width": 30, "file_name": "a b.jpg"})");
    EXPECT_TRUE(annotations.plain);
    EXPECT_EQ(annotations.ids, (std::vector<std::int64_t>{1, 2, 9223372036854775807}));
    EXPECT_EQ(annotations.image_ids, (std::vector<std::int64_t>{7, -3, 7}));
    EXPECT_EQ(annotations.category_ids, (std::vector<std::int64_t>{3, 3, 3}));
    EXPECT_EQ(annotations.crowd, (std::vector<std::uint8_t>{0, 1, 0}));
    EXPECT_EQ(annotations.ignored, (std::vector<std::uint8_t>{0, 0, 1}));
    ASSERT_EQ(annotations.segmentations.size(), 3U);
    EXPECT_EQ(piece(annotations.segmentations[0]), "[[1, 2.5, -3, 4, 5, 6]]");
    EXPECT_EQ(piece(annotations.segmentations[1]), R"({"counts":[1,2,3],"size":[2,3]})");
    EXPECT_EQ(piece(annotations.segmentations[2]), "null");
    EXPECT_EQ(piece(annotations.records[2]).front(), '{');
    EXPECT_EQ(piece(annotations.records[2]).back(), '}');
    EXPECT_EQ(piece(scanner.list(2)), R"([{"id": 3, "name": "]}"}])");
}

TEST(CocoScanner, ReadsColumns) {
    CocoScanner scanner(source);
    EXPECT_EQ(scanner.advance(static_cast<std::int64_t>(source.size())), State::complete);
    expect_source(scanner);
}

TEST(CocoScanner, StepsDoNotMatter) {
    for (const std::int64_t step : {1, 7, 100}) {
        CocoScanner scanner(source);
        std::int64_t at = 0;
        while (scanner.advance(at) == State::scanning) {
            ASSERT_LE(at, static_cast<std::int64_t>(source.size()));
            at += step;
        }
        EXPECT_EQ(scanner.advance(at), State::complete);
        expect_source(scanner);
    }
}

TEST(CocoScanner, RefusesATextThatEndsTooEarly) {
    const std::string text = source.substr(0, source.find_last_of('}'));
    for (std::size_t n = 0; n <= text.size(); ++n) {
        const std::string shorter = text.substr(0, n);  // sanitizers see what is read beyond it
        CocoScanner scanner(shorter);
        EXPECT_NE(scanner.advance(static_cast<std::int64_t>(n) + 1), State::complete) << shorter;
    }
}

std::string with(const std::string& what, const std::string& instead) {
    std::string text = source;
    return text.replace(text.find(what), what.size(), instead);
}

TEST(CocoScanner, RefusesWhatIsNoCocoFile) {
    for (const std::string& text : {std::string("[]"),
                                    std::string("{}"),
                                    source + "x",
                                    with(R"("images")", R"("pictures")"),
                                    with(R"("info")", R"("images")"),
                                    with(R"("info")", R"("\u0069nfo")"),
                                    with(R"("categories": [)", R"("categories": {"x": [)"),
                                    with(R"({"n": [)", R"({"n": [NaN, )"),
                                    with("-2.5e+3", "-02.5"),
                                    with("-2.5e+3", "2.e1"),
                                    with("-2.5e+3", "1e"),
                                    with("true", "True"),
                                    with("true", "truely"),
                                    with(R"(\/)", R"(\x)"),
                                    with(R"(\ude00)", ""),
                                    with(R"(\ud83d)", ""),
                                    with("é.png", "\xE9.png"),
                                    with("a b", "a\tb"),
                                    with("2.5, -3", "2.5,, -3"),
                                    with("[[1", "[[01"),
                                    with("[1,2,3]", "[1,2,3,]"),
                                    with("[1,2,3]", "[1,2,03]"),
                                    with("null,\"height\"", "nul,\"height\""),
                                    with(R"("id": 7,)", R"("id": 7)"),
                                    with("  {\"segmentation\"", "  ,{\"segmentation\"")}) {
        EXPECT_EQ(scan(text), State::refused) << text;
    }
    const std::string deep = with("true", std::string(99, '[') + std::string(99, ']'));
    EXPECT_EQ(scan(deep), State::refused);
}

TEST(CocoScanner, ListsThatAreNotPlain) {
    const auto plain = [](const std::string& text, bool& images, bool& annotations) {
        CocoScanner scanner(text);
        EXPECT_EQ(scanner.advance(static_cast<std::int64_t>(text.size())), State::complete) << text;
        images = scanner.images().plain;
        annotations = scanner.annotations().plain;
        EXPECT_EQ(scanner.images().records.size(), 2U);
        EXPECT_EQ(scanner.annotations().records.size(), 3U);
    };
    bool images = false;
    bool annotations = false;
    for (const std::string& text :
         {with(R"("id": 7, "height")", R"("id": "7", "height")"),
          with(R"("height": 20)", R"("height": 20.0)"), with(R"("height": 20)", R"("height": -1)"),
          with(R"("height": 20)", R"("height": 536870913)"), with(R"("height": 20, )", ""),
          with(R"("height": 20)", R"("height": 20, "id": 7)"), with("\"a b.jpg\"", "null"),
          with("a b", R"(a\/b)"), with(R"("coco_url":null)", R"("coco_url":1)"),
          with(R"("file_name" :)", R"("file\u005fname" :)")}) {
        plain(text, images, annotations);
        EXPECT_FALSE(images) << text;
        EXPECT_TRUE(annotations) << text;
    }
    for (const std::string& text :
         {with(R"("id": 1,)", R"("id": 1.0,)"), with(R"("id": 1,)", R"("id": "1",)"), with(R"("id": 1,)", ""),
          with("9223372036854775807", "9223372036854775808"), with(R"("iscrowd": 0)", R"("iscrowd": 0.0)"),
          with(R"("iscrowd": 0)", R"("iscrowd": "no")"), with(R"("iscrowd": 0)", R"("segmentation": [])"),
          with(R"("segmentation": null, )", ""), with(R"("iscrowd": 0)", R"("i\u0064": 0)"),
          with(R"({"segmentation":{"counts":[1,2,3],"size":[2,3]},"iscrowd":1,)"
               "\"ignore\":false,\"id\":2,"
               "\"image_id\":-3,\"category_id\":3}",
               "5")}) {
        plain(text, images, annotations);
        EXPECT_TRUE(images) << text;
        EXPECT_FALSE(annotations) << text;
    }
}

TEST(StrictJson, Utf8) {
    const auto accepted = [](const std::string& inside) {
        const std::string text = "\"" + inside + "\"";
        StrictJson json(text);
        return json.skip_value() && json.at_end();
    };
    for (const char* good : {"\x7f", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                             "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
        EXPECT_TRUE(accepted(good)) << good;
        EXPECT_TRUE(accepted(std::string(30, 'x') + good + std::string(30, 'x'))) << good;
    }
    for (const char* bad : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x7F", "\xE0\x9F\xBF",
                            "\xED\xA0\x80", "\xEF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                            "\xF5\x80\x80\x80", "\xF0\x90\x80", "\xFF", "\x1F"}) {
        EXPECT_FALSE(accepted(bad)) << bad;
        EXPECT_FALSE(accepted(std::string(30, 'x') + bad + std::string(30, 'x'))) << bad;
    }
}

}  // namespace
}  // namespace tfdp
