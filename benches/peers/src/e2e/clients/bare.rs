//! Bare reqwest: it reads the bytes of the body and parses nothing. Its cost is included in the
//! figures of all clients over reqwest.

use crate::consumer::Consumer;
use crate::e2e::Failure;
use crate::e2e::client::{Client, Role, http_client};
use bytes::Bytes;
use futures_util::Stream;
use std::hint::black_box;

pub(super) struct Bare(reqwest::Client);

impl Client for Bare {
    const NAME: &'static str = "bare reqwest";
    const ROLE: Role = Role::Bare;

    type Item = reqwest::Result<Bytes>;

    fn new() -> Result<Self, Failure> {
        Ok(Bare(http_client()?))
    }

    async fn open(&self, url: &str) -> Result<impl Stream<Item = Self::Item>, Failure> {
        Ok(self.0.get(url).send().await?.bytes_stream())
    }

    #[inline(always)]
    fn hand_over(item: Self::Item, _: &mut impl Consumer) -> Result<u64, Failure> {
        Ok(black_box(item?).len() as u64)
    }
}
