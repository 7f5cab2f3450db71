//! What the machine is: configuration, commands, memory layout, ports. No tensor arithmetic.

pub mod command;
pub mod config;
pub mod counter;
pub mod derived;
pub mod format;
mod order;
pub mod port;
pub mod program;

pub use command::{Command, Execute, Load, LoadTarget, Place, Seed, Store, Tokens, Walk};
pub use config::{Config, ConfigError, Geometry, Numerics, RawConfig};
pub use counter::{Counter, Counters};
pub use derived::Derived;
pub use format::{Format, MachineScheme, Round, Rounding};
pub use order::OrderError;
pub use port::{Direction, Port};
pub use program::{validate, Program, ProgramError};
