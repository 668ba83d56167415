// The markers before the pixels of a JPEG.
#include <algorithm>
#include <cstring>

#include "jpeg/jpeg.hpp"

namespace darter::jpeg {
namespace {

class Markers {
public:
    Markers(const uint8_t* data, size_t size) : data_(data), size_(size) {}

    std::optional<Header> read() {
        if (size_ < 4 || data_[0] != 0xff || data_[1] != 0xd8) return {};
        for (size_t at = 2; at + 4 <= size_;) {
            if (data_[at] != 0xff) return {};
            int marker = data_[at + 1];
            size_t length = word(at + 2);
            if (length < 2 || at + 2 + length > size_) return {};
            const uint8_t* content = data_ + at + 4;
            if (!segment(marker, content, length - 2)) return {};
            at += 2 + length;
            if (marker != 0xda) continue;
            header_.scan = at;
            finish();
            return header_;
        }
        return {};
    }

private:
    size_t word(size_t at) const { return data_[at] << 8 | data_[at + 1]; }

    bool segment(int marker, const uint8_t* content, size_t length) {
        switch (marker) {
            case 0xc0: case 0xc1: return frame(content, length);
            case 0xc4: return huffman(content, length);
            case 0xda: return scan(content, length);
            case 0xdb: return quantization(content, length);
            case 0xdd:
                if (length != 2) return false;
                header_.restart_interval = content[0] << 8 | content[1];
                return true;
            case 0xe0:
                jfif_ |= length >= 14 && std::memcmp(content, "JFIF", 5) == 0;
                return true;
            case 0xee:
                if (length >= 12 && std::memcmp(content, "Adobe", 5) == 0) adobe_ = content[11];
                return true;
            default: return marker == 0xfe || (marker >= 0xe1 && marker <= 0xef);
        }
    }

    bool frame(const uint8_t* p, size_t length) {
        if (framed_ || length < 6 || p[0] != 8) return false;
        header_.height = p[1] << 8 | p[2];
        header_.width = p[3] << 8 | p[4];
        int count = p[5];
        if (count < 1 || count > 4 || length != 6 + 3 * size_t(count)) return false;
        for (int i = 0; i < count; ++i) {
            const uint8_t* c = p + 6 + 3 * i;
            int h = c[1] >> 4, v = c[1] & 15;
            ids_[i] = c[0];
            if (c[2] > 3 || h < 1 || h > 4 || v < 1 || v > 4) return false;
            quantizer_[i] = c[2];
            header_.components.push_back({h, v, 0, 0, {}});
        }
        return framed_ = header_.width > 0 && header_.height > 0;
    }

    bool huffman(const uint8_t* p, size_t length) {
        while (length >= 17) {
            int kind = p[0] >> 4, number = p[0] & 15;
            if (kind > 1 || number > 1) return false;
            Codes& codes = (kind ? header_.ac : header_.dc)[number];
            codes = {};
            size_t total = 0;
            for (int i = 1; i <= 16; ++i) total += codes.counts[i] = p[i];
            if (total > 256 || 17 + total > length) return false;
            std::copy_n(p + 17, total, codes.symbols.begin());
            uint8_t largest = *std::max_element(codes.symbols.begin(), codes.symbols.end());
            if (!kind && largest > 11) return false;  // bits of a difference of means
            codes.given = true;
            p += 17 + total;
            length -= 17 + total;
        }
        return length == 0;
    }

    bool quantization(const uint8_t* p, size_t length) {
        while (length > 0) {
            int wide = p[0] >> 4, number = p[0] & 15;
            size_t bytes = wide ? 129 : 65;
            if (wide > 1 || number > 3 || length < bytes) return false;
            for (int i = 0; i < 64; ++i)
                tables_[number][i] = wide ? p[1 + 2 * i] << 8 | p[2 + 2 * i] : p[1 + i];
            has_table_[number] = true;
            p += bytes;
            length -= bytes;
        }
        return true;
    }

    bool scan(const uint8_t* p, size_t length) {
        size_t count = header_.components.size();
        if (!framed_ || length != 4 + 2 * count || p[0] != count) return false;
        for (size_t i = 0; i < count; ++i) {
            Component& component = header_.components[i];
            component.dc = p[2 + 2 * i] >> 4, component.ac = p[2 + 2 * i] & 15;
            if (p[1 + 2 * i] != ids_[i] || component.dc > 1 || component.ac > 1) return false;
            if (!header_.dc[component.dc].given || !header_.ac[component.ac].given) return false;
            if (!has_table_[quantizer_[i]]) return false;
            component.quantizers = tables_[quantizer_[i]];
        }
        return true;  // three bytes follow that mean something in progressive files only
    }

    void finish() {
        auto& c = header_.components;
        if (c.size() == 1) c[0].h = c[0].v = 1;  // its blocks come row by row, whatever is written
        for (const Component& component : c) {
            header_.largest_h = std::max(header_.largest_h, component.h);
            header_.largest_v = std::max(header_.largest_v, component.v);
        }
        header_.usual = has_usual_colors();
    }

    bool has_usual_colors() const {
        auto& c = header_.components;
        if (c.size() == 1) return true;
        if (c.size() != 3) return false;
        bool named_rgb = ids_[0] == 'R' && ids_[1] == 'G' && ids_[2] == 'B';
        if (!jfif_ && (adobe_ >= 0 ? adobe_ != 1 : named_rgb)) return false;
        if (c[1].h != 1 || c[1].v != 1 || c[2].h != 1 || c[2].v != 1) return false;
        bool usual = (c[0].h == 1 && c[0].v == 1) || (c[0].h == 2 && (c[0].v == 1 || c[0].v == 2));
        return usual && (c[0].h == 1 || header_.width > 4);  // libjpeg does not smooth thinner ones
    }

    const uint8_t* data_;
    size_t size_;
    Header header_{};
    bool framed_ = false, jfif_ = false;
    int adobe_ = -1;
    int ids_[4] = {}, quantizer_[4] = {};
    std::array<std::array<uint16_t, 64>, 4> tables_{};
    bool has_table_[4] = {};
};

}  // namespace

std::optional<Header> read_header(const uint8_t* data, size_t size) {
    return Markers(data, size).read();
}

}  // namespace darter::jpeg
