//! Token and server address from mender-client or mender-auth, over D-Bus.
//!
//! Service `io.mender.AuthenticationManager`, interface `io.mender.Authentication1`:
//! `GetJwtToken() → (s token, s server_url)`, `FetchJwtToken() → (b)`, signal
//! `JwtTokenStateChange(s token, s server_url)`.

mod bus;
mod watcher;
mod wire;

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use self::bus::{Bus, BusError, daemon_call};
use self::watcher::{Step, Watcher};
use self::wire::{Call, Kind, Message};
use super::{Publisher, Source};
use crate::backoff::Backoff;
use crate::server_url::PlainHttp;

const NAME: &str = "io.mender.AuthenticationManager";
const PATH: &str = "/io/mender/AuthenticationManager";
const INTERFACE: &str = "io.mender.Authentication1";
/// Where the system bus listens unless `DBUS_SYSTEM_BUS_ADDRESS` says otherwise.
const SYSTEM_BUS: &str = "unix:path=/var/run/dbus/system_bus_socket";

/// The bus was not there when the agent started.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot connect to the system bus at {address}: {cause}; without an authentication service \
     there, use --server"
)]
pub struct NoBus {
    /// The bus's address.
    pub address: String,
    /// What failed.
    pub cause: BusError,
}

pub use self::wire::WireError;

/// The identity that an authentication service on the bus gives.
pub struct DbusIdentity {
    address: String,
    bus: Bus,
    plain_http: PlainHttp,
}

/// Why a connection to the bus ended.
enum Ended {
    Shutdown,
    Lost(BusError),
}

impl DbusIdentity {
    /// The system bus's address from the environment, or the usual one.
    #[must_use]
    pub fn system_bus() -> String {
        std::env::var("DBUS_SYSTEM_BUS_ADDRESS")
            .ok()
            .filter(|address| !address.is_empty())
            .unwrap_or_else(|| SYSTEM_BUS.to_owned())
    }

    /// Connects to the bus at `address`. `plain_http` says which servers the service may name.
    ///
    /// # Errors
    /// [`NoBus`] when it cannot be reached. Once connected, a bus that goes away is waited for.
    pub async fn connect(address: String, plain_http: PlainHttp) -> Result<Self, NoBus> {
        match Bus::connect(&address).await {
            Ok(bus) => Ok(Self {
                address,
                bus,
                plain_http,
            }),
            Err(cause) => Err(NoBus { address, cause }),
        }
    }
}

impl Source for DbusIdentity {
    async fn run(self, mut publisher: Publisher, shutdown: CancellationToken) {
        let mut watcher = Watcher::new(self.plain_http);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        let mut connection = Some(self.bus);
        loop {
            if let Some(bus) = connection.take() {
                backoff.reset();
                match follow(bus, &mut watcher, &mut publisher, &shutdown).await {
                    Ended::Shutdown => return,
                    Ended::Lost(error) => log::warn!("lost the system bus: {error}"),
                }
                for step in watcher.disconnected() {
                    publish(step, &publisher);
                }
            }
            let again = async {
                sleep(backoff.next_delay()).await;
                Bus::connect(&self.address).await
            };
            tokio::select! {
                result = again => match result {
                    Ok(bus) => connection = Some(bus),
                    Err(error) => log::debug!("cannot connect to the system bus: {error}"),
                },
                () = shutdown.cancelled() => return,
            }
        }
    }
}

/// Serials of the calls whose answers are awaited.
#[derive(Default)]
struct Pending {
    owner: Option<u32>,
    token: Option<u32>,
}

