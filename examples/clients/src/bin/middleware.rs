//! An `EventSource` on reqwest-middleware, with a layer that retries and one that signs.
//!
//! Both layers see every attempt. The layer that retries is the outer one, so each of its retries
//! is signed again. It retries a 503 within one attempt; everstream reconnects after a connection
//! that breaks later.
//!
//! ```sh
//! cargo run --features middleware --bin middleware
//! ```

use async_trait::async_trait;
use everstream::{EventSource, EventSourceBuilder, Reconnection, RequestAttempt};
use everstream_clients::{Reply, Server, follow};
use http::{Extensions, HeaderValue};
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next, Result};
use reqwest_retry::RetryTransientMiddleware;
use reqwest_retry::policies::ExponentialBackoff;
use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Signs each request. The hash takes the place of the HMAC that a cloud service asks for.
struct Sign {
    key: &'static str,
    requests: AtomicU64,
}

#[async_trait]
impl Middleware for Sign {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let nonce = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut hasher = DefaultHasher::new();
        (self.key, request.url().path(), nonce).hash(&mut hasher);
        let signature = format!("{nonce}:{:016x}", hasher.finish());
        let signature = HeaderValue::try_from(signature).expect("digits");
        request.headers_mut().insert("x-signature", signature);
        next.run(request, extensions).await
    }
}

fn client() -> std::result::Result<ClientWithMiddleware, reqwest::Error> {
    let backoff = ExponentialBackoff::builder()
        .retry_bounds(Duration::from_millis(50), Duration::from_millis(200))
        .build_with_max_retries(2);
    Ok(ClientBuilder::new(reqwest::Client::builder().no_proxy().build()?)
        .with(RetryTransientMiddleware::new_with_policy(backoff))
        .with(Sign { key: "secret", requests: AtomicU64::new(0) })
        .build())
}

fn events(client: ClientWithMiddleware, url: String) -> EventSource {
    let send = move |attempt: RequestAttempt| {
        let request = client.get(&url).headers(attempt.headers());
        async move { request.send().await }
    };
    // By default a response function sends its request once, because it may be a POST.
    EventSourceBuilder::from_response_fn(send).reconnect(Reconnection::Always).build()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Box<dyn Error>> {
    let replies =
        &[Reply::Unavailable, Reply::Cut, Reply::Unavailable, Reply::Rest, Reply::NoContent];
    let server = Server::start(replies)?;
    let count = follow(events(client()?, server.url.clone())).await?;

    let requests = server.requests()?;
    let mut signatures: Vec<_> =
        requests.iter().map(|headers| headers.get("x-signature")).collect();
    signatures.dedup();
    let all_signed = signatures.len() == requests.len() && !signatures.contains(&None);
    assert!(all_signed, "a request has no signature of its own: {requests:?}");
    println!(
        "{count} events, nothing lost; {} requests, each signed, 2 of them retries",
        requests.len()
    );
    Ok(())
}
