//! Nothing is lost or doubled, whatever happens to the connections: on smol. See support/chaos.rs.

#[path = "support/chaos.rs"]
mod chaos;
#[path = "support/server.rs"]
mod server;

#[test]
fn each_event_comes_once_and_in_order_through_all_kinds_of_faults() {
    smol::block_on(chaos::run("smol", smol::Timer::after));
}
