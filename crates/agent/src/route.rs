//! Waits for the kernel to learn a new route (rtnetlink): the moment at which a server that could
//! not be reached may be reachable.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

use crate::pty::watch;

/// Multicast groups of route changes, as bits (`RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_ROUTE`).
const GROUPS: u32 = 0x40 | 0x400;
/// `RTM_NEWROUTE`.
const NEW_ROUTE: u16 = 24;
/// `RT_TABLE_MAIN`: other tables hold the machine's own addresses.
const MAIN_TABLE: u8 = 254;
/// `RTN_UNICAST`: a way to somebody, not a broadcast address.
const UNICAST: u8 = 1;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;

/// Routes come in groups; this is also the shortest time between two tries, however often the
/// network changes.
const SETTLES: Duration = Duration::from_millis(500);

/// Waits for a new route and until those that come with it are there. For ever where the kernel
/// does not tell. Cancel safe; only what appears during the wait counts.
pub(crate) async fn appeared() {
    let appeared = match NewRoutes::subscribe() {
        Ok(mut routes) => routes.next().await,
        Err(error) => Err(error),
    };
    if let Err(error) = appeared {
        log::debug!("cannot follow network routes: {error}");
        std::future::pending::<()>().await;
    }
    sleep(SETTLES).await;
    log::info!("a network route has appeared");
}

/// A subscription to new routes.
#[derive(Debug)]
struct NewRoutes(AsyncFd<OwnedFd>);

impl NewRoutes {
    /// Subscribes; changes from now on count.
    fn subscribe() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        Ok(Self(watch(socket, Interest::READABLE)?))
    }

    /// Waits for the next new route; cancel safe.
    async fn next(&mut self) -> io::Result<()> {
        let mut buffer = [0; 8192];
        loop {
            let length = self
                .0
                .async_io(Interest::READABLE, |socket| {
                    match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                        // More has happened than the kernel could note: surely a route among it.
                        Err(nix::Error::ENOBUFS) => Ok(None),
                        result => Ok(Some(result?)),
                    }
                })
                .await?;
            match length {
                Some(length) if !has_new_route(buffer.get(..length).unwrap_or_default()) => {}
                _ => return Ok(()),
            }
        }
    }
}

/// Looks through the netlink messages of one datagram.
fn has_new_route(mut datagram: &[u8]) -> bool {
    while let Some(length) = datagram
        .first_chunk::<4>()
        .map(|bytes| u32::from_ne_bytes(*bytes))
    {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(message) = datagram.get(..length).filter(|_| length >= HEADER) else {
            return false;
        };
        let kind = message.get(4..6).and_then(|bytes| bytes.first_chunk::<2>());
        // `struct rtmsg`: family, two prefix lengths, service, table, protocol, scope, type.
        let (table, route_type) = (message.get(HEADER + 4), message.get(HEADER + 7));
        if kind.map(|bytes| u16::from_ne_bytes(*bytes)) == Some(NEW_ROUTE)
            && table == Some(&MAIN_TABLE)
            && route_type == Some(&UNICAST)
        {
            return true;
        }
        // Messages start at multiples of four.
        datagram = datagram
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, table: u8, route_type: u8) -> Vec<u8> {
        let mut message = Vec::new();
        message.extend_from_slice(&28u32.to_ne_bytes());
        message.extend_from_slice(&kind.to_ne_bytes());
        message.extend_from_slice(&[0; 10]);
        message.extend_from_slice(&[2, 24, 0, 0, table, 3, 0, route_type, 0, 0, 0, 0]);
        message
    }

    #[test]
    fn a_route_to_somewhere_is_told_from_the_rest() {
        assert!(has_new_route(&message(24, 254, 1)));
        assert!(
            !has_new_route(&message(25, 254, 1)),
            "a route that went away"
        );
        assert!(!has_new_route(&message(24, 255, 2)), "an own address");
        assert!(!has_new_route(&message(24, 254, 3)), "a broadcast address");
        let both = [message(25, 254, 1), message(24, 254, 1)].concat();
        assert!(has_new_route(&both));
    }

    #[test]
    fn a_broken_datagram_is_no_route() {
        let whole = message(24, 254, 1);
        for end in 0..whole.len() {
            assert!(!has_new_route(&whole[..end]));
        }
        assert!(!has_new_route(&[0; 64]));
        assert!(!has_new_route(&[255; 64]));
    }

    #[tokio::test]
    async fn the_kernel_takes_the_subscription() {
        let mut routes = NewRoutes::subscribe().unwrap();
        let quiet = tokio::time::timeout(std::time::Duration::from_millis(10), routes.next()).await;
        assert!(!matches!(quiet, Ok(Err(_))), "{quiet:?}");
    }
}
