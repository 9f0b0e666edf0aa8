//! The replay log in a Redis stream, for several relays that serve the same events.
//!
//! - An entry has the fields `event`, `data` and `upstream` (the event's ID there). Readers see the
//!   ID of the entry, so each can resume at any relay. An entry with the field `end` is the last.
//! - One relay follows the upstream and writes. It chooses the ID of an entry before it sends it, so
//!   it can look for the entry after a broken connection, and writes none twice. Its IDs begin with
//!   the time of its start: those of a later writer are larger, and Redis rejects the earlier one's.
//! - Each relay copies the stream into its own `Log`. Readers cost Redis nothing.
//!
//! Redis needs `appendonly yes` and `appendfsync always`, or a restart can lose entries that readers
//! have. A relay that notices the loss ends with an error.

use crate::AnyError;
use crate::log::{EntryId, Log};
use everstream::MessageEvent;
use redis::aio::MultiplexedConnection;
use redis::streams::{
    StreamId, StreamMaxlen, StreamRangeReply, StreamReadOptions, StreamReadReply,
};
use redis::{AsyncCommands, AsyncConnectionConfig, Client, RedisError, RedisResult};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::sleep;

const PAUSE: Duration = Duration::from_millis(200);
/// Milliseconds that a read waits for the next entry.
const BLOCK: usize = 1000;
/// Entries of one read.
const BATCH: usize = 512;

pub(crate) struct SharedLog {
    client: Client,
    key: String,
    max_events: usize,
}

impl SharedLog {
    /// Opens the stream of this name. Fails if Redis does not answer.
    pub(crate) async fn open(
        url: &str,
        key: String,
        max_events: usize,
    ) -> Result<SharedLog, AnyError> {
        let shared = SharedLog { client: Client::open(url)?, key, max_events };
        shared.try_connect().await?;
        Ok(shared)
    }

    /// Copies the stream into the log, as it grows. Returns when the stream has its last entry.
    pub(crate) async fn copy_to(&self, log: &Log) -> Result<(), AnyError> {
        let mut copied = EntryId::default();
        loop {
            let mut connection = self.connect().await;
            match self.copy_while_connected(&mut connection, log, &mut copied).await {
                Ok(Copied::All) => return Ok(()),
                Ok(Copied::MoreThanThereIs(last)) => {
                    return Err(
                        format!("Redis has lost the entries from {last} to {copied}").into()
                    );
                }
                Err(error) => println!("-- reading from Redis: {error}"),
            }
        }
    }

    async fn copy_while_connected(
        &self,
        connection: &mut MultiplexedConnection,
        log: &Log,
        copied: &mut EntryId,
    ) -> RedisResult<Copied> {
        let last = self.last(connection).await?.and_then(|entry| EntryId::parse(&entry.id));
        let last = last.unwrap_or_default();
        if last < *copied {
            return Ok(Copied::MoreThanThereIs(last));
        }
        let options = StreamReadOptions::default().block(BLOCK).count(BATCH);
        loop {
            let after = copied.to_string();
            let read: Option<StreamReadReply> =
                connection.xread_options(&[&self.key], &[after], &options).await?;
            for entry in read.into_iter().flat_map(|read| read.keys).flat_map(|key| key.ids) {
                let Some(id) = EntryId::parse(&entry.id) else { continue };
                *copied = id;
                if entry.contains_key("end") {
                    log.close();
                    return Ok(Copied::All);
                }
                let (event, data) = (text(&entry, "event"), text(&entry, "data"));
                log.push(&MessageEvent::new(&event, &data, &entry.id));
            }
        }
    }

    /// Returns a writer, and the upstream's ID of the last event that is written.
    pub(crate) async fn writer(&self) -> Result<(Writer<'_>, String), AnyError> {
        let mut connection = self.connect().await;
        let last = self.last(&mut connection).await?;
        let last_id = last.as_ref().and_then(|entry| EntryId::parse(&entry.id)).unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
        let next = EntryId { time: now.max(last_id.time + 1), number: 0 };
        let upstream = last.map(|entry| text(&entry, "upstream")).unwrap_or_default();
        Ok((Writer { shared: self, connection, next }, upstream))
    }

    async fn last(&self, connection: &mut MultiplexedConnection) -> RedisResult<Option<StreamId>> {
        let last: StreamRangeReply = connection.xrevrange_count(&self.key, "+", "-", 1).await?;
        Ok(last.ids.into_iter().next())
    }

    /// Connects, as often as it takes.
    async fn connect(&self) -> MultiplexedConnection {
        loop {
            match self.try_connect().await {
                Ok(connection) => return connection,
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    async fn try_connect(&self) -> RedisResult<MultiplexedConnection> {
        // The default is shorter than a read that waits for an entry.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let mut connection =
            self.client.get_multiplexed_async_connection_with_config(&config).await?;
        // A server that still loads its file accepts connections, and refuses commands.
        let _: usize = connection.xlen(&self.key).await?;
        Ok(connection)
    }
}

enum Copied {
    All,
    /// The ID of the last entry, which is before the last one copied.
    MoreThanThereIs(EntryId),
}

pub(crate) struct Writer<'a> {
    shared: &'a SharedLog,
    connection: MultiplexedConnection,
    next: EntryId,
}

impl Writer<'_> {
    /// Writes an event. Waits for Redis while it cannot be reached.
    pub(crate) async fn write(&mut self, message: &MessageEvent) -> Result<(), RedisError> {
        let (event, data, upstream) = (message.event(), message.data(), message.id());
        self.append(&[("event", event), ("data", data), ("upstream", upstream)]).await
    }

    /// Writes the entry that ends the stream of each reader.
    pub(crate) async fn end(&mut self) -> Result<(), RedisError> {
        self.append(&[("end", "")]).await
    }

    async fn append(&mut self, fields: &[(&str, &str)]) -> Result<(), RedisError> {
        let id = self.next.to_string();
        let key = &self.shared.key;
        let max = StreamMaxlen::Equals(self.shared.max_events);
        loop {
            let added: RedisResult<()> = self.connection.xadd_maxlen(key, max, &id, fields).await;
            match added {
                Ok(()) => break,
                // Redis has answered: another writer has come after this one.
                Err(error) if !error.is_io_error() && !error.is_connection_dropped() => {
                    return Err(error);
                }
                Err(error) => println!("-- writing to Redis: {error}"),
            }
            if self.is_there_after_reconnecting(&id).await {
                break;
            }
        }
        self.next.number += 1;
        Ok(())
    }

    /// Returns whether the entry was written by a connection that broke before its answer.
    async fn is_there_after_reconnecting(&mut self, id: &str) -> bool {
        loop {
            self.connection = self.shared.connect().await;
            let found: RedisResult<StreamRangeReply> =
                self.connection.xrange_count(&self.shared.key, id, id, 1).await;
            if let Ok(found) = found {
                return !found.ids.is_empty();
            }
        }
    }
}

fn text(entry: &StreamId, field: &str) -> String {
    entry.get(field).unwrap_or_default()
}
