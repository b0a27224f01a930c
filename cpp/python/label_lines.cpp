#include "tfdp/label_lines.hpp"

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "register.hpp"

namespace tfdp::python {

namespace {

py::tuple read_label_lines(const std::vector<py::bytes>& texts) {
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    LabelLines lines;
    std::vector<std::int64_t> text_offsets{0};
    {
        const py::gil_scoped_release unlocked;  // the caller holds the texts
        for (const std::string_view text : views) {
            lines.add(text);
            text_offsets.push_back(static_cast<std::int64_t>(lines.numbers.size()));
        }
    }
    return py::make_tuple(take(std::move(text_offsets)), take(std::move(lines.numbers)),
                          take_pairs(std::move(lines.spans)), take(std::move(lines.classes)),
                          take(std::move(lines.offsets)), take(std::move(lines.coordinates)));
}

}  // namespace

void register_label_lines(py::module_& m) {
    m.def("read_label_lines", &read_label_lines, py::arg("texts"),
          "The lines of label files that hold something: offsets of the texts into them, numbers, spans in "
          "their text, classes (-1 where a line is not plain), offsets into the coordinates, coordinates.");
}

}  // namespace tfdp::python
