//! Checks that faults of connections lose and double no event. See support/chaos.rs.

use crate::support::chaos;

/// D29
#[tokio::test]
async fn each_event_comes_once_and_in_order_through_all_kinds_of_faults() {
    chaos::run("tokio", tokio::time::sleep).await;
}

#[cfg(feature = "smol")]
#[test]
fn each_event_comes_once_and_in_order_through_all_kinds_of_faults_on_smol() {
    smol::block_on(chaos::run("smol", smol::Timer::after));
}
