// Included before everything else in every C++ file of a model and of its runtime, and precompiled.
//
// Verilator's own handlers print and end the process. These names make the runtime leave the handlers out; `shim.cpp`
// defines them so that they report to the caller instead.
#ifndef SYSTOLE_RUNTIME_H_
#define SYSTOLE_RUNTIME_H_

// A model on the host's runtime takes the handlers as the host has them.
#if !defined(SYSTOLE_HOSTED)
#define VL_TIME_CONTEXT 1
#define VL_USER_FATAL 1
#define VL_USER_STOP 1
#define VL_USER_FINISH 1
#define VL_PRINTF systole_printf

extern "C" int systole_printf(const char* format, ...) __attribute__((format(printf, 1, 2)));
#endif

#include "verilated.h"
#if defined(SYSTOLE_TRACE_FST)
#include "verilated_fst_c.h"
#elif defined(SYSTOLE_TRACE_VCD)
#include "verilated_vcd_c.h"
#endif

#endif
