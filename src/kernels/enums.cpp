// The enumerations that Python reads: each list of names is here and nowhere else.
#include "activation/activation.hpp"
#include "element.hpp"
#include "gemm/gemm.hpp"
#include "integer/integer.hpp"
#include "net/program.hpp"
#include "net/recurrent.hpp"
#include "product/operands.hpp"
#include "register.hpp"
#include "warp/warp.hpp"

namespace darter {

void register_enums(nb::module_& m) {
    nb::enum_<Activation::Kind> kinds(m, "ActivationKind");
    for (int kind = 0; kind < Activation::count; ++kind)
        kinds.value(kActivationNames[kind], static_cast<Activation::Kind>(kind));
    nb::enum_<Precision>(m, "Precision")
        .value("float32", Precision::float32)
        .value("bfloat16", Precision::bfloat16);
    nb::enum_<Element>(m, "Element")
        .value("float32", Element::float32)
        .value("bfloat16", Element::bfloat16)
        .value("uint8", Element::uint8)
        .value("int8", Element::int8)
        .value("bit", Element::bit);
    nb::enum_<IntegerAlgorithm>(m, "IntegerAlgorithm")
        .value("direct", IntegerAlgorithm::direct)
        .value("winograd", IntegerAlgorithm::winograd);
    nb::enum_<GemmAlgorithm>(m, "GemmAlgorithm")
        .value("blocked", GemmAlgorithm::blocked)
        .value("strassen", GemmAlgorithm::strassen)
        .value("strassen_2", GemmAlgorithm::strassen_2);
    nb::enum_<Place::Where>(m, "Where")
        .value("arena", Place::arena)
        .value("input", Place::input)
        .value("output", Place::output)
        .value("constant", Place::constant);
    nb::enum_<Recurrence::Kind>(m, "RecurrenceKind")
        .value("lstm", Recurrence::lstm)
        .value("gru", Recurrence::gru)
        .value("gru_reset_after", Recurrence::gru_reset_after);
    nb::enum_<warp::Border>(m, "Border")
        .value("reflect", warp::Border::reflect)
        .value("edge", warp::Border::edge)
        .value("fill", warp::Border::fill);
}

}  // namespace darter
