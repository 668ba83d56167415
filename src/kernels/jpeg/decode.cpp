#include <algorithm>
#include <cstring>
#include <memory>

#include "jpeg/huffman.hpp"
#include "runtime/isa.hpp"

namespace darter::jpeg {
namespace {

constexpr Dispatch<const Rows*> kRows{&scalar_rows, X86_ONLY(&avx2_rows), X86_ONLY(&avx2_rows),
                                      X86_ONLY(&avx2_rows), ARM_ONLY(&neon_rows)};

// Place in the block of each coefficient in the order of the file; what a damaged file puts beyond
// the last one goes to a 65th place.
constexpr auto kNatural = [] {
    std::array<uint8_t, 256> natural{};
    int x = 0, y = 0;
    for (int k = 0; k < 64; ++k) {
        natural[k] = static_cast<uint8_t>(8 * y + x);
        bool up = (x + y) % 2 == 0;
        if (up ? x == 7 : y == 7)
            (up ? y : x) += 1;
        else if (up ? y == 0 : x == 0)
            (up ? x : y) += 1;
        else
            x += up ? 1 : -1, y += up ? -1 : 1;
    }
    for (int k = 64; k < 256; ++k) natural[k] = 64;
    return natural;
}();

struct alignas(32) Block {
    int16_t at[80];  // 64 and the place for what is beyond
};

// Where the coefficient at a position of the file goes, and what it is multiplied by.
struct Place {
    int32_t quantizer, natural;
};

// Tables stay as long as their thread: most files come with the same ones.
struct Tables {
    Table dc[2], ac[2];
};

bool update(Table& table, const Codes& codes) {
    return !codes.given || table.is_of(codes) || table.build(codes);
}

const Tables* tables_of(const Header& header) {
    thread_local Tables tables;
    for (int i = 0; i < 2; ++i) {
        bool good = update(tables.dc[i], header.dc[i]) && update(tables.ac[i], header.ac[i]);
        if (!good) return nullptr;
    }
    return &tables;
}

// Samples of one component in the MCUs that are kept.
struct Plane {
    int left, top;      // first sample kept, in samples of the component
    int width, height;  // real samples of the whole component
    ptrdiff_t row_bytes;
    std::unique_ptr<uint8_t[]> samples;

    const uint8_t* row(int y) const { return samples.get() + (y - top) * row_bytes; }
};

int ceil_divide(int a, int b) { return (a + b - 1) / b; }

class Decoder {
public:
    Decoder(const uint8_t* data, size_t size, const Header& header, const Window& window)
        : header_(header), window_(window), next_(data + header.scan), end_(data + size),
          rows_(*kRows.active()) {
        // A pixel more on each side: chroma is smoothed with its neighbors.
        int w = header.mcu_width(), h = header.mcu_height();
        across_ = ceil_divide(header.width, w), down_ = ceil_divide(header.height, h);
        int margin = header.largest_h;
        first_column_ = std::max(0, window.left - margin) / w;
        end_column_ = ceil_divide(std::min(header.width, window.right + margin), w);
        first_row_ = std::max(0, window.top - margin) / h;
        end_row_ = ceil_divide(std::min(header.height, window.bottom + margin), h);
    }

    bool run(uint8_t* rgb) {
        tables_ = tables_of(header_);
        if (!tables_) return false;
        make_places();
        make_planes();
        if (!read_mcus()) return false;
        write_pixels(rgb);
        return true;
    }

    State check() {
        tables_ = tables_of(header_);
        if (!tables_) return State::damaged;
        make_places();
        first_row_ = down_;  // none is kept
        if (!read_rows() || bits_.unused() < 0) return State::damaged;
        bool more = bits_.unused() >= 8;
        while (end_ - next_ >= 2 && next_[0] == 0xff && next_[1] == 0xff) ++next_;
        if (end_ - next_ < 2) return more ? State::damaged : State::endless;
        if (next_[1] != 0xd9) return State::damaged;
        return more ? State::extra : State::whole;
    }

private:
    void make_places() {
        for (const Component& c : header_.components) {
            auto& places = places_.emplace_back();
            for (int k = 0; k < 256; ++k)
                places[k] = {k < 64 ? c.quantizers[k] : 0, kNatural[k]};
        }
    }

    void make_planes() {
        for (const Component& c : header_.components) {
            Plane& plane = planes_.emplace_back();
            plane.left = 8 * c.h * first_column_, plane.top = 8 * c.v * first_row_;
            plane.width = ceil_divide(header_.width * c.h, header_.components[0].h);
            plane.height = ceil_divide(header_.height * c.v, header_.components[0].v);
            plane.row_bytes = 8 * c.h * (end_column_ - first_column_);
            size_t bytes = plane.row_bytes * 8 * c.v * (end_row_ - first_row_) + kSlack;
            plane.samples = std::make_unique_for_overwrite<uint8_t[]>(bytes);
        }
    }

