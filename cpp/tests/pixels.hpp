#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tfdp/boundary_counts.hpp"
#include "tfdp/runs.hpp"

namespace tfdp::testing {

/// A mask as pixels, and the definitions of everything that the core counts over runs, pixel by pixel.
class Pixels {
  public:
    Pixels(std::int32_t height, std::int32_t width)
        : height_(height), width_(width), values_(static_cast<std::size_t>(size().pixels()), 0) {}

    /// From rows of equal length: '#' is foreground.
    explicit Pixels(const std::vector<std::string>& rows)
        : Pixels(static_cast<std::int32_t>(rows.size()),
                 rows.empty() ? 0 : static_cast<std::int32_t>(rows[0].size())) {
        for (std::int32_t y = 0; y < height_; ++y) {
            for (std::int32_t x = 0; x < width_; ++x) {
                set(x, y, rows[static_cast<std::size_t>(y)][static_cast<std::size_t>(x)] == '#');
            }
        }
    }

    static Pixels random(std::mt19937& generator, std::int32_t largest_side, double density) {
        std::uniform_int_distribution<std::int32_t> side(0, largest_side);
        std::bernoulli_distribution foreground(density);
        Pixels pixels(side(generator), side(generator));
        for (std::uint8_t& value : pixels.values_) {
            value = foreground(generator) ? 1 : 0;
        }
        return pixels;
    }

    /// Bands with wavy edges from the left to the right, as the runs of real masks are: for many columns each
    /// run touches one of the column before.
    static Pixels bands(std::mt19937& generator, std::int32_t n, std::int32_t width) {
        std::uniform_int_distribution<std::int32_t> wave(-1, 1);
        std::bernoulli_distribution jump(0.05);
        Pixels pixels(8 * n, width);
        std::vector<std::int32_t> edges;
        for (std::int32_t e = 0; e < 2 * n; ++e) {
            edges.push_back(4 * e + 2);
        }
        for (std::int32_t x = 0; x < width; ++x) {
            for (std::int32_t e = 0; e < 2 * n; ++e) {
                std::int32_t& edge = edges[static_cast<std::size_t>(e)];
                edge += (jump(generator) ? 3 : 1) * wave(generator);
                edge = std::min(std::max(edge, 4 * e - 3), 4 * e + 7);
            }
            for (std::int32_t y = 0; y < pixels.height_; ++y) {
                const auto above = std::count_if(edges.begin(), edges.end(), [y](auto e) { return e <= y; });
                pixels.set(x, y, above % 2 == 1);
            }
        }
        return pixels;
    }

    [[nodiscard]] Size size() const noexcept { return {height_, width_}; }

    [[nodiscard]] bool at(std::int32_t x, std::int32_t y) const noexcept {
        return x >= 0 && x < width_ && y >= 0 && y < height_ && values_[index(x, y)] != 0;
    }
    void set(std::int32_t x, std::int32_t y, bool value) { values_[index(x, y)] = value ? 1 : 0; }

    [[nodiscard]] Runs runs(Axis axis) const {
        Runs runs;
        if (axis == Axis::row) {
            runs_from_dense(values_.data(), width_, size(), axis, runs);
        } else {
            std::vector<std::uint8_t> columns;
            for (std::int32_t x = 0; x < width_; ++x) {
                for (std::int32_t y = 0; y < height_; ++y) {
                    columns.push_back(values_[index(x, y)]);
                }
            }
            runs_from_dense(columns.data(), height_, size(), axis, runs);
        }
        return runs;
    }

