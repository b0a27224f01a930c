#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pybind.hpp"
#include "tfdp/coco_scanner.hpp"
#include "tfdp/status.hpp"

namespace tfdp::python {

// The arrays that cross the border. All are C-contiguous; a wrong dtype is refused, never converted.
using UInt8 = py::array_t<std::uint8_t, py::array::c_style>;
using UInt32 = py::array_t<std::uint32_t, py::array::c_style>;
using Int32 = py::array_t<std::int32_t, py::array::c_style>;
using Int64 = py::array_t<std::int64_t, py::array::c_style>;
using Float64 = py::array_t<double, py::array::c_style>;

/// An array that owns the vector's memory.
template <class T>
py::array_t<T> take(std::vector<T>&& values) {
    auto* const owner = new std::vector<T>(std::move(values));
    const py::capsule base(owner, [](void* p) { delete static_cast<std::vector<T>*>(p); });
    return py::array_t<T>(static_cast<py::ssize_t>(owner->size()), owner->data(), base);
}

/// The same as [n / 2, 2].
template <class T>
py::array_t<T> take_pairs(std::vector<T>&& values) {
    const auto n = static_cast<py::ssize_t>(values.size() / 2);
    return take(std::move(values)).reshape({n, py::ssize_t{2}});
}

/// What setflags(write=False) does, in a tenth of its time.
inline void make_read_only(py::handle array) {
    py::detail::array_proxy(array.ptr())->flags &= ~py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
}

/// A read-only view of a vector that lives as long as `owner`.
template <class T>
py::array_t<T> view(const std::vector<T>& values, py::handle owner) {
    py::array_t<T> array(static_cast<py::ssize_t>(values.size()), values.data(), owner);
    make_read_only(array);
    return array;
}

/// The same of spans, as [n, 2].
inline Int64 view(const std::vector<Span>& spans, py::handle owner) {
    static_assert(sizeof(Span) == 2 * sizeof(std::int64_t));
    const auto n = static_cast<py::ssize_t>(spans.size());
    Int64 array({n, py::ssize_t{2}}, n > 0 ? &spans.data()->begin : nullptr, owner);
    make_read_only(array);
    return array;
}

[[noreturn]] inline void refuse(const std::string& what) {
    throw py::value_error(what);
}

/// Offsets [n + 1] that ascend from 0 to the end of a column: anything else would read out of bounds.
inline void check_offsets(const Int64& offsets, py::ssize_t end, const char* name) {
    if (offsets.ndim() != 1 || offsets.size() < 1 || offsets.at(0) != 0 ||
        offsets.at(offsets.size() - 1) != end) {
        refuse(std::string(name) + " must be one-dimensional, start at 0 and end at " + std::to_string(end));
    }
    const std::int64_t* const o = offsets.data();
    for (py::ssize_t i = 1; i < offsets.size(); ++i) {
        if (o[i] < o[i - 1]) {
            refuse(std::string(name) + " must not descend");
        }
    }
}

/// Sizes [n, 2] of height and width.
inline void check_sizes(const Int32& sizes, py::ssize_t n) {
    if (sizes.ndim() != 2 || sizes.shape(0) != n || sizes.shape(1) != 2) {
        refuse("sizes must have shape [" + std::to_string(n) + ", 2]");
    }
}

/// Spans [n, 2] that lie within a text.
inline void check_spans(const Int64& spans, std::int64_t length) {
    if (spans.ndim() != 2 || spans.shape(1) != 2) {
        refuse("spans must have shape [N, 2]");
    }
    const std::int64_t* const span = spans.data();
    for (py::ssize_t i = 0; i < spans.shape(0); ++i) {
        if (span[2 * i] < 0 || span[2 * i] > span[2 * i + 1] || span[2 * i + 1] > length) {
            refuse("span " + std::to_string(i) + " is not within the text");
        }
    }
}

[[nodiscard]] inline Size size_at(const std::int32_t* sizes, std::int64_t i) noexcept {
    return {sizes[2 * i], sizes[2 * i + 1]};
}

}  // namespace tfdp::python
