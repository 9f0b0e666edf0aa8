//! A streamed chat with an LLM: it prints the answer token by token.
//!
//! ```sh
//! cargo run --example llm --features json               # a demo with a server of its own
//! export OPENAI_API_KEY=… OPENAI_BASE_URL=https://api.openai.com/v1 OPENAI_MODEL=gpt-4o-mini
//! cargo run --example llm --features json,reqwest/rustls -- Why is the sky blue?
//! ```
//!
//! With a question, it asks a server that speaks OpenAI's protocol, or Anthropic's if
//! `ANTHROPIC_API_KEY` is set (`ANTHROPIC_BASE_URL`, `ANTHROPIC_MODEL`). A server on this machine
//! needs no key and no TLS: `OPENAI_BASE_URL=http://localhost:11434/v1`.
//!
//! The request is a POST, so the crate sends it once: a broken answer is not billed twice. These
//! failures are told apart, and none of them passes a part for the whole answer:
//!
//! - The server refuses the request, with the reason as JSON. Nothing was generated, so the request
//!   is repeated after the delay of `Retry-After`.
//! - An event in the middle of the answer reports an error.
//! - The answer ends without `[DONE]` or `message_stop`, or its connection breaks.
//!
//! `chat.rs` holds the client; `demo.rs` holds the demo's server.

mod chat;
mod demo;

use chat::{Api, Chat};
use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::timeout;

/// Maximum time of the demo. It takes 3 s on an idle machine.
const DEMO_TIME: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    let question = env::args().skip(1).collect::<Vec<_>>().join(" ");
    let done = match &*question {
        "" => {
            let done = timeout(DEMO_TIME, demo::run()).await;
            done.unwrap_or_else(|_| Err("the demo took too long".into()))
        }
        "-h" | "--help" => Err("usage: llm [QUESTION]".into()),
        question => ask(question).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("llm: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn ask(question: &str) -> Result<(), Box<dyn Error>> {
    let var = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let client = reqwest::Client::new();
    let chat = match var("ANTHROPIC_API_KEY") {
        Some(key) => Chat {
            client,
            api: Api::Anthropic,
            base_url: var("ANTHROPIC_BASE_URL").unwrap_or("https://api.anthropic.com/v1".into()),
            key: Some(key),
            model: var("ANTHROPIC_MODEL").unwrap_or("claude-haiku-4-5".into()),
        },
        None => Chat {
            client,
            api: Api::OpenAi,
            base_url: var("OPENAI_BASE_URL").unwrap_or("https://api.openai.com/v1".into()),
            key: var("OPENAI_API_KEY"),
            model: var("OPENAI_MODEL").unwrap_or("gpt-4o-mini".into()),
        },
    };
    let done = chat.ask(question, print).await;
    println!();
    done?;
    Ok(())
}

/// Prints a token as soon as it is there.
fn print(token: &str) {
    print!("{token}");
    // A closed standard output is noticed by the next `print!`.
    let _ = io::stdout().flush();
}
