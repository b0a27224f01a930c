#include <limits>
#include <memory>
#include <new>

#include "arrays.hpp"
#include "bytes.hpp"
#include "columns.hpp"
#include "register.hpp"
#include "tfdp/runs.hpp"
#include "tfdp/segmentation.hpp"

namespace tfdp::python {

namespace {

bool is_sequence(py::handle object) noexcept {
    return PyList_Check(object.ptr()) || PyTuple_Check(object.ptr());
}

bool is_array(py::handle object) {
    return py::isinstance<py::array>(object);
}

/// Is it an array of integers or of floating-point numbers? Booleans and objects are not coordinates.
bool is_numeric(const py::array& array) {
    const char kind = array.dtype().kind();
    return kind == 'i' || kind == 'u' || kind == 'f';
}

/// An item of a list or tuple; none if there is no such item any more.
py::object item_at(py::handle sequence, py::ssize_t i) {
#if defined(Py_GIL_DISABLED)
    if (PyList_Check(sequence.ptr())) {
        PyObject* const item = PyList_GetItemRef(sequence.ptr(), i);
        if (item == nullptr) {
            PyErr_Clear();
        }
        return py::reinterpret_steal<py::object>(item);
    }
#endif
    return py::reinterpret_borrow<py::object>(PySequence_Fast_GET_ITEM(sequence.ptr(), i));
}

/// What a dict has under a key; none if it has nothing.
py::object value_of(py::handle dict, const char* key) {
#if PY_VERSION_HEX >= 0x030D0000
    PyObject* value = nullptr;
    if (PyDict_GetItemStringRef(dict.ptr(), key, &value) < 0) {
        PyErr_Clear();
    }
    return py::reinterpret_steal<py::object>(value);
#else
    return py::reinterpret_borrow<py::object>(PyDict_GetItemString(dict.ptr(), key));
#endif
}

template <class Take>
Status for_each_item(py::handle sequence, Take take_item, py::ssize_t first = 0) {
    // The length is asked again each time: an item's __float__ may run any code.
    for (py::ssize_t i = first; i < PySequence_Fast_GET_SIZE(sequence.ptr()); ++i) {
        const py::object item = item_at(sequence, i);
        if (!item) {
            break;  // another thread has just made the list shorter
        }
        const Status status = take_item(item);
        if (status != Status::ok) {
            return status;
        }
    }
    return Status::ok;
}

Status take_coordinate(py::handle number, SegmentationBatch& batch) {
    PyObject* const p = number.ptr();
    if (PyFloat_CheckExact(p)) {
        batch.coordinates.push_back(PyFloat_AS_DOUBLE(p));
        return Status::ok;
    }
    if (PyBool_Check(p) || PyUnicode_Check(p) || PyBytes_Check(p) || PyNumber_Check(p) == 0) {
        return Status::segmentation_type;
    }
    const double value = PyFloat_AsDouble(p);
    if (value == -1.0 && PyErr_Occurred() != nullptr) {
        const bool too_large = PyErr_ExceptionMatches(PyExc_OverflowError) != 0;
        PyErr_Clear();
        return too_large ? Status::coordinate_out_of_range : Status::segmentation_type;
    }
    batch.coordinates.push_back(value);
    return Status::ok;
}

/// Mostly all items are floats. Returns how many of the first ones are, and have been taken.
py::ssize_t take_floats([[maybe_unused]] py::handle sequence,
                        [[maybe_unused]] std::vector<double>& coordinates) {
#if defined(Py_GIL_DISABLED)
    return 0;  // another thread may change the list meanwhile
#else
    PyObject* const* const items = PySequence_Fast_ITEMS(sequence.ptr());
    const auto n = static_cast<std::size_t>(PySequence_Fast_GET_SIZE(sequence.ptr()));
    const std::size_t begin = coordinates.size();
    coordinates.resize(begin + n);
    std::size_t i = 0;
    for (; i < n && PyFloat_CheckExact(items[i]); ++i) {
        coordinates[begin + i] = PyFloat_AS_DOUBLE(items[i]);
    }
    coordinates.resize(begin + i);
    return static_cast<py::ssize_t>(i);
#endif
}

/// A list x0, y0, x1, y1, ..., or an array of that or of shape [n, 2].
Status take_polygon(py::handle polygon, SegmentationBatch& batch) {
    Status status = Status::segmentation_type;
    if (is_sequence(polygon)) {
        const py::ssize_t taken = take_floats(polygon, batch.coordinates);
        status =
            for_each_item(polygon, [&](py::handle number) { return take_coordinate(number, batch); }, taken);
    } else if (is_array(polygon)) {
        const auto array = py::reinterpret_borrow<py::array>(polygon);
        const bool flat = array.ndim() == 1 || (array.ndim() == 2 && array.shape(1) == 2);
        if (flat && is_numeric(array)) {
            const py::array_t<double, py::array::c_style | py::array::forcecast> values(array);
            batch.coordinates.insert(batch.coordinates.end(), values.data(), values.data() + values.size());
            status = Status::ok;
        }
    }
    batch.polygon_offsets.push_back(static_cast<std::int64_t>(batch.coordinates.size()));
    return status;
}

Status take_whole_number(py::handle number, std::int64_t& value) {
    // __index__ is what a whole number has, whatever its type; a bool has it too, but is none.
    if (PyBool_Check(number.ptr()) || PyIndex_Check(number.ptr()) == 0) {
        return Status::rle_counts_type;
    }
    int overflow = 0;
    value = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
    if (value == -1 && PyErr_Occurred() != nullptr) {
        PyErr_Clear();
        return Status::rle_counts_type;
    }
    return overflow == 0 ? Status::ok : Status::rle_count_out_of_range;
}

Status take_count(py::handle number, SegmentationBatch& batch) {
    std::int64_t count = 0;
    const Status status = take_whole_number(number, count);
    if (status != Status::ok) {
        return status;
    }
    if (count < 0 || count > std::numeric_limits<std::uint32_t>::max()) {
        return Status::rle_count_out_of_range;
    }
    batch.counts.push_back(static_cast<std::uint32_t>(count));
    return Status::ok;
}

Status take_counts(py::handle counts, SegmentationBatch& batch, SegmentationKind& kind) {
    const char* text = nullptr;
    Py_ssize_t length = 0;
    if (PyBytes_Check(counts.ptr())) {
        text = PyBytes_AS_STRING(counts.ptr());
        length = PyBytes_GET_SIZE(counts.ptr());
    } else if (PyUnicode_Check(counts.ptr())) {
        text = PyUnicode_AsUTF8AndSize(counts.ptr(), &length);  // beyond ASCII it has bytes that no RLE has
        if (text == nullptr) {
            PyErr_Clear();
            return Status::rle_bad_character;
        }
    }
    if (text != nullptr) {
        kind = SegmentationKind::compressed_rle;
        batch.text.insert(batch.text.end(), text, text + length);
        return Status::ok;
    }
    kind = SegmentationKind::rle;
    if (is_sequence(counts)) {
        return for_each_item(counts, [&](py::handle number) { return take_count(number, batch); });
    }
    if (is_array(counts)) {
        return take_counts(counts.attr("tolist")(), batch, kind);
    }
    return Status::rle_counts_type;
}

Status take_size(py::handle object, Size& size) {
    if (is_array(object)) {
        return take_size(object.attr("tolist")(), size);
    }
    if (!is_sequence(object) || PySequence_Fast_GET_SIZE(object.ptr()) != 2) {
        return Status::segmentation_type;
    }
    std::int64_t sides[2] = {0, 0};
    std::int64_t* side = sides;
    const Status status = for_each_item(object, [&](py::handle number) {
        const Status taken = take_whole_number(number, *side);
        if (taken != Status::ok) {
            return taken == Status::rle_counts_type ? Status::segmentation_type : Status::size_out_of_range;
        }
        const bool in_range = *side >= 0 && *side <= max_side;
        ++side;
        return in_range ? Status::ok : Status::size_out_of_range;
    });
    size = {static_cast<std::int32_t>(sides[0]), static_cast<std::int32_t>(sides[1])};
    return status;
}

Status take_rle(py::handle rle, SegmentationBatch& batch, SegmentationKind& kind, Size& size) {
    const py::object counts = value_of(rle, "counts");
    if (!counts) {
        return Status::segmentation_type;
    }
    const py::object stated = value_of(rle, "size");
    if (stated) {
        const Status status = take_size(stated, size);
        if (status != Status::ok) {
            return status;
        }
    }
    return take_counts(counts, batch, kind);
}

/// A dense mask [H, W] of bool or uint8, any strides.
Status take_dense(const py::array& array, SegmentationBatch& batch, Size& size) {
    const bool flags =
        py::isinstance<py::array_t<bool>>(array) || py::isinstance<py::array_t<std::uint8_t>>(array);
    if (!flags || array.ndim() != 2) {
        return Status::segmentation_type;
    }
    if (array.shape(0) > max_side || array.shape(1) > max_side) {
        return Status::size_out_of_range;
    }
    size = {static_cast<std::int32_t>(array.shape(0)), static_cast<std::int32_t>(array.shape(1))};
    // Columns, so that the run lengths come out in COCO's order.
    const auto columns = py::array::ensure(array, py::array::f_style);
    if (!columns) {
        throw std::bad_alloc();  // the only reason: the copy did not fit
    }
    Runs runs;
    runs_from_dense(static_cast<const std::uint8_t*>(columns.data()), size.height, size, Axis::column, runs);
    std::vector<std::uint32_t> counts;
    const Status status = counts_from_runs(runs, size, counts);
    batch.counts.insert(batch.counts.end(), counts.begin(), counts.end());
    return status;
}

void append_object(py::handle object, Size image, SegmentationBatch& batch) {
    SegmentationKind kind = SegmentationKind::empty;
    Size own = unknown_size;
    Status status = Status::ok;
    if (PyDict_Check(object.ptr())) {
        status = take_rle(object, batch, kind, own);
    } else if (is_sequence(object)) {
        kind =
            PySequence_Fast_GET_SIZE(object.ptr()) > 0 ? SegmentationKind::polygons : SegmentationKind::empty;
        status = for_each_item(object, [&](py::handle polygon) { return take_polygon(polygon, batch); });
    } else if (is_array(object)) {
        kind = SegmentationKind::rle;
        status = take_dense(py::reinterpret_borrow<py::array>(object), batch, own);
    } else if (!object.is_none()) {
        status = Status::segmentation_type;
    }
    if (status == Status::ok) {
        batch.finish(kind, own, image);
    } else {
        batch.fail(status);
    }
}

/// A batch of Python objects; `size_of(i)` is the size of the image of the i-th.
template <class SizeOf>
std::unique_ptr<SegmentationBatch> gather(const py::list& segmentations, SizeOf size_of) {
    auto batch = std::make_unique<SegmentationBatch>();
    std::int64_t i = 0;
    for (const py::handle segmentation : segmentations) {
        append_object(segmentation, size_of(i++), *batch);
        // Large arrays take their time, and the GIL is held anyway: here a Ctrl-C costs nothing to look for.
        if (i % 64 == 0 && PyErr_CheckSignals() != 0) {
            throw py::error_already_set();
        }
    }
    return batch;
}

std::unique_ptr<SegmentationBatch> from_objects(const py::list& segmentations, const Int32& sizes) {
    check_sizes(sizes, static_cast<py::ssize_t>(segmentations.size()));
    return gather(segmentations, [&](std::int64_t i) { return size_at(sizes.data(), i); });
}

std::unique_ptr<SegmentationBatch> from_image(const py::list& segmentations, std::int32_t height,
                                              std::int32_t width) {
    return gather(segmentations, [=](std::int64_t) { return Size{height, width}; });
}

/// Height times width of each compressed RLE.
Int64 pixels_of_text(const SegmentationBatch& batch) {
    Int64 pixels(static_cast<py::ssize_t>(batch.text_offsets.size()) - 1);
    std::int64_t* out = pixels.mutable_data();
    for (std::size_t i = 0; i < batch.kinds.size(); ++i) {
        if (batch.kinds[i] == static_cast<std::uint8_t>(SegmentationKind::compressed_rle)) {
            *out++ = size_at(batch.sizes.data(), static_cast<std::int64_t>(i)).pixels();
        }
    }
    return pixels;
}

std::unique_ptr<SegmentationBatch> from_json(const py::object& text, const Int64& spans, const Int32& sizes) {
    const Bytes bytes(text);
    check_spans(spans, bytes.size());
    const py::ssize_t n = spans.shape(0);
    check_sizes(sizes, n);
    const std::int64_t* const span = spans.data();
    auto batch = std::make_unique<SegmentationBatch>();
    const std::int32_t* const size = sizes.data();
    const py::gil_scoped_release unlocked;  // `bytes` holds the text
    for (py::ssize_t i = 0; i < n; ++i) {
        const auto length = static_cast<std::size_t>(span[2 * i + 1] - span[2 * i]);
        append_json({bytes.begin() + span[2 * i], length}, size_at(size, i), *batch);
    }
    return batch;
}

/// Where pieces of a buffer lie in it: msgspec.Raw objects point into the text that they were decoded from.
Int64 spans_of(const py::list& pieces, const py::object& text) {
    const Bytes whole(text);
    Int64 spans({static_cast<py::ssize_t>(pieces.size()), py::ssize_t{2}});
    std::int64_t* out = spans.mutable_data();
    for (const py::handle piece : pieces) {
        const Bytes part(piece);
        const std::int64_t begin = part.begin() - whole.begin();
        if (begin < 0 || begin + part.size() > whole.size()) {
            refuse("a piece does not lie in the text");
        }
        *out++ = begin;
        *out++ = begin + part.size();
    }
    return spans;
}

/// Binds a column as a read-only array that keeps the batch alive.
template <class T>
void column(py::class_<SegmentationBatch>& batch, const char* name,
            std::vector<T> SegmentationBatch::* member, const char* doc) {
    batch.def_property_readonly(
        name,
        [member](const py::object& self) { return view(self.cast<SegmentationBatch&>().*member, self); },
        doc);
}

}  // namespace

void register_segmentations(py::module_& m) {
    py::native_enum<SegmentationKind>(m, "SegmentationKind", "enum.IntEnum",
                                      "What a segmentation is written as.")
        .value("EMPTY", SegmentationKind::empty)
        .value("POLYGONS", SegmentationKind::polygons)
        .value("COMPRESSED_RLE", SegmentationKind::compressed_rle)
        .value("RLE", SegmentationKind::rle)
        .finalize();
    py::class_<SegmentationBatch> batch(m, "SegmentationBatch",
                                        "The segmentations of N instances, as columns.");
    batch.def_static("from_objects", &from_objects, py::arg("segmentations"), py::arg("sizes").noconvert(),
                     "From Python objects and the images' sizes int32 [N, 2] (-1, -1: not known).");
    batch.def_static("from_image", &from_image, py::arg("segmentations"), py::arg("height"), py::arg("width"),
                     "From Python objects of one image and its size (-1, -1: not known).");
    batch.def_static("from_json", &from_json, py::arg("text"), py::arg("spans").noconvert(),
                     py::arg("sizes").noconvert(), "From spans int64 [N, 2] (begin, end) of a JSON text.");
    batch.def_static("from_text", &from_text, py::arg("text"), py::arg("spans").noconvert(),
                     py::arg("own").noconvert(), py::arg("sizes").noconvert(),
                     "From spans int64 [N, 2] of compressed counts, and the sizes that go with them.");
    batch.def_static("from_polygons", &from_polygons, py::arg("coordinates").noconvert(),
                     py::arg("polygon_offsets").noconvert(), py::arg("instance_offsets").noconvert(),
                     py::arg("sizes").noconvert(), "From polygons as columns.");
    column(batch, "kinds", &SegmentationBatch::kinds, "uint8 [N]: SegmentationKind.");
    column(batch, "statuses", &SegmentationBatch::statuses, "uint8 [N]: Status.");
    batch.def_property_readonly(
        "sizes",
        [](const py::object& self) {
            return view(self.cast<SegmentationBatch&>().sizes, self).attr("reshape")(-1, 2);
        },
        "int32 [N, 2]: height and width.");
    column(batch, "coordinates", &SegmentationBatch::coordinates,
           "float64: x0, y0, x1, ... of all polygons.");
    column(batch, "polygon_offsets", &SegmentationBatch::polygon_offsets, "int64 [P + 1] into coordinates.");
    column(batch, "instance_offsets", &SegmentationBatch::instance_offsets, "int64 into the polygons.");
    column(batch, "text", &SegmentationBatch::text, "uint8: compressed counts.");
    column(batch, "text_offsets", &SegmentationBatch::text_offsets, "int64 into text.");
    batch.def_property_readonly("text_pixels", &pixels_of_text,
                                "int64 [T]: height * width of each compressed RLE.");
    column(batch, "counts", &SegmentationBatch::counts, "uint32: run lengths.");
    column(batch, "counts_offsets", &SegmentationBatch::counts_offsets, "int64 into counts.");
    m.def("spans_of", &spans_of, py::arg("pieces"), py::arg("text"),
          "Where pieces of a buffer lie in it: int64 [N, 2] of begin and end.");
}

}  // namespace tfdp::python
