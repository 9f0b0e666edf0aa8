//! reqwest-eventsource: `EventSource`, on eventsource-stream and reqwest 0.12.

use crate::consumer::{self, Consumer};
use crate::e2e::Failure;
use crate::e2e::client::{Client, Role};
use futures_util::Stream;
use reqwest_eventsource::{Error, Event, EventSource};

pub(super) struct ReqwestEventsource(reqwest_012::Client);

impl Client for ReqwestEventsource {
    const NAME: &'static str = "reqwest-eventsource";
    const ROLE: Role = Role::Peer;

    type Item = Result<Event, Error>;

    fn new() -> Result<Self, Failure> {
        let builder = reqwest_012::Client::builder().no_proxy().pool_max_idle_per_host(0);
        Ok(ReqwestEventsource(builder.build()?))
    }

    async fn open(&self, url: &str) -> Result<impl Stream<Item = Self::Item>, Failure> {
        Ok(EventSource::new(self.0.get(url))?)
    }

    #[inline(always)]
    fn hand_over(item: Self::Item, consumer: &mut impl Consumer) -> Result<u64, Failure> {
        match item {
            Ok(Event::Message(message)) => {
                let (event, data, id) = (&*message.event, message.data.as_bytes(), &*message.id);
                consumer.event(consumer::Event { event, data, id });
                Ok(1)
            }
            Ok(Event::Open) => Ok(0),
            Err(error) => Err(error.to_string().into()),
        }
    }
}
