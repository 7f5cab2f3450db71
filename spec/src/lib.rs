//! What the machine is: configuration, commands, memory layout, ports. No tensor arithmetic.

pub mod command;
pub mod config;
pub mod format;
pub mod port;

pub use command::{Command, Execute, Load, LoadTarget, Store, Tokens};
pub use config::{Config, ConfigError, Geometry, Numerics, RawConfig};
pub use format::{Format, Rounding};
pub use port::{Direction, Port};
