#pragma once

#include <cstdint>
#include <string_view>

#include "pybind.hpp"

namespace tfdp::python {

/// Bytes that some Python object lends.
class Bytes {
  public:
    explicit Bytes(py::handle object) {
        if (PyObject_GetBuffer(object.ptr(), &buffer_, PyBUF_SIMPLE) != 0) {
            throw py::error_already_set();
        }
    }
    ~Bytes() { PyBuffer_Release(&buffer_); }
    Bytes(const Bytes&) = delete;
    Bytes& operator=(const Bytes&) = delete;
    Bytes(Bytes&&) = delete;
    Bytes& operator=(Bytes&&) = delete;

    [[nodiscard]] const char* begin() const noexcept { return static_cast<const char*>(buffer_.buf); }
    [[nodiscard]] std::int64_t size() const noexcept { return buffer_.len; }
    [[nodiscard]] std::string_view text() const noexcept {
        return {begin(), static_cast<std::size_t>(buffer_.len)};
    }

  private:
    Py_buffer buffer_{};
};

}  // namespace tfdp::python
