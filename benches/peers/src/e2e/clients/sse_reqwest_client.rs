//! sse-reqwest-client: `EventSource`, on sse-core.

use crate::consumer::{Consumer, Event};
use crate::e2e::Failure;
use crate::e2e::client::{Client, Role, http_client};
use futures_util::Stream;
use sse_reqwest_client::{Error, RequestBuilderExt, SseEvent};

pub(super) struct SseReqwestClient(reqwest::Client);

impl Client for SseReqwestClient {
    const NAME: &'static str = "sse-reqwest-client";
    const ROLE: Role = Role::Peer;

    type Item = Result<SseEvent, Error>;

    fn new() -> Result<Self, Failure> {
        Ok(SseReqwestClient(http_client()?))
    }

    async fn open(&self, url: &str) -> Result<impl Stream<Item = Self::Item>, Failure> {
        Ok(self.0.get(url).into_event_source())
    }

    #[inline(always)]
    fn hand_over(item: Self::Item, consumer: &mut impl Consumer) -> Result<u64, Failure> {
        match item {
            Ok(SseEvent::Message(message)) => {
                let id = message.last_event_id.as_deref().unwrap_or_default();
                let (event, data) = (&*message.event, message.data.as_bytes());
                consumer.event(Event { event, data, id });
                Ok(1)
            }
            Ok(SseEvent::Open) => Ok(0),
            Ok(other) => Err(format!("{other:?}").into()),
            Err(error) => Err(error.into()),
        }
    }
}
