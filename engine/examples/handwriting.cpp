// Reads a row of strokes in C++: handwriting READER.bin, with "x y pen_up" a line on the input.
#include <handwriting.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

struct Reader {
    std::unique_ptr<hw_work, decltype(&hw_end)> work{nullptr, hw_end};
    std::unique_ptr<hw_network, decltype(&hw_close)> network{nullptr, hw_close};

    explicit Reader(const std::string &path) {
        std::ifstream file(path, std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(file), {}};
        hw_work *begun = nullptr;
        if (hw_begin(nullptr, &begun)) throw std::bad_alloc();
        work.reset(begun);
        hw_network *opened = nullptr;
        check(hw_open(begun, path.c_str(), bytes.data(), bytes.size(), &opened));
        network.reset(opened);
    }
    void check(hw_status status) const {
        if (status) throw std::runtime_error(hw_message(work.get()));
    }
    std::string read(const std::vector<hw_point> &points) const {
        hw_row *row = nullptr;
        check(hw_read_row(work.get(), network.get(), points.data(), points.size(), &row));
        const std::unique_ptr<hw_row, decltype(&hw_free)> owned(row, hw_free);
        return row->text;
    }
};

int main(int argc, char **argv) try {
    std::vector<hw_point> points;
    for (hw_point p; std::cin >> p.x >> p.y >> p.pen_up;) points.push_back(p);
    std::cout << Reader(argc > 1 ? argv[1] : "").read(points) << "\n";
} catch (const std::exception &error) {
    return std::cerr << error.what() << "\n", 1;
}
