//! `EventSource` on async-std, by the feature of that name.

use super::outside_tokio::{Executor, get, tests_under};
use crate::support::client::{data, next, opened, quickly, reconnecting};
use crate::support::server::{Reply, Server};
use async_std::task::{self, block_on};

struct AsyncStd;

impl Executor for AsyncStd {
    fn block_on<F: Future>(future: F) -> F::Output {
        task::block_on(future)
    }
}

tests_under!(AsyncStd);

#[test]
fn tasks_of_async_std_each_read_a_stream() {
    let server = Server::repeating(Reply::events("data: a\n\n"));
    let tasks = Vec::from_iter((0..16).map(|_| {
        let mut events = quickly(get(&server));
        task::spawn(async move {
            for _ in 0..3 {
                opened(&mut events).await;
                assert_eq!(data(&mut events).await, "a");
                reconnecting(&mut events).await;
            }
        })
    }));
    block_on(async {
        for task in tasks {
            task.await;
        }
    });
    assert!(server.requests().len() >= 48);
}

#[test]
fn async_stds_own_timeout_may_cancel_a_next() {
    let server = Server::repeating(Reply::events("data: a\n\n").hold());
    block_on(async {
        let mut events = quickly(get(&server));
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        let moment = std::time::Duration::from_millis(5);
        assert!(async_std::future::timeout(moment, next(&mut events)).await.is_err());
        events.force_reconnect();
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
    });
}