    bool read_mcus() {
        if (!read_rows()) return false;
        transform_all();
        return end_row_ < down_ || ends_with(0xd9);
    }

    bool read_rows() {
        interval_ = std::make_unique_for_overwrite<uint8_t[]>(end_ - next_ + Bits::kSlack);
        read_interval();
        int until_restart = header_.restart_interval, restarts = 0;
        for (int y = 0; y < end_row_; ++y) {
            for (int x = 0; x < across_; ++x) {
                if (header_.restart_interval && until_restart-- == 0) {
                    if (!ends_with(0xd0 + restarts)) return false;
                    restarts = (restarts + 1) % 8;
                    until_restart = header_.restart_interval - 1;
                    next_ += 2;
                    read_interval();
                }
                bool kept = y >= first_row_ && x >= first_column_ && x < end_column_;
                bool good = kept ? read_mcu(x - first_column_, y - first_row_) : pass_mcu();
                if (!good) return false;
            }
        }
        return true;
    }

    // The bytes up to the next marker, which `next_` then points to.
    void read_interval() {
        uint8_t* to = interval_.get();
        while (next_ < end_) {
            auto found = static_cast<const uint8_t*>(std::memchr(next_, 0xff, end_ - next_));
            const uint8_t* stop = found ? found : end_;
            bool stuffed = end_ - stop >= 2 && stop[1] == 0;
            size_t count = stop - next_ + stuffed;
            std::memcpy(to, next_, count);
            to += count;
            next_ = stop + 2 * stuffed;
            if (!stuffed) break;
        }
        std::fill_n(to, Bits::kSlack, uint8_t{0});
        bits_ = Bits(interval_.get(), to);
        std::fill_n(last_dc_, 4, 0);
    }

    // Whether the bytes are used up, but for padding, and a marker follows.
    bool ends_with(int marker) const {
        return bits_.unused() >= 0 && bits_.unused() < 8 && end_ - next_ >= 2 &&
               next_[0] == 0xff && next_[1] == marker;
    }

    bool pass_mcu() {
        for (size_t i = 0; i < header_.components.size(); ++i)
            for (int n = header_.components[i].h * header_.components[i].v; n > 0; --n)
                if (!read_block<false>(i, nullptr)) return false;
        return true;
    }

    bool read_mcu(int column, int row) {
        for (size_t i = 0; i < header_.components.size(); ++i) {
            const Component& c = header_.components[i];
            Plane& plane = planes_[i];
            for (int v = 0; v < c.v; ++v)
                for (int h = 0; h < c.h; ++h) {
                    int16_t* block = blocks_[waiting_].at;
                    if (!read_block<true>(i, block)) return false;
                    uint8_t* to = plane.samples.get() + 8 * (row * c.v + v) * plane.row_bytes +
                                  8 * (column * c.h + h);
                    transform(to, plane.row_bytes);
                }
        }
        return true;
    }

    // Blocks wait until there are some: what was just written in pieces is slow to read at once.
    void transform(uint8_t* to, ptrdiff_t row_bytes) {
        to_[waiting_] = to, row_bytes_[waiting_] = row_bytes;
        if (++waiting_ == kWaiting) transform_all();
    }

    void transform_all() {
        if (waiting_ % 2) to_[waiting_] = spare_, row_bytes_[waiting_++] = 8;
        for (int i = 0; i < waiting_; i += 2) {
            int16_t* pair[2] = {blocks_[i].at, blocks_[i + 1].at};
            rows_.inverse_dct(pair, to_ + i, row_bytes_ + i);
        }
        waiting_ = 0;
    }

    // One block; `Kept` false: only its length and its mean are of interest.
    template <bool Kept>
    bool read_block(size_t component, int16_t* block) {
        const Component& c = header_.components[component];
        const Place* places = places_[component].data();
        const Table& table = tables_->ac[c.ac];
        Bits bits = bits_;  // in registers
        if (!read_mean(tables_->dc[c.dc], bits, last_dc_[component])) return false;
        uint32_t wild = 0;  // products beyond 13 bits: no encoder makes them
        auto keep = [&](int k, int value) {
            if (!Kept) return;
            Place place = places[k];
            int product = value * place.quantizer;
            wild |= static_cast<uint32_t>(product + 4096) >> 13;
            block[place.natural] = static_cast<int16_t>(product);
        };
        keep(0, last_dc_[component]);
        int k = 1;
        while (k < 64) {
            bits.refill();
            Entry entry = table.look(bits.top());
            if (entry.length() == 0 && !read_long(table, bits, entry)) return false;
            int at = k + entry.at();
            if (at >= 63) {  // the last one: what may follow belongs to the next block
                bits.skip(entry.length1());
                keep(at, entry.value());
                k += entry.at() + 1;
                break;
            }
            bits.skip(entry.length());
            keep(at, entry.value());
            keep(k + entry.at2(), entry.value2());
            k += entry.advance();
        }
        bits_ = bits;
        bool fits = k == 64 || k >= kEnd;  // else there was a value beyond the last one
        return fits && !wild && bits.unused() >= 0;
    }

