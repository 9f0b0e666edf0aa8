//! `cargo run` builds the pages and serves them; `cargo run -- --size` prints the size of a minimal
//! page with an event stream.

use everstream_serve::{Bundles, bundle, router};
use std::env;
use std::error::Error;
use std::net::Ipv4Addr;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1).as_deref() {
        None => serve().await,
        Some("--size") => size(),
        Some(other) => Err(format!("usage: cargo run [-- --size], not {other:?}").into()),
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let router = router(&Bundles::build()?)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    println!("Open http://{address}/ in a browser, or http://{address}/fragments");
    Ok(axum::serve(listener, router).await?)
}

fn size() -> Result<(), Box<dyn Error>> {
    let bundle = bundle::bundle("everstream-minimal")?;
    let (mut bytes, mut gzipped) = (0, 0);
    for file in ["everstream_minimal_bg.wasm", "everstream_minimal.js"] {
        let (plain, packed) = bundle::weigh(&bundle.join(file))?;
        println!("{file:<28} {plain:>8} bytes, {packed:>7} with gzip");
        (bytes, gzipped) = (bytes + plain, gzipped + packed);
    }
    println!("{:<28} {bytes:>8} bytes, {gzipped:>7} with gzip", "a minimal page");
    Ok(())
}