    /// The pixels that can be reached from a pixel through neighbours of the same value: a component.
    [[nodiscard]] Pixels component_of(std::int32_t x, std::int32_t y, bool eight_connected) const {
        Pixels component(height_, width_);
        std::vector<std::pair<std::int32_t, std::int32_t>> todo{{x, y}};
        component.set(x, y, true);
        while (!todo.empty()) {
            const auto [px, py] = todo.back();
            todo.pop_back();
            for (std::int32_t dy = -1; dy <= 1; ++dy) {
                for (std::int32_t dx = -1; dx <= 1; ++dx) {
                    const std::int32_t qx = px + dx;
                    const std::int32_t qy = py + dy;
                    const bool near = eight_connected || dx == 0 || dy == 0;
                    if (near && qx >= 0 && qx < width_ && qy >= 0 && qy < height_ && at(qx, qy) == at(x, y) &&
                        !component.at(qx, qy)) {
                        component.set(qx, qy, true);
                        todo.emplace_back(qx, qy);
                    }
                }
            }
        }
        return component;
    }

    /// With the background that does not reach the outside of the image made foreground.
    [[nodiscard]] Pixels filled() const {
        Pixels padded(height_ + 2, width_ + 2);
        for (std::int32_t y = 0; y < height_; ++y) {
            for (std::int32_t x = 0; x < width_; ++x) {
                padded.set(x + 1, y + 1, at(x, y));
            }
        }
        const Pixels outside = padded.component_of(0, 0, false);
        Pixels result(height_, width_);
        for (std::int32_t y = 0; y < height_; ++y) {
            for (std::int32_t x = 0; x < width_; ++x) {
                result.set(x, y, !outside.at(x + 1, y + 1));
            }
        }
        return result;
    }

    /// Components of the foreground, by their first pixel in DESCENDING raster order.
    [[nodiscard]] std::vector<Pixels> components() const {
        std::vector<Pixels> components;
        Pixels seen(height_, width_);
        for (std::int32_t y = 0; y < height_; ++y) {
            for (std::int32_t x = 0; x < width_; ++x) {
                if (at(x, y) && !seen.at(x, y)) {
                    components.insert(components.begin(), component_of(x, y, true));
                    for (std::size_t i = 0; i < values_.size(); ++i) {
                        seen.values_[i] = seen.values_[i] | components.front().values_[i];
                    }
                }
            }
        }
        return components;
    }

    /// The counts of all borders, by the patterns of the 2 x 2 blocks.
    [[nodiscard]] BoundaryCounts counts() const {
        BoundaryCounts counts;
        for (std::int32_t y = -1; y < height_; ++y) {
            for (std::int32_t x = -1; x < width_; ++x) {
                const bool a = at(x, y);
                const bool b = at(x + 1, y);
                const bool c = at(x, y + 1);
                const bool d = at(x + 1, y + 1);
                switch (a + b + c + d) {
                    case 2:
                        (a == d ? counts.diagonal : counts.straight) += a == d ? 2 : 1;
                        break;
                    case 3:
                        counts.diagonal += 1;
                        counts.area2 += 1;
                        break;
                    case 4:
                        counts.area2 += 2;
                        break;
                    default:
                        break;
                }
            }
        }
        return counts;
    }

    /// The counts of the primary contour, by its definition.
    [[nodiscard]] BoundaryCounts primary() const {
        BoundaryCounts best;
        bool first = true;
        for (const Pixels& component : filled().components()) {
            const BoundaryCounts counts = component.counts();
            if (first || counts.area2 > best.area2) {
                best = counts;
                first = false;
            }
        }
        return best;
    }

  private:
    [[nodiscard]] std::size_t index(std::int32_t x, std::int32_t y) const noexcept {
        return static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x);
    }

    std::int32_t height_;
    std::int32_t width_;
    std::vector<std::uint8_t> values_;
};

/// Calls check(pixels) for many small random masks of all densities, empty and full ones among them.
template <class Check>
void for_random_masks(int n, Check check) {
    std::mt19937 generator(20240607);
    const double densities[] = {0.0, 0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 1.0};
    for (int i = 0; i < n; ++i) {
        check(Pixels::random(generator, 3 + i % 12, densities[i % 10]));
    }
}

}  // namespace tfdp::testing
