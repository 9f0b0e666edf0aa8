//! everstream's `EventSource`.

use crate::consumer::{self, Consumer};
use crate::e2e::Failure;
use crate::e2e::client::{Client, Role, http_client};
use everstream::{Error, Event, RequestBuilderExt};
use futures_util::Stream;

pub(super) struct Everstream(reqwest::Client);

impl Client for Everstream {
    const NAME: &'static str = "everstream";
    const ROLE: Role = Role::Ours;

    type Item = Result<Event, Error>;

    fn new() -> Result<Self, Failure> {
        Ok(Everstream(http_client()?))
    }

    async fn open(&self, url: &str) -> Result<impl Stream<Item = Self::Item>, Failure> {
        Ok(self.0.get(url).into_event_source())
    }

    #[inline(always)]
    fn hand_over(item: Self::Item, consumer: &mut impl Consumer) -> Result<u64, Failure> {
        match item {
            Ok(Event::Message(message)) => {
                let (event, data, id) = (message.event(), message.data().as_bytes(), message.id());
                consumer.event(consumer::Event { event, data, id });
                Ok(1)
            }
            Ok(Event::Open(_)) => Ok(0),
            Ok(other) => Err(format!("{other:?}").into()),
            Err(error) => Err(error.into()),
        }
    }
}
