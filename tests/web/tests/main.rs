//! Tests of everstream in real browsers, in a window and in a worker, against a real server of
//! another origin. `ci/web` starts that server and runs them in each place.
#![cfg(target_family = "wasm")]

mod abort;
mod cors;
mod endurance;
mod judge;
mod refusal;
mod resume;
mod server;
mod timeouts;
mod timer;
