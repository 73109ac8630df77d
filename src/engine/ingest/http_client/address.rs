//! Which addresses may be asked: HTTP only, no secrets in them, nothing link-local, whatever a name server says.

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;

use crate::engine::ingest::IngestError;

/// Reads a base address, without query and fragment.
///
/// # Errors
/// When it cannot be read, is not HTTP, holds a secret, or lies where nothing is ever asked.
pub(super) fn base_address(name: &str, url: &str) -> Result<Url, IngestError> {
    let refuse = |address: &str, problem: String| IngestError::Address {
        name: name.to_owned(),
        address: address.to_owned(),
        problem,
    };
    // Until it is read, the address may hold a password anywhere: it is not repeated.
    let mut base = Url::parse(url)
        .map_err(|problem| refuse("(unreadable)", format!("{problem}; write it as http://host:port/prefix")))?;
    let has_secret = !base.username().is_empty() || base.password().is_some();
    // Both fail only for addresses that cannot have a user, and then there is none to remove.
    let _no_user = base.set_username("");
    let _no_password = base.set_password(None);
    base.set_query(None);
    base.set_fragment(None);
    let shown = base.to_string();
    if has_secret {
        return Err(refuse(&shown, "it holds a user or password; set `username` and `password` instead".to_owned()));
    }
    if !matches!(base.scheme(), "http" | "https") {
        return Err(refuse(&shown, format!("`{}` is not http or https; write it as http://host:port", base.scheme())));
    }
    let literal = base.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    if literal.is_some_and(is_refused) {
        return Err(refuse(&shown, "link-local addresses are never asked".to_owned()));
    }
    Ok(base)
}

/// Link-local and unspecified addresses: cloud metadata services live there, metrics servers do not.
fn is_refused(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_refused(IpAddr::V4(v4)),
            None => v6.is_unicast_link_local() || v6.is_unspecified(),
        },
    }
}

/// Looks names up like the system does and leaves refused addresses away, whatever the name server says this time.
#[derive(Debug)]
pub(super) struct CarefulResolver;

impl reqwest::dns::Resolve for CarefulResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> = found.into_iter().filter(|at| !is_refused(at.ip())).collect();
            if allowed.is_empty() {
                return Err(format!("`{}` has no address that may be asked", name.as_str()).into());
            }
            let addresses: reqwest::dns::Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}
