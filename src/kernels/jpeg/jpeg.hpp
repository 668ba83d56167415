// Part of a JPEG to RGB, bit for bit as libjpeg-turbo decodes it (accurate integer DCT, smooth
// upsampling), but only the blocks that a view shows are transformed, and nothing below it is read.
//
// What is decoded here is what most photos are: 8 bits, baseline Huffman in one scan, grey or YCbCr
// with chroma at full size, half width or half width and height. Everything else, and every byte
// that is not as it should be, gives "no": libjpeg-turbo then has the word. `check` reads one scan
// of any components and sampling, and tells what is wrong with its bytes.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace darter::jpeg {

struct Component {
    int h, v;                             // blocks across and down in one MCU
    int dc, ac;                           // Huffman tables
    std::array<uint16_t, 64> quantizers;  // in zigzag order
};

// A Huffman table as the file gives it: how many codes of each length, and their symbols.
struct Codes {
    std::array<uint8_t, 17> counts{};
    std::array<uint8_t, 256> symbols{};
    bool given = false;

    bool operator==(const Codes&) const = default;
};

struct Header {
    int width, height;
    int restart_interval = 0;  // MCUs, 0: none
    std::vector<Component> components;
    int largest_h = 1, largest_v = 1;  // of the components
    bool usual = false;                // colors and sampling are what `decode` takes
    std::array<Codes, 2> dc, ac;
    size_t scan;  // where the entropy-coded bytes begin

    int mcu_width() const { return 8 * largest_h; }
    int mcu_height() const { return 8 * largest_v; }
};

// Pixels [left, right) x [top, bottom).
struct Window {
    int left, top, right, bottom;
};

// Nothing where the file is not one scan of baseline Huffman codes.
std::optional<Header> read_header(const uint8_t* data, size_t size);

// Of the entropy-coded bytes. extra: all blocks are there, and more bytes before the end marker;
// endless: all blocks are there, and no end marker.
enum class State { whole, extra, endless, damaged };

State check(const uint8_t* data, size_t size, const Header& header);

// Writes the window's pixels, RGB, rows contiguous. False where the bytes are damaged.
// The header must be a usual one.
bool decode(const uint8_t* data, size_t size, const Header& header, const Window& window,
            uint8_t* rgb);

// The arithmetic; one table per instruction set.
struct Rows {
    // Two blocks of dequantized coefficients (natural order) to 8 x 8 samples each; the blocks are
    // zero afterwards, for the next ones.
    void (*inverse_dct)(int16_t* const blocks[2], uint8_t* const samples[2],
                        const ptrdiff_t row_bytes[2]);
    // out[i] = 3 near[i] + far[i]
    void (*lean)(const uint8_t* near, const uint8_t* far, int count, uint16_t* out);
    // out[2i] = (3 in[i] + in[i - 1] + even) >> shift, out[2i + 1] = (3 in[i] + in[i + 1] + odd) >>
    // shift; may write up to 64 bytes past the end.
    void (*stretch)(const uint16_t* in, int count, int even, int odd, int shift, uint8_t* out);
    // YCbCr (JFIF) to RGB; cb and cr may be read up to 64 bytes past the end, rgb is exact.
    void (*color)(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, int count, uint8_t* rgb);
};

extern const Rows scalar_rows, avx2_rows, neon_rows;

constexpr int kSlack = 64;

}  // namespace darter::jpeg
