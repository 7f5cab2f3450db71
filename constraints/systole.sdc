# Timing constraints for the emitted module `top`: one clock, everything outside registered on it.
# What is assumed, and what to change first: README.md in this folder. Units: nanoseconds.

# The clock period. 10 ns is a placeholder, not a promise.
set period 10.0
# Share of the period that the surroundings use before an input is stable, and after an output leaves.
set input_share 0.3
set output_share 0.3
# Share after the edge for which inputs hold (the outside registers' least delay), and for which outputs must hold.
set input_hold_share 0.05
set output_hold_share 0.0
# Jitter and margin for setup, as a share of the period.
set uncertainty_share 0.02

create_clock -name clock -period $period [get_ports clock]
set_clock_uncertainty -setup [expr {$uncertainty_share * $period}] [get_clocks clock]

# Inputs end in _in, outputs in _out; `reset` is synchronous and timed like any other input.
set_input_delay -clock clock -max [expr {$input_share * $period}] [get_ports {reset *_in*}]
set_input_delay -clock clock -min [expr {$input_hold_share * $period}] [get_ports {reset *_in*}]
set_output_delay -clock clock -max [expr {$output_share * $period}] [get_ports {*_out*}]
set_output_delay -clock clock -min [expr {-$output_hold_share * $period}] [get_ports {*_out*}]

# No false paths and no multicycle paths: every path of the core is a one-cycle path.
