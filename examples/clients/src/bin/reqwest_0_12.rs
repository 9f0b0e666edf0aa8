//! An `EventSource` on reqwest 0.12, by a response function. reqwest 0.13 is not built.
//!
//! ```sh
//! cargo run --features reqwest_0_12 --bin reqwest_0_12
//! ```

use everstream::{EventSource, EventSourceBuilder, Reconnection, RequestAttempt};
use everstream_clients::{Reply, Server, follow};
use reqwest_012::Client;
use std::error::Error;

fn events(client: Client, url: String) -> EventSource {
    let send = move |attempt: RequestAttempt| {
        let request = client.get(&url).headers(attempt.headers());
        async move { request.send().await }
    };
    // By default a response function sends its request once, because it may be a POST.
    EventSourceBuilder::from_response_fn(send).reconnect(Reconnection::Always).build()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start(&[Reply::Cut, Reply::Rest, Reply::NoContent])?;
    let client = Client::builder().no_proxy().build()?;
    let count = follow(events(client, server.url.clone())).await?;
    let connections = server.requests()?.len() - 1;
    println!("{count} events, {connections} connections, nothing lost, over reqwest 0.12");
    Ok(())
}
