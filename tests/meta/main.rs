//! Tests of the test server, of the table of HTTP behaviours, and of the examples as programs.

#[path = "../support"]
pub mod support {
    pub(crate) mod examples;
    pub mod server;
    pub(crate) mod threads;
}

mod examples;
mod http_cases;
mod server;
#[cfg(feature = "reqwest")]
mod tail;
