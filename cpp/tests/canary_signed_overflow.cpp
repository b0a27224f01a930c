// UndefinedBehaviorSanitizer must end this program.

#include <limits>

int main(int argc, char**) {
    const int largest = std::numeric_limits<int>::max();
    volatile int sink = largest + argc;
    (void)sink;
    return 0;
}
