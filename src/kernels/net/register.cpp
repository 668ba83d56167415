#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <tuple>

#include "activation/given.hpp"
#include "binary/binary.hpp"
#include "integer/integer.hpp"
#include "net/fully_connected.hpp"
#include "net/program.hpp"
#include "net/recurrent.hpp"
#include "net/steps.hpp"
#include "register.hpp"

namespace darter {
namespace {

using Input = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
// Arrays of any type: the plan knows what they hold.
using Bytes = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
using AnyBytes = nb::ndarray<nb::c_contig, nb::device::cpu>;
using Numbers = std::vector<int64_t>;
// n, c, h, w, of blocks, element
using Array = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, Element>;
using TapLists = std::tuple<int64_t, Numbers, std::vector<float>>;
using PartLists = std::tuple<int64_t, int64_t, int64_t, int64_t, Numbers, Numbers, Numbers>;

Blocked blocked(const Array& a) {
    auto [n, c, h, w, of_blocks, element] = a;
    return {n, c, h, w, of_blocks, element};
}

std::vector<Blocked> blocked(const std::vector<Array>& arrays) {
    std::vector<Blocked> all;
    for (const Array& each : arrays) all.push_back(blocked(each));
    return all;
}

Taps taps(const TapLists& lists) {
    const auto& [count, index, weight] = lists;
    return {count, index, weight};
}

using Places = std::vector<std::pair<Place::Where, int64_t>>;

std::vector<Place> places(const Places& pairs) {
    std::vector<Place> all;
    for (auto [where, index] : pairs) all.push_back({where, index});
    return all;
}

PoolShape pool_shape(const Numbers& v, bool mean, bool count_padding) {
    if (v.size() != 10) throw std::invalid_argument("a pool has 10 numbers");
    return {v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], mean, count_padding};
}

std::vector<double> run(const Program& program, const std::vector<Bytes>& inputs,
                        const std::vector<AnyBytes>& outputs, int threads, bool timed) {
    std::vector<const std::byte*> x;
    std::vector<std::byte*> y;
    for (const Bytes& input : inputs) x.push_back(static_cast<const std::byte*>(input.data()));
    for (const AnyBytes& output : outputs) y.push_back(static_cast<std::byte*>(output.data()));
    std::vector<double> seconds(timed ? program.steps() : 0);
    nb::gil_scoped_release unlocked;
    program.run(x.data(), y.data(), threads, timed ? seconds.data() : nullptr);
    return seconds;
}

void register_program(nb::module_& m) {
    nb::class_<Program>(m, "Program")
        .def(nb::init<int64_t>(), nb::arg("arena_bytes"))
        .def("add",
             [](Program& program, StepPointer step, const Places& x, const Places& y) {
                 program.add(std::move(step), places(x), places(y));
             },
             nb::arg("step"), nb::arg("x"), nb::arg("y"))
        .def("add_constant",
             [](Program& program, const Input& values) {
                 return program.add_constant(values.data(), static_cast<int64_t>(values.size()));
             },
             nb::arg("values"))
        .def("run", &run, nb::arg("inputs"), nb::arg("outputs"), nb::arg("threads"),
             nb::arg("timed"))
        .def("poison", &Program::poison)
        .def_prop_ro("arena_bytes", &Program::arena_bytes)
        .def_prop_ro("weight_bytes", &Program::weight_bytes);
}

void register_product_steps(nb::module_& m) {
    m.def(
        "repeat_step",
        [](std::shared_ptr<Program> program, int64_t times, const Numbers& x_bytes,
           const Numbers& y_bytes) {
            return repeat_step(std::move(program), times, x_bytes, y_bytes);
        },
        nb::arg("program"), nb::arg("times"), nb::arg("x_bytes"), nb::arg("y_bytes"));
    m.def("convolution_step", &convolution_step, nb::arg("convolution"), nb::arg("residual"),
          nb::arg("x"), nb::arg("y"));
    nb::class_<FullyConnected>(m, "FullyConnected")
        .def_prop_ro("weight_bytes", &FullyConnected::weight_bytes);
    m.def(
        "pack_fully_connected",
        [](int64_t c, int64_t k, const Input& w, const Input& bias, const Activated& activation,
           Precision precision) {
            if (static_cast<int64_t>(w.size()) != c * k || static_cast<int64_t>(bias.size()) != k)
                throw std::invalid_argument("w must have c * k numbers, bias k");
            Activation f = activation_of(activation);
            Filters filters{w.data(), bias.data(), f.low(), f.high(), f};
            nb::gil_scoped_release unlocked;
            return std::make_shared<FullyConnected>(c, k, filters, precision);
        },
        nb::arg("c"), nb::arg("k"), nb::arg("w"), nb::arg("bias"), nb::arg("activation"),
        nb::arg("precision"));
    m.def("fully_connected_step", &fully_connected_step, nb::arg("layer"), nb::arg("residual"),
          nb::arg("n"), nb::arg("x_blocks"), nb::arg("y_blocks"));
}

void register_binary_steps(nb::module_& m) {
    m.def("pack_bits_step",
          [](const Array& x, const std::vector<float>& thresholds) {
              if (static_cast<int64_t>(thresholds.size()) != std::get<1>(x))
                  throw std::invalid_argument("a threshold per channel is needed");
              return pack_bits_step(blocked(x), thresholds);
          },
        nb::arg("x"), nb::arg("thresholds"));
    m.def("binary_step", &binary_step, nb::arg("layer"), nb::arg("n"), nb::arg("residual"),
          nb::arg("y_blocks"));
}

void register_integer_steps(nb::module_& m) {
    m.def("quantize_step",
          [](const Array& x, float step, float low, float high, float zero) {
              return quantize_step(blocked(x), {step, low, high, zero});
          },
          nb::arg("x"), nb::arg("step"), nb::arg("low"), nb::arg("high"), nb::arg("zero"));
    m.def("quantize_plain_step",
          [](const Array& y, float step, float low, float high, float zero) {
              return quantize_plain_step(blocked(y), {step, low, high, zero});
          },
          nb::arg("y"), nb::arg("step"), nb::arg("low"), nb::arg("high"), nb::arg("zero"));
    m.def("dequantize_step",
          [](const Array& x, float scale, float zero) {
              return dequantize_step(blocked(x), scale, zero);
          },
          nb::arg("x"), nb::arg("scale"), nb::arg("zero"));
    m.def("add_integers_step",
          [](const Array& a, const std::vector<float>& numbers) {
              if (numbers.size() != 5) throw std::invalid_argument("a sum has 5 numbers");
              return add_integers_step(blocked(a), numbers);
          },
          nb::arg("a"), nb::arg("numbers"));
    m.def("integer_scale_step",
          [](const Array& x, const std::vector<float>& numbers) {
              if (numbers.size() != 5) throw std::invalid_argument("a scale has 5 numbers");
              return integer_scale_step(blocked(x), numbers);
          },
          nb::arg("x"), nb::arg("numbers"));
    m.def("integer_table_step",
          [](const Array& x, const Array& y, int64_t channel, const std::vector<uint8_t>& table) {
              if (table.size() != 256) throw std::invalid_argument("a table has 256 numbers");
              return integer_table_step(blocked(x), blocked(y), channel, table);
          },
          nb::arg("x"), nb::arg("y"), nb::arg("channel"), nb::arg("table"));
    m.def("integer_pool_step",
          [](const Array& x, const Array& y, const Numbers& shape) {
              return integer_pool_step(blocked(x), blocked(y), pool_shape(shape, false, false));
          },
          nb::arg("x"), nb::arg("y"), nb::arg("shape"));
    m.def("integer_rows_step", [](const Array& x) { return integer_rows_step(blocked(x)); },
          nb::arg("x"));
    m.def("integer_step",
          [](std::shared_ptr<const IntegerConvolution> layer, int64_t n) {
              if (layer->to_float()) throw std::invalid_argument("a step of integers gives integers");
              return integer_step(std::move(layer), n);
          },
          nb::arg("layer"), nb::arg("n"));
    m.def("rounded_integer_step",
          [](std::shared_ptr<const IntegerConvolution> layer, int64_t n, float step, float low, float high,
             float zero) {
              if (layer->to_float() || !layer->rounds())
                  throw std::invalid_argument("a step that rounds first takes few channels and gives integers");
              return rounded_integer_step(std::move(layer), n, {step, low, high, zero});
          },
          nb::arg("layer"), nb::arg("n"), nb::arg("step"), nb::arg("low"), nb::arg("high"), nb::arg("zero"));
}

void register_recurrent_steps(nb::module_& m) {
    nb::class_<Recurrence>(m, "Recurrence").def_prop_ro("weight_bytes", &Recurrence::weight_bytes);
    m.def(
        "pack_recurrent",
        [](Recurrence::Kind kind, int64_t hidden, const Input& r, const Input& bias) {
            int64_t gates = kind == Recurrence::lstm ? 4 : 3;
            if (static_cast<int64_t>(r.size()) != gates * hidden * hidden ||
                static_cast<int64_t>(bias.size()) != hidden)
                throw std::invalid_argument("r must be (gates * hidden, hidden), bias (hidden)");
            return std::make_shared<Recurrence>(kind, hidden, r.data(), bias.data());
        },
        nb::arg("kind"), nb::arg("hidden"), nb::arg("r"), nb::arg("bias"));
    m.def("recurrent_step", &recurrent_step, nb::arg("layer"), nb::arg("n"), nb::arg("steps"),
          nb::arg("backward"));
}

void register_blocked_steps(nb::module_& m) {
    m.def("pool_step",
          [](const Array& x, const Array& y, const Numbers& shape, bool mean, bool count_padding) {
              return pool_step(blocked(x), blocked(y), pool_shape(shape, mean, count_padding));
          },
        nb::arg("x"), nb::arg("y"), nb::arg("shape"), nb::arg("mean"), nb::arg("count_padding"));
    m.def("eltwise_step", [](const std::string& function, const Array& a, const Array& b,
                             const Array& y, const Activated& activation) {
        return eltwise_step(function, blocked(a), blocked(b), blocked(y), activation_of(activation));
    },
        nb::arg("function"), nb::arg("a"), nb::arg("b"), nb::arg("y"), nb::arg("activation"));
    m.def("scale_step", [](const Array& x, const Array& y, const Activated& activation) {
        return scale_step(blocked(x), blocked(y), activation_of(activation));
    },
        nb::arg("x"), nb::arg("y"), nb::arg("activation"));
    m.def("activation_step", [](const Array& x, const Array& y, const Activated& activation) {
        return activation_step(blocked(x), blocked(y), activation_of(activation));
    },
        nb::arg("x"), nb::arg("y"), nb::arg("activation"));
    m.def("channels_step", [](const std::vector<Array>& x, const Array& y,
                              const std::vector<std::pair<int64_t, int64_t>>& sources) {
        return channels_step(blocked(x), blocked(y), sources);
    },
        nb::arg("x"), nb::arg("y"), nb::arg("sources"));
    m.def("to_blocked_step", [](const Array& y) { return to_blocked_step(blocked(y)); },
        nb::arg("y"));
    m.def("from_blocked_step", [](const Array& x) { return from_blocked_step(blocked(x)); },
        nb::arg("x"));
    m.def("layer_norm_step", [](const Array& x, const Array& y, float epsilon) {
        return layer_norm_step(blocked(x), blocked(y), epsilon);
    },
        nb::arg("x"), nb::arg("y"), nb::arg("epsilon"));
    m.def("group_norm_step",
          [](const Array& x, const Array& y, int64_t groups, float epsilon) {
              return group_norm_step(blocked(x), blocked(y), groups, epsilon);
          },
        nb::arg("x"), nb::arg("y"), nb::arg("groups"), nb::arg("epsilon"));
    m.def("depth_to_space_step",
          [](const Array& x, const Array& y, bool channels_first) {
              return depth_to_space_step(blocked(x), blocked(y), channels_first);
          },
        nb::arg("x"), nb::arg("y"), nb::arg("channels_first"));
    m.def("lrn_step", [](const Array& x, const Array& y, int64_t size, float alpha, float beta,
                         float bias) {
        return lrn_step(blocked(x), blocked(y), size, alpha, beta, bias);
    },
        nb::arg("x"), nb::arg("y"), nb::arg("size"), nb::arg("alpha"), nb::arg("beta"),
        nb::arg("bias"));
    m.def("resample_step", [](const Array& x, const Array& y, const TapLists& rows,
                              const TapLists& columns, float border) {
        return resample_step(blocked(x), blocked(y), taps(rows), taps(columns), border);
    },
        nb::arg("x"), nb::arg("y"), nb::arg("rows"), nb::arg("columns"), nb::arg("border"));
    m.def("align_regions_step", [](const Array& x, int64_t boxes, int64_t rows, int64_t columns,
                                   int64_t samples, double scale, bool half_pixel, bool maximum) {
        return align_regions_step(blocked(x), boxes,
                                  {rows, columns, samples, scale, half_pixel, maximum});
    },
        nb::arg("x"), nb::arg("boxes"), nb::arg("rows"), nb::arg("columns"), nb::arg("samples"),
        nb::arg("scale"), nb::arg("half_pixel"), nb::arg("maximum"));
}

void register_plain_steps(nb::module_& m) {
    m.def("move_step", [](const std::vector<PartLists>& lists) {
        std::vector<Part> parts;
        for (const auto& [x, y, x_offset, y_offset, sizes, x_strides, y_strides] : lists)
            parts.push_back({x, y, x_offset, y_offset, sizes, x_strides, y_strides});
        return move_step(std::move(parts));
    },
        nb::arg("parts"));
    m.def("broadcast_step", [](const std::string& function, const Numbers& sizes,
                               const Numbers& a_strides, const Numbers& b_strides,
                               const Activated& activation) {
        return broadcast_step(function, sizes, a_strides, b_strides, activation_of(activation));
    },
        nb::arg("function"), nb::arg("sizes"), nb::arg("a_strides"), nb::arg("b_strides"),
        nb::arg("activation"));
    m.def("softmax_step", &softmax_step,
          nb::arg("outer"), nb::arg("axis"), nb::arg("inner"), nb::arg("log"));
    m.def("select_step", &select_step,
          nb::arg("sizes"), nb::arg("c_strides"), nb::arg("a_strides"), nb::arg("b_strides"));
    m.def("arg_step", &arg_step,
          nb::arg("outer"), nb::arg("axis"), nb::arg("inner"), nb::arg("least"), nb::arg("last"));
    m.def("top_places_step", &top_places_step, nb::arg("outer"), nb::arg("axis"),
          nb::arg("inner"), nb::arg("count"), nb::arg("least"));
    m.def("gather_along_step", &gather_along_step, nb::arg("outer"), nb::arg("axis"),
          nb::arg("inner"), nb::arg("count"));
    m.def("keep_boxes_step", &keep_boxes_step, nb::arg("pictures"), nb::arg("classes"),
          nb::arg("boxes"), nb::arg("most"), nb::arg("overlap"), nb::arg("least"),
          nb::arg("middles"));
    m.def("reduce_step", &reduce_step,
          nb::arg("function"), nb::arg("kept_sizes"), nb::arg("kept_strides"), nb::arg("sizes"),
          nb::arg("strides"));
    m.def("matmul_step", &matmul_step,
          nb::arg("a_offsets"), nb::arg("b_offsets"), nb::arg("m"), nb::arg("n"), nb::arg("k"));
}

}  // namespace

void register_net(nb::module_& m) {
    nb::class_<Step>(m, "Step").def_prop_ro("weight_bytes", &Step::weight_bytes);
    register_program(m);
    register_product_steps(m);
    register_binary_steps(m);
    register_integer_steps(m);
    register_recurrent_steps(m);
    register_blocked_steps(m);
    register_plain_steps(m);
}

}  // namespace darter
