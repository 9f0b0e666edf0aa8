//! A client of the Model Context Protocol over Streamable HTTP, revision 2025-11-25.
//!
//! ```sh
//! cargo run --example mcp                                       # a demo with its own server
//! cargo run --example mcp -- http://localhost:8000/mcp count '{"steps": 120}'
//! ```
//!
//! It opens a session, calls one tool, prints each message of the answer as a line of JSON, and
//! deletes the session. The server may end the answer's stream early: the client then resumes it by
//! a GET with `Last-Event-ID`. `client.rs` holds the client; `demo.rs` holds the demo's server.

mod client;
mod demo;

use client::Session;
use serde_json::{Value, json};
use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::timeout;

type AnyError = Box<dyn Error + Send + Sync>;

/// Maximum time of the demo. It takes under a second on an idle machine.
const DEMO_TIME: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let done = match &args[..] {
        [] => match timeout(DEMO_TIME, demo::run()).await {
            Ok(done) => done,
            Err(_) => Err("the demo took too long".into()),
        },
        [url, tool] => call(url, tool, "{}").await,
        [url, tool, arguments] => call(url, tool, arguments).await,
        _ => Err("usage: mcp [URL TOOL [ARGUMENTS AS JSON]]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mcp: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn call(url: &str, tool: &str, arguments: &str) -> Result<(), AnyError> {
    let arguments: Value = serde_json::from_str(arguments)?;
    let mut session = Session::open(url).await?;
    let answer = session.call_tool(tool, arguments, |message| println!("{message}")).await?;
    println!("{}", json!({ "result": answer.result }));
    let (messages, connections) = (answer.messages, answer.connections);
    session.delete().await?;
    println!("{messages} messages and the result, {connections} connections");
    Ok(())
}
