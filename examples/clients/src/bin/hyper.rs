//! An `EventSource` on hyper, by a response function: everstream's feature `http`, without reqwest.
//!
//! ```sh
//! cargo run --features hyper --bin hyper
//! ```

use bytes::Bytes;
use everstream::{EventSource, EventSourceBuilder, Reconnection, RequestAttempt};
use everstream_clients::{Reply, Server, follow};
use http::{Request, Uri};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::error::Error;

fn events(client: Client<HttpConnector, Empty<Bytes>>, url: Uri) -> EventSource {
    let send = move |attempt: RequestAttempt| {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = url.clone();
        *request.headers_mut() = attempt.headers();
        client.request(request)
    };
    // By default a response function sends its request once, because it may be a POST.
    EventSourceBuilder::from_response_fn(send).reconnect(Reconnection::Always).build()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start(&[Reply::Cut, Reply::Rest, Reply::NoContent])?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let count = follow(events(client, server.url.parse()?)).await?;
    let connections = server.requests()?.len() - 1;
    println!("{count} events, {connections} connections, nothing lost, over hyper");
    Ok(())
}
