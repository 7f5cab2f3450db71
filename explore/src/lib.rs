//! The design space.