    // Adds the difference of a block's mean to the last one's.
    static bool read_mean(const Table& table, Bits& bits, int& mean) {
        bits.refill();
        Entry entry = table.look(bits.top());
        if (entry.length1()) {
            if (entry.at() != 0 && entry.at() != kEnd) return false;
            bits.skip(entry.length1());
            mean += entry.value();
        } else {
            Symbol s = table.symbol(bits.top());
            if (s.length > 16 || s.run > 0 || s.size > 11) return false;
            bits.skip(s.length);
            mean += Table::extend(bits.top(), s.size);
            bits.skip(s.size);
        }
        return mean == static_cast<int16_t>(mean);
    }

    // A coefficient that is too long for one look; `entry` has no lengths, they are skipped here.
    static bool read_long(const Table& table, Bits& bits, Entry& entry) {
        Symbol s = table.symbol(bits.top());
        if (!s.in_baseline()) return false;
        bits.skip(s.length);
        entry = s.entry(Table::extend(bits.top(), s.size), 0);
        bits.skip(s.size);
        return true;
    }

    void write_pixels(uint8_t* rgb) const {
        int width = window_.right - window_.left;
        // Chroma columns under the window.
        int step = header_.components[0].h, begin = window_.left / step;
        int count = ceil_divide(window_.right, step) - begin;
        std::vector<uint16_t> sums(count + 2);
        std::vector<uint8_t> chroma[2], grey;
        for (auto& row : chroma) row.resize(2 * count + 2 * kSlack);
        if (planes_.size() == 1) grey.assign(width + 2 * kSlack, 128);
        for (int y = window_.top; y < window_.bottom; ++y, rgb += 3 * width) {
            const uint8_t* luma = planes_[0].row(y) + window_.left - planes_[0].left;
            const uint8_t* sides[2] = {grey.data(), grey.data()};
            for (int i = 0; i < 2 && planes_.size() == 3; ++i) {
                const Plane& plane = planes_[1 + i];
                if (step == 1) {
                    sides[i] = plane.row(y) + window_.left - plane.left;
                    continue;
                }
                smooth(plane, y, begin, count, sums.data(), chroma[i].data());
                sides[i] = chroma[i].data() + window_.left - 2 * begin;
            }
            rows_.color(luma, sides[0], sides[1], width, rgb);
        }
    }

    // Row y of the picture in twice the width, from `count` columns of chroma.
    void smooth(const Plane& plane, int y, int begin, int count, uint16_t* sums,
                uint8_t* out) const {
        bool halved = header_.components[0].v == 2;
        int near = halved ? y / 2 : y;
        int far = std::clamp(halved ? (y % 2 ? near + 1 : near - 1) : near, 0, plane.height - 1);
        int from = std::max(begin - 1, 0), to = std::min(begin + count + 1, plane.width);
        uint16_t* first = sums + 1 + from - begin;
        const uint8_t *above = plane.row(near) + from - plane.left,
                      *other = plane.row(far) + from - plane.left;
        if (halved)
            rows_.lean(above, other, to - from, first);
        else
            std::copy_n(above, to - from, first);
        if (from == begin) sums[0] = sums[1];  // the border is its own neighbor
        if (to == begin + count) sums[count + 1] = sums[count];
        if (halved)
            rows_.stretch(sums + 1, count, 8, 7, 4, out);
        else
            rows_.stretch(sums + 1, count, 1, 2, 2, out);
    }

    const Header& header_;
    Window window_;
    const uint8_t *next_, *end_;  // of the file: what was not read yet
    std::unique_ptr<uint8_t[]> interval_;
    Bits bits_;
    const Rows& rows_;
    int across_, down_;  // MCUs of the picture
    int first_column_, end_column_, first_row_, end_row_;  // MCUs kept
    const Tables* tables_;
    int last_dc_[4] = {};
    std::vector<Plane> planes_;
    std::vector<std::array<Place, 256>> places_;
    static constexpr int kWaiting = 8;
    Block blocks_[kWaiting]{};  // all zero until they are filled
    uint8_t* to_[kWaiting];
    ptrdiff_t row_bytes_[kWaiting];
    int waiting_ = 0;
    uint8_t spare_[64];
};

}  // namespace

State check(const uint8_t* data, size_t size, const Header& header) {
    return Decoder(data, size, header, {0, 0, header.width, header.height}).check();
}

bool decode(const uint8_t* data, size_t size, const Header& header, const Window& window,
            uint8_t* rgb) {
    return Decoder(data, size, header, window).run(rgb);
}

}  // namespace darter::jpeg
