//! A process with a single client, which carries out orders. One thread does all the work. The CPU
//! time of the whole process is measured, because a client may start threads.

use super::Failure;
use super::client::Client;
use super::process::{self, Answer, Drained, Order};
use crate::consumer::Tally;
use cpu_time::ProcessTime;
use futures_util::{Stream, StreamExt};
use std::fs;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::runtime;
use tokio::time::{sleep, timeout};

/// The maximum time of a step. A slower client is stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time after which connections count as idle.
const REST: Duration = Duration::from_millis(200);

/// Carries out the orders on standard input with a client of this type.
pub(super) fn work<C: Client>() -> Result<(), Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let client = runtime.block_on(async { C::new() })?;
    for line in io::stdin().lines() {
        let order = Order::parse(&line?).ok_or("no such order")?;
        let answer = runtime.block_on(carry_out(&client, &order));
        let answer = answer.unwrap_or_else(|failure| Answer::Failed(failure.to_string()));
        println!("{}", answer.line());
    }
    Ok(())
}

async fn carry_out<C: Client>(client: &C, order: &Order) -> Result<Answer, Failure> {
    let done = match order {
        Order::Drain { url, goal } => timeout(PATIENCE, drain(client, url, *goal)).await,
        Order::Hold { url, connections } => {
            timeout(PATIENCE, hold(client, url, *connections)).await
        }
    };
    done.map_err(|_| "it takes too long")?
}

async fn drain<C: Client>(client: &C, url: &str, goal: u64) -> Result<Answer, Failure> {
    let mut tally = Tally::default();
    let mut progress = 0;
    let (wall, cpu) = (Instant::now(), ProcessTime::now());
    let mut stream = pin!(client.open(url).await?);
    while let Some(item) = stream.next().await {
        progress += C::hand_over(item, &mut tally)?;
        if progress >= goal {
            break;
        }
    }
    let (cpu, wall) = (cpu.elapsed(), wall.elapsed());
    Ok(Answer::Drained(Drained { progress, tally, cpu, wall }))
}

async fn hold<C: Client>(client: &C, url: &str, connections: usize) -> Result<Answer, Failure> {
    process::allow_connections(connections)?;
    // The first connection allocates what all share, so it does not count.
    let first = idle(client, url).await?;
    let before = resident_bytes()?;
    let mut held = Vec::with_capacity(connections);
    for _ in 0..connections {
        held.push(idle(client, url).await?);
    }
    sleep(REST).await;
    let after = resident_bytes()?;
    drop((first, held));
    Ok(Answer::Held(after.saturating_sub(before)))
}

/// Opens a connection, and waits for its first event.
async fn idle<'a, C: Client>(
    client: &'a C,
    url: &'a str,
) -> Result<Pin<Box<impl Stream<Item = C::Item> + 'a>>, Failure> {
    let mut stream = Box::pin(client.open(url).await?);
    let mut tally = Tally::default();
    let mut progress = 0;
    while progress == 0 {
        let item = stream.next().await.ok_or("the stream ended early")?;
        progress = C::hand_over(item, &mut tally)?;
    }
    let polled = poll_fn(|cx| Poll::Ready(stream.as_mut().poll_next(cx).is_pending())).await;
    match polled {
        true => Ok(stream),
        false => Err("more came than was sent".into()),
    }
}

/// Returns the resident memory of the process in bytes.
fn resident_bytes() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")
        .map_err(|error| format!("idle connections can only be weighed on Linux: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no VmRSS")?;
    Ok(kib.parse::<u64>()? * 1024)
}
