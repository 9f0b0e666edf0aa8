//! Nothing is lost or doubled, whatever happens to the connections: on tokio. See support/chaos.rs.

#[path = "support/chaos.rs"]
mod chaos;
#[path = "support/server.rs"]
mod server;

/// D29
#[tokio::test]
async fn each_event_comes_once_and_in_order_through_all_kinds_of_faults() {
    chaos::run("tokio", tokio::time::sleep).await;
}
