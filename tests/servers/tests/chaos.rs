//! Checks that faults of connections lose and double no event, on tokio and on smol. This package
//! is fast to build with optimizations.

#[path = "../../support/chaos.rs"]
pub mod chaos;
#[path = "../../support/server.rs"]
pub mod server;

use everstream_servers::choose_crypto;

#[tokio::test]
async fn each_event_comes_once_and_in_order_on_tokio() {
    choose_crypto();
    chaos::run("tokio", tokio::time::sleep).await;
}

#[test]
fn each_event_comes_once_and_in_order_on_smol() {
    choose_crypto();
    smol::block_on(chaos::run("smol", smol::Timer::after));
}
