//! A place on loopback that stands for the network between two programs.

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::pipe::{Way, pipe};

/// What the network does at present; by default it passes everything on at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Weather {
    /// Nothing passes and nothing is lost, in either direction.
    pub stalled: bool,
    /// New connections are reset.
    pub refusing: bool,
    /// Whatever goes to the server disappears, and connections it happens to never recover.
    pub loses_to_server: bool,
    /// The same for whatever goes to the client.
    pub loses_to_client: bool,
    /// How much later everything arrives.
    pub delay: Duration,
    /// Bytes a second, in each direction of each connection.
    pub rate: Option<u32>,
}

impl Weather {
    pub(super) fn swallows(&self, way: Way) -> bool {
        match way {
            Way::ToServer => self.loses_to_server,
            Way::ToClient => self.loses_to_client,
        }
    }
}

/// How connections end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// By RST, and what is under way is lost.
    Reset,
    /// By FIN, in both directions at once; what has not been passed on is lost.
    Finish,
}

/// A listener whose connections are passed on to one address.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    cuts: watch::Sender<Cut>,
    open: Arc<AtomicUsize>,
    listener: AbortHandle,
}

impl Proxy {
    /// Listens on loopback for connections to `target`, which may come and go.
    ///
    /// # Errors
    /// When there is no port to be had.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (weather, weathers) = watch::channel(Weather::default());
        let (cuts, cut) = watch::channel(Cut::Reset);
        let open = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&open);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                // Those that have ended need not be kept.
                while connections.try_join_next().is_some() {}
                let open = Open::count(&counted);
                connections.spawn(connection(
                    client,
                    target,
                    weathers.clone(),
                    cut.clone(),
                    open,
                ));
            }
        });
        Ok(Self {
            address,
            weather,
            cuts,
            open,
            listener: task.abort_handle(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as `http://ADDRESS`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what the network does, for present connections and new ones.
    pub fn weather(&self, change: impl FnOnce(&mut Weather)) {
        self.weather.send_modify(change);
    }

    /// Ends all present connections and returns how many there were.
    pub fn cut(&self, how: Cut) -> usize {
        let open = self.open();
        self.cuts.send_replace(how);
        open
    }

    /// The number of present connections.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// What is still open is reset.
impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// One connection among those counted.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn count(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn connection(
    mut client: TcpStream,
    target: SocketAddr,
    weather: watch::Receiver<Weather>,
    mut cuts: watch::Receiver<Cut>,
    _open: Open,
) {
    // Marks the present cut as seen: only later ones are for this connection.
    cuts.borrow_and_update();
    if weather.borrow().refusing {
        reset(&client);
        return;
    }
    let Ok(mut server) = TcpStream::connect(target).await else {
        reset(&client);
        return;
    };
    for stream in [&client, &server] {
        // A connection without it works, only slower.
        let _ = stream.set_nodelay(true);
    }
    let how = {
        let lost = AtomicBool::new(false);
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let both = async {
            let there = pipe(from_client, to_server, Way::ToServer, &weather, &lost);
            let back = pipe(from_server, to_client, Way::ToClient, &weather, &lost);
            let ended = tokio::try_join!(there, back);
            if lost.load(Ordering::Relaxed) {
                // Whoever still has an end of it is to think that it is open.
                pending::<()>().await;
            }
            match ended {
                Ok(_) => Cut::Finish,
                Err(_) => Cut::Reset,
            }
        };
        tokio::select! {
            how = both => how,
            changed = cuts.changed() => match changed {
                Ok(()) => *cuts.borrow_and_update(),
                Err(_) => Cut::Reset,
            },
        }
    };
    match how {
        Cut::Reset => {
            reset(&client);
            reset(&server);
        }
        Cut::Finish => {
            // A side that is gone already needs no end.
            let _ = client.shutdown().await;
            let _ = server.shutdown().await;
        }
    }
}

/// Has a connection end by RST as soon as it is dropped.
fn reset(stream: &TcpStream) {
    // On failure it ends by FIN, which is a cut as well.
    let _ = stream.set_zero_linger();
}
