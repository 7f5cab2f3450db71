// The C interface of every verilated model: one clock `clk`, all inputs in `din`, all outputs in `dout`.
//
// A model is made, stepped and deleted on one thread. No exception leaves this file: a function that can fail returns
// zero when it succeeded, and `systole_error` then gives the text.

#include "Vdut.h"

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>

#if defined(SYSTOLE_TRACE_FST)
using Trace = VerilatedFstC;
#elif defined(SYSTOLE_TRACE_VCD)
using Trace = VerilatedVcdC;
#endif

namespace {

// Half a clock period, in the time unit of traces and of `$time`.
constexpr uint64_t HALF_PERIOD = 5;

// How much of what the design printed is kept for the error text.
constexpr size_t PRINTED_MAX = 4096;

struct Context final : VerilatedContext {
    std::string printed;
};

struct Model {
    std::unique_ptr<Context> context;
    std::unique_ptr<Vdut> dut;
#if defined(SYSTOLE_TRACE_FST) || defined(SYSTOLE_TRACE_VCD)
    std::unique_ptr<Trace> trace;
#endif
    std::string error;
    bool failed = false;
};

void dump(Model* model) {
#if defined(SYSTOLE_TRACE_FST) || defined(SYSTOLE_TRACE_VCD)
    if (VL_UNLIKELY(model->trace)) model->trace->dump(model->context->time());
#else
    (void)model;
#endif
}

int fail(Model* model, const char* what) {
    model->failed = true;
    model->error = model->context ? model->context->printed + what : what;
    return 1;
}

template <typename Body>
int guarded(Model* model, Body body) {
    try {
        body();
        return 0;
    } catch (const std::exception& problem) {
        return fail(model, problem.what());
    } catch (...) {
        return fail(model, "unknown C++ exception");
    }
}

// The random stream belongs to a thread, not to a model, and restarts in all threads when any model sets its seed. One
// model is started at a time, so that its start state depends on nothing but its seed.
std::mutex& start_mutex() {
    static std::mutex mutex;
    return mutex;
}

// Verilator takes 31 bits and treats zero as "choose one".
int folded(uint64_t seed) {
    seed += 0x9e3779b97f4a7c15ULL;
    seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9ULL;
    seed = (seed ^ (seed >> 27)) * 0x94d049bb133111ebULL;
    const int bits = static_cast<int>((seed ^ (seed >> 31)) & 0x7fffffff);
    return bits == 0 ? 1 : bits;
}

void start(Model* model, uint64_t seed) {
    const std::lock_guard<std::mutex> lock{start_mutex()};
    model->context = std::make_unique<Context>();
    Context* const context = model->context.get();
    Verilated::threadContextp(context);
    context->randReset(2);
    context->randSeed(folded(seed));
    // The generator starts with equal halves, so its first numbers are regular.
    for (int i = 0; i < 16; ++i) vl_rand64();
#if defined(SYSTOLE_TRACE_FST) || defined(SYSTOLE_TRACE_VCD)
    context->traceEverOn(true);
#endif
    model->dut = std::make_unique<Vdut>(context, "TOP");
    model->dut->clk = 0;
    std::memset(&model->dut->din[0], 0, sizeof(model->dut->din));
    model->dut->eval();
}

#if !defined(SYSTOLE_HOSTED)
[[noreturn]] void stop(const char* file, int line, const char* what) {
    const bool placed = file && file[0];
    throw std::runtime_error(placed ? std::string(file) + ":" + std::to_string(line) + ": " + what : what);
}
#endif

}  // namespace

#if !defined(SYSTOLE_HOSTED)
void vl_fatal(const char* file, int line, const char*, const char* message) { stop(file, line, message); }
void vl_stop(const char* file, int line, const char*) { stop(file, line, "Verilog $stop, $fatal or assertion"); }
void vl_finish(const char* file, int line, const char*) { stop(file, line, "Verilog $finish"); }
#endif

extern "C" {

#if !defined(SYSTOLE_HOSTED)
int systole_printf(const char* format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    const int length = std::vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    Context* const context = static_cast<Context*>(Verilated::threadContextp());
    if (context) {
        context->printed += text;
        if (context->printed.size() > PRINTED_MAX) {
            context->printed.erase(0, context->printed.size() - PRINTED_MAX);
        }
    }
    return length;
}
#endif

// Null only when memory is exhausted. A design can fail in its initial blocks: see `systole_error`.
Model* systole_new(uint64_t seed) {
    Model* const model = new (std::nothrow) Model;
    if (model) guarded(model, [&] { start(model, seed); });
    return model;
}

void systole_delete(Model* model) {
    if (model->context) Verilated::threadContextp(model->context.get());
    delete model;
}

// Null when the model never failed.
const char* systole_error(const Model* model) { return model->failed ? model->error.c_str() : nullptr; }

// Clock low, inputs, outputs as they are before the edge.
int systole_settle(Model* model, const uint32_t* in, uint32_t* out) {
    if (VL_UNLIKELY(model->failed)) return 1;
    return guarded(model, [&] {
        Verilated::threadContextp(model->context.get());
        Vdut* const dut = model->dut.get();
        dut->clk = 0;
        std::memcpy(&dut->din[0], in, sizeof(dut->din));
        dut->eval();
        std::memcpy(out, &dut->dout[0], sizeof(dut->dout));
    });
}

// One clock cycle: as `systole_settle`, then the rising edge.
int systole_step(Model* model, const uint32_t* in, uint32_t* out) {
    if (VL_UNLIKELY(model->failed)) return 1;
    return guarded(model, [&] {
        Verilated::threadContextp(model->context.get());
        Vdut* const dut = model->dut.get();
        dut->clk = 0;
        std::memcpy(&dut->din[0], in, sizeof(dut->din));
        dut->eval();
        std::memcpy(out, &dut->dout[0], sizeof(dut->dout));
        dump(model);
        model->context->timeInc(HALF_PERIOD);
        dut->clk = 1;
        dut->eval();
        dump(model);
        model->context->timeInc(HALF_PERIOD);
    });
}

#if defined(SYSTOLE_TRACE_FST) || defined(SYSTOLE_TRACE_VCD)
int systole_trace_open(Model* model, const char* path) {
    if (model->failed) return 1;
    return guarded(model, [&] {
        Verilated::threadContextp(model->context.get());
        auto trace = std::make_unique<Trace>();
        model->dut->trace(trace.get(), 99);
        trace->open(path);
        if (!trace->isOpen()) throw std::runtime_error(std::string("cannot write ") + path);
        model->trace = std::move(trace);
    });
}

int systole_trace_close(Model* model) {
    return guarded(model, [&] {
        if (model->trace) model->trace->close();
        model->trace.reset();
    });
}
#endif

}  // extern "C"
