//! Tests of the reconnecting engine over any connection, of its retry policies and its timers.

#[path = "../support"]
mod support {
    pub(crate) mod simulation {
        pub(crate) mod heap;
        pub(crate) mod history;
        pub(crate) mod script;
        pub(crate) mod settings;
        pub(crate) mod world;
    }
    pub(crate) mod thread_heap;
    pub(crate) mod transport;
}

mod auto_traits;
mod machine;
#[cfg(feature = "http")]
mod proxied_fleet;
mod reconnect;
mod remainder;
mod retry;
mod simulation;
mod timer;
