//! sseer: `EventSource`, its client over reqwest.

use crate::consumer::{Consumer, Event};
use crate::e2e::Failure;
use crate::e2e::client::{Client, Role, http_client};
use futures_util::Stream;
use sseer::EventSource;
use sseer::reqwest::{EventSourceError, StreamEvent};

pub(super) struct Sseer(reqwest::Client);

impl Client for Sseer {
    const NAME: &'static str = "sseer";
    const ROLE: Role = Role::Peer;

    type Item = Result<StreamEvent, EventSourceError>;

    fn new() -> Result<Self, Failure> {
        Ok(Sseer(http_client()?))
    }

    async fn open(&self, url: &str) -> Result<impl Stream<Item = Self::Item>, Failure> {
        Ok(EventSource::new(self.0.get(url))?)
    }

    #[inline(always)]
    fn hand_over(item: Self::Item, consumer: &mut impl Consumer) -> Result<u64, Failure> {
        match item {
            Ok(StreamEvent::Event(event)) => {
                let (event, data, id) = (&*event.event, event.data.as_bytes(), &*event.id);
                consumer.event(Event { event, data, id });
                Ok(1)
            }
            Ok(StreamEvent::Open) => Ok(0),
            Err(error) => Err(error.to_string().into()),
        }
    }
}
