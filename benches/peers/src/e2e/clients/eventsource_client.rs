//! eventsource-client, over its hyper transport. (It has none over reqwest.) The server closes each
//! connection, so none is kept.

use crate::consumer::{Consumer, Event};
use crate::e2e::Failure;
use crate::e2e::client::{Client, Role};
use eventsource_client::{Client as _, ClientBuilder, Error, SSE};
use futures_util::Stream;
use launchdarkly_sdk_transport::HyperTransport;

pub(super) struct EventsourceClient(HyperTransport);

impl Client for EventsourceClient {
    const NAME: &'static str = "eventsource-client";
    const ROLE: Role = Role::Peer;

    type Item = Result<SSE, Error>;

    fn new() -> Result<Self, Failure> {
        Ok(EventsourceClient(HyperTransport::builder().disable_proxy().build_http()?))
    }

    async fn open(&self, url: &str) -> Result<impl Stream<Item = Self::Item>, Failure> {
        let builder = ClientBuilder::for_url(url).map_err(|error| error.to_string())?;
        Ok(builder.build_with_transport(self.0.clone()).stream())
    }

    #[inline(always)]
    fn hand_over(item: Self::Item, consumer: &mut impl Consumer) -> Result<u64, Failure> {
        match item {
            Ok(SSE::Event(event)) => {
                let id = event.id.as_deref().unwrap_or_default();
                let (event, data) = (&*event.event_type, event.data.as_bytes());
                consumer.event(Event { event, data, id });
                Ok(1)
            }
            Ok(SSE::Connected(_)) => Ok(0),
            Ok(SSE::Comment(comment)) => Err(format!("a comment: {comment}").into()),
            Err(error) => Err(error.to_string().into()),
        }
    }
}
