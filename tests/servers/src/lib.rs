//! Helpers of the tests of this package.

/// Installs a crypto provider. Call it before creating a client: reqwest is built without one,
/// because its own choice takes minutes to build.
pub fn choose_crypto() {
    // This fails if a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Compiles the recipes of a page that need reqwest's feature `http2`.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/many-streams.md")]
struct ManyStreams;
