//! Runs the programs of docs/, each page in an item of its own.

#[cfg(feature = "reqwest")]
#[doc = include_str!("../docs/reconnection.md")]
struct Reconnection;

#[cfg(feature = "reqwest")]
#[doc = include_str!("../docs/reliability.md")]
struct Reliability;

#[cfg(all(feature = "reqwest", feature = "json"))]
#[doc = include_str!("../docs/faq.md")]
struct Faq;

#[cfg(feature = "reqwest")]
#[doc = include_str!("../docs/browser.md")]
struct Browser;

#[cfg(feature = "reqwest")]
#[doc = include_str!("../docs/security.md")]
struct Security;

#[doc = include_str!("../docs/testing.md")]
struct Testing;

#[doc = include_str!("../docs/another-reqwest.md")]
struct AnotherReqwest;

#[doc = include_str!("../docs/serving.md")]
struct Serving;

#[cfg(feature = "reqwest")]
#[doc = include_str!("../docs/mcp.md")]
struct Mcp;

#[doc = include_str!("../docs/migrating-from/eventsource-client.md")]
struct FromEventsourceClient;

#[doc = include_str!("../docs/migrating-from/eventsource-stream.md")]
struct FromEventsourceStream;

#[doc = include_str!("../docs/migrating-from/reqwest-eventsource.md")]
struct FromReqwestEventsource;

#[doc = include_str!("../docs/migrating-from/sse-reqwest-client.md")]
struct FromSseReqwestClient;
