//! Tests of `EventSource` on smol, and under executors without a runtime.

use std::pin::pin;

use super::outside_tokio::{Executor, get, tests_under};
use crate::support::client::{data, opened, quickly, reconnecting};
use crate::support::server::{Reply, Server};
use futures_util::StreamExt;
use smol::block_on;

struct Smol;

impl Executor for Smol {
    fn block_on<F: Future>(future: F) -> F::Output {
        smol::block_on(future)
    }
}

tests_under!(Smol);

#[test]
fn tasks_of_an_executor_with_several_threads_each_read_a_stream() {
    let server = Server::repeating(Reply::events("data: a\n\n"));
    let executor = smol::Executor::new();
    let (working, done) = smol::channel::bounded::<()>(1);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| block_on(executor.run(done.recv())));
        }
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let mut events = quickly(get(&server));
                executor.spawn(async move {
                    for _ in 0..3 {
                        opened(&mut events).await;
                        assert_eq!(data(&mut events).await, "a");
                        reconnecting(&mut events).await;
                    }
                })
            })
            .collect();
        block_on(async {
            for task in tasks {
                task.await;
            }
        });
        drop(working);
    });
    assert!(server.requests().len() >= 48);
}

/// These executors only drive the future that they block on.
#[test]
fn any_executor_will_do() {
    let server = Server::repeating(Reply::events("data: a\n\n"));
    let read = async || {
        let mut events = quickly(get(&server));
        for is_reconnect in [false, true] {
            assert_eq!(opened(&mut events).await.is_reconnect(), is_reconnect);
            assert_eq!(data(&mut events).await, "a");
            reconnecting(&mut events).await;
        }
    };
    futures_executor::block_on(read());
    pollster::block_on(read());
    futures_executor::LocalPool::new().run_until(read());
    smol::future::block_on(read());
    smol::future::block_on(smol::LocalExecutor::new().run(read()));
}

#[test]
fn the_combinators_of_streams_work() {
    let server = Server::repeating(Reply::events("data: a\n\ndata: b\n\n"));
    block_on(async {
        let events = quickly(get(&server));
        let messages = events.filter_map(|event| async move {
            match event {
                Ok(everstream::Event::Message(message)) => Some(message.into_data()),
                _ => None,
            }
        });
        let data: Vec<_> = pin!(messages).take(5).collect().await;
        assert_eq!(data, ["a", "b", "a", "b", "a"]);
    });
}
