//! Prints the events of a server, and resumes after a lost connection.
//!
//! ```sh
//! cargo run --example serve   # in one terminal
//! cargo run --example hello   # in another; takes a URL, too
//! ```

use everstream::{Event, RequestBuilderExt};
use futures_util::TryStreamExt;

#[tokio::main]
async fn main() -> Result<(), everstream::Error> {
    let url = std::env::args().nth(1).unwrap_or("http://127.0.0.1:8080/events".to_owned());
    let mut events = reqwest::Client::new().get(url).into_event_source();
    while let Some(event) = events.try_next().await? {
        match event {
            Event::Open(_) => println!("open"),
            Event::Message(message) => println!("{}: {}", message.event(), message.data()),
            Event::Reconnecting { reason, .. } => println!("reconnecting: {reason}"),
            _ => {}
        }
    }
    println!("the server has no more events");
    Ok(())
}
