//! Nothing is lost or doubled, whatever happens to the connections. The same as tests/chaos.rs and
//! tests/chaos_smol.rs of the crate, in a package that is quick to build with optimizations.

#[path = "../../support/chaos.rs"]
mod chaos;
#[path = "../../support/server.rs"]
mod server;

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
