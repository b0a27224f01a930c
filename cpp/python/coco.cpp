// COCO files as text: the scanner, and pieces of the text as strings or joined into one.

#include <cstring>
#include <memory>

#if defined(__linux__)
#include <fcntl.h>
#endif

#include "arrays.hpp"
#include "bytes.hpp"
#include "register.hpp"
#include "tfdp/coco_scanner.hpp"

namespace tfdp::python {

namespace {

/// A scanner and the text that it is at. The text is let go as soon as all of it has been read.
class CocoScan {
  public:
    explicit CocoScan(const py::object& text)
        : bytes_(std::make_unique<Bytes>(text)), scanner_(bytes_->text()) {}

    bool advance(std::int64_t until) {
        if (bytes_ != nullptr) {
            {
                const py::gil_scoped_release unlocked;  // `bytes_` holds the text
                state_ = scanner_.advance(until);
            }
            if (state_ != CocoScanner::State::scanning) {
                bytes_.reset();
            }
        }
        return state_ == CocoScanner::State::scanning;
    }

    [[nodiscard]] bool complete() const noexcept { return state_ == CocoScanner::State::complete; }
    [[nodiscard]] const CocoScanner& scanner() const noexcept { return scanner_; }

  private:
    std::unique_ptr<Bytes> bytes_;
    CocoScanner scanner_;
    CocoScanner::State state_ = CocoScanner::State::scanning;
};

py::list texts_at(const py::object& text, const Int64& spans) {
    const Bytes bytes(text);
    check_spans(spans, bytes.size());
    const std::int64_t* const span = spans.data();
    py::list texts(spans.shape(0));
    for (py::ssize_t i = 0; i < spans.shape(0); ++i) {
        const auto length = static_cast<std::size_t>(span[2 * i + 1] - span[2 * i]);
        texts[static_cast<std::size_t>(i)] = py::str(bytes.begin() + span[2 * i], length);
    }
    return texts;
}

py::bytes join_spans(const py::object& text, const Int64& spans, const py::bytes& separator) {
    const Bytes bytes(text);
    check_spans(spans, bytes.size());
    const auto between = static_cast<std::string_view>(separator);
    const std::int64_t* const span = spans.data();
    const py::ssize_t n = spans.shape(0);
    std::size_t length = n > 1 ? between.size() * static_cast<std::size_t>(n - 1) : 0;
    for (py::ssize_t i = 0; i < n; ++i) {
        length += static_cast<std::size_t>(span[2 * i + 1] - span[2 * i]);
    }
    PyObject* const raw = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(length));
    if (raw == nullptr) {
        throw py::error_already_set();
    }
    auto joined = py::reinterpret_steal<py::bytes>(raw);
    char* out = PyBytes_AS_STRING(raw);
    const py::gil_scoped_release unlocked;  // nobody else has `joined` yet, and the arguments are held
    for (py::ssize_t i = 0; i < n; ++i) {
        if (i > 0) {
            std::memcpy(out, between.data(), between.size());
            out += between.size();
        }
        const auto size = static_cast<std::size_t>(span[2 * i + 1] - span[2 * i]);
        std::memcpy(out, bytes.begin() + span[2 * i], size);
        out += size;
    }
    return joined;
}

/// Asks the system to write a part of a file to the disk by and by, where it can be asked.
void start_writeback([[maybe_unused]] int file, [[maybe_unused]] std::int64_t begin,
                     [[maybe_unused]] std::int64_t end) {
#if defined(__linux__)
    const py::gil_scoped_release unlocked;
    // Only a beginning: it is fsync that says what went wrong.
    (void)sync_file_range(file, begin, end - begin, SYNC_FILE_RANGE_WRITE);
#endif
}

/// Binds something of the scanner as a read-only array that keeps it alive.
template <class Get>
void column(py::class_<CocoScan>& scan, const char* name, Get get, const char* doc) {
    scan.def_property_readonly(
        name, [get](const py::object& self) { return view(get(self.cast<CocoScan&>().scanner()), self); },
        doc);
}

}  // namespace

void register_coco(py::module_& m) {
    py::class_<CocoScan> scan(
        m, "CocoScan",
        "Reads the records of COCO's lists from JSON text. What it does not accept may still be good.");
    scan.def(py::init<const py::object&>(), py::arg("text"), "From UTF-8 in any bytes-like object.");
    scan.def("advance", &CocoScan::advance, py::arg("until"),
             "Go on to the end of the record at a position, without the GIL; is there more?");
    scan.def_property_readonly("complete", &CocoScan::complete,
                               "Has all of the text been read, and is it strict JSON with the three lists?");
    scan.def_property_readonly(
        "lists",
        [](const CocoScan& self) {
            py::list lists;
            for (std::size_t i = 0; i < 3; ++i) {
                const Span& list = self.scanner().list(i);
                lists.append(py::make_tuple(list.begin, list.end));
            }
            return lists;
        },
        "The spans of images, annotations and categories, with their brackets.");
    scan.def_property_readonly(
        "plain_images", [](const CocoScan& self) { return self.scanner().images().plain; },
        "Do the columns of images hold?");
    scan.def_property_readonly(
        "plain_annotations", [](const CocoScan& self) { return self.scanner().annotations().plain; },
        "Do the columns of annotations hold?");
    using S = CocoScanner;
    column(scan, "images", [](const S& s) -> auto& { return s.images().records; }, "int64 [I, 2]: records.");
    column(scan, "image_ids", [](const S& s) -> auto& { return s.images().ids; }, "int64 [I].");
    column(
        scan, "image_sizes", [](const S& s) -> auto& { return s.images().sizes; },
        "int32 [2 * I]: heights and widths.");
    column(
        scan, "file_names", [](const S& s) -> auto& { return s.images().file_names; },
        "int64 [I, 2]: text within its quotes.");
    column(
        scan, "annotations", [](const S& s) -> auto& { return s.annotations().records; },
        "int64 [R, 2]: records.");
    column(
        scan, "segmentations", [](const S& s) -> auto& { return s.annotations().segmentations; },
        "int64 [R, 2].");
    column(scan, "annotation_ids", [](const S& s) -> auto& { return s.annotations().ids; }, "int64 [R].");
    column(
        scan, "annotation_image_ids", [](const S& s) -> auto& { return s.annotations().image_ids; },
        "int64 [R].");
    column(
        scan, "annotation_category_ids", [](const S& s) -> auto& { return s.annotations().category_ids; },
        "int64 [R].");
    column(scan, "crowd", [](const S& s) -> auto& { return s.annotations().crowd; }, "uint8 [R]: 0 or 1.");
    column(
        scan, "ignored", [](const S& s) -> auto& { return s.annotations().ignored; }, "uint8 [R]: 0 or 1.");
    m.def("texts_at", &texts_at, py::arg("text"), py::arg("spans").noconvert(),
          "Pieces of UTF-8 as str, by their spans int64 [N, 2].");
    m.def("join_spans", &join_spans, py::arg("text"), py::arg("spans").noconvert(), py::arg("separator"),
          "Pieces of a text, by their spans int64 [N, 2], with a separator between them.");
    m.def("start_writeback", &start_writeback, py::arg("file"), py::arg("begin"), py::arg("end"),
          "Have the system begin to write the bytes of an open file from begin to end to the disk.");
}

}  // namespace tfdp::python
