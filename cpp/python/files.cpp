#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <vector>

#include "register.hpp"

namespace tfdp::python {

namespace {

/// What a file holds, or why it cannot be read.
struct Content {
    std::string bytes;
    int error = 0;
};

/// All that can be read from an open file.
Content read_open(int file) {
    Content content;
    struct stat about{};
    const bool known = ::fstat(file, &about) == 0 && about.st_size > 0;
    // A byte more than there should be, so that the end is seen without more room.
    std::size_t room = known ? static_cast<std::size_t>(about.st_size) + 1 : 4096;
    std::size_t size = 0;
    for (;;) {
        content.bytes.resize(room);
        const ::ssize_t got = ::read(file, content.bytes.data() + size, room - size);
        if (got < 0 && errno != EINTR) {
            return {{}, errno};
        }
        if (got == 0) {
            break;
        }
        size += got > 0 ? static_cast<std::size_t>(got) : 0;
        if (size == room) {
            room *= 2;
        }
    }
    content.bytes.resize(size);
    return content;
}

Content read_file(const std::string& path) {
    if (path.find('\0') != std::string::npos) {
        return {{}, EINVAL};
    }
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return {{}, errno};
    }
    Content content = read_open(file);
    ::close(file);
    return content;
}

py::list read_files(const std::vector<std::string>& paths) {
    std::vector<Content> contents;
    contents.reserve(paths.size());
    {
        const py::gil_scoped_release unlocked;
        for (const std::string& path : paths) {
            contents.push_back(read_file(path));
        }
    }
    py::list found;
    for (const Content& content : contents) {
        if (content.error != 0) {
            found.append(content.error);
        } else {
            found.append(py::bytes(content.bytes));
        }
    }
    return found;
}

}  // namespace

void register_files(py::module_& m) {
    m.def("read_files", &read_files, py::arg("paths"),
          "What files hold, as bytes, or the number of the system's error. Python's lock is released once.");
}

}  // namespace tfdp::python
