// AddressSanitizer must end this program.

#include <cstddef>
#include <vector>

int main(int argc, char**) {
    std::vector<int> values(4, 0);
    const auto past_the_end = static_cast<std::size_t>(argc) + 3;
    volatile int sink = values.data()[past_the_end];
    (void)sink;
    return 0;
}