/// Carries out the watcher's steps until the bus is lost.
async fn follow(
    mut bus: Bus,
    watcher: &mut Watcher,
    publisher: &mut Publisher,
    shutdown: &CancellationToken,
) -> Ended {
    let mut pending = match subscribe(&mut bus).await {
        Ok(pending) => pending,
        Err(error) => return Ended::Lost(error),
    };
    loop {
        let deadline = watcher.deadline();
        let due = async {
            match deadline {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let steps = tokio::select! {
            message = bus.next() => match message {
                Ok(message) => react(&message, watcher, &mut pending),
                Err(error) => return Ended::Lost(error),
            },
            () = due => watcher.due(Instant::now()),
            () = publisher.refused() => watcher.refused(),
            () = shutdown.cancelled() => return Ended::Shutdown,
        };
        for step in steps {
            if let Err(error) = carry_out(step, &mut bus, watcher, publisher, &mut pending).await {
                return Ended::Lost(error);
            }
        }
    }
}

/// Asks to be told of changes, and then for the owner of the name: in this order, so that no
/// change falls in between.
async fn subscribe(bus: &mut Bus) -> Result<Pending, BusError> {
    let owner = format!(
        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',\
         member='NameOwnerChanged',arg0='{NAME}'"
    );
    let token = format!(
        "type='signal',sender='{NAME}',path='{PATH}',interface='{INTERFACE}',\
         member='JwtTokenStateChange'"
    );
    for rule in [&owner, &token] {
        bus.call(&daemon_call("AddMatch", &[rule])).await?;
    }
    let owner = bus.call(&daemon_call("GetNameOwner", &[NAME])).await?;
    Ok(Pending {
        owner: Some(owner),
        token: None,
    })
}

fn react(message: &Message, watcher: &mut Watcher, pending: &mut Pending) -> Vec<Step> {
    let from_bus = message.sender == "org.freedesktop.DBus";
    match message.kind {
        Kind::Return | Kind::Error => {
            let answers = |serial: &mut Option<u32>| {
                let hit = serial.is_some() && *serial == message.reply_serial;
                serial.take_if(|_| hit).is_some()
            };
            if answers(&mut pending.owner) && from_bus {
                owner_known(message, watcher)
            } else if answers(&mut pending.token) {
                token_known(message, watcher)
            } else {
                Vec::new()
            }
        }
        Kind::Signal if from_bus && message.member == "NameOwnerChanged" => {
            match message.strings::<3>() {
                Ok([name, _, owner]) if name == NAME => {
                    // Who answers to what was asked before is no longer the owner.
                    *pending = Pending::default();
                    watcher.owner_changed(owner)
                }
                _ => Vec::new(),
            }
        }
        Kind::Signal
            if message.interface == INTERFACE && message.member == "JwtTokenStateChange" =>
        {
            watcher.hinted(&message.sender)
        }
        Kind::Signal | Kind::Call | Kind::Other => Vec::new(),
    }
}

/// At start nobody may own the name yet. Asking all the same lets the bus start the service.
fn owner_known(message: &Message, watcher: &mut Watcher) -> Vec<Step> {
    match message.strings::<1>() {
        Ok([owner]) if message.kind == Kind::Return => watcher.owner_changed(owner),
        _ => vec![Step::Ask],
    }
}

fn token_known(message: &Message, watcher: &mut Watcher) -> Vec<Step> {
    let now = Instant::now();
    if message.kind == Kind::Error {
        return watcher.failed(message.error_text(), now);
    }
    match message.strings::<2>() {
        Ok([token, url]) => watcher.answered(&message.sender, token, url, now),
        Err(error) => watcher.failed(&error.to_string(), now),
    }
}

async fn carry_out(
    step: Step,
    bus: &mut Bus,
    watcher: &mut Watcher,
    publisher: &Publisher,
    pending: &mut Pending,
) -> Result<(), BusError> {
    let call = |member| Call {
        destination: NAME,
        path: PATH,
        interface: INTERFACE,
        member,
        arguments: &[],
    };
    match step {
        Step::Ask => {
            pending.token = Some(bus.call(&call("GetJwtToken")).await?);
            watcher.asked(Instant::now());
        }
        Step::Fetch => {
            bus.call(&call("FetchJwtToken")).await?;
        }
        Step::Publish(_) => publish(step, publisher),
    }
    Ok(())
}

fn publish(step: Step, publisher: &Publisher) {
    if let Step::Publish(authorization) = step {
        publisher.publish(authorization);
    }
}
