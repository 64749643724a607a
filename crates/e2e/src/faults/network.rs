//! Both legs, and the server between them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::sleep;

use super::pipe::Way;
use super::proxy::{Cut, Proxy, Weather};
use super::storm::{Fault, Leg, Step, What};
use crate::lab::Lab;

/// A proxy on each leg.
#[derive(Debug)]
pub struct Network {
    /// Between devices and server.
    pub device: Proxy,
    /// Between server and viewers.
    pub viewer: Proxy,
    /// What has happened so far.
    pub counts: Counts,
}

/// How often what has happened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts(BTreeMap<String, usize>);

impl Counts {
    fn add(&mut self, what: &What) {
        let name = match what {
            What::Network { leg, fault, .. } => format!("{leg:?} {}", name(fault)),
            What::ServerKilled { .. } => "server killed".to_owned(),
            What::ServerUpgraded => "server upgraded".to_owned(),
        };
        *self.0.entry(name).or_default() += 1;
    }

    /// All faults together.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// How often something has happened whose name contains `part`.
    #[must_use]
    pub fn of(&self, part: &str) -> usize {
        let named = self.0.iter().filter(|(name, _)| name.contains(part));
        named.map(|(_, count)| count).sum()
    }
}

fn name(fault: &Fault) -> &'static str {
    match fault {
        Fault::Cut(Cut::Reset) => "reset",
        Fault::Cut(Cut::Finish) => "finish",
        Fault::HalfOpen => "half-open",
        Fault::Unreachable => "unreachable",
        Fault::Stall => "stall",
        Fault::Loss(Way::ToServer) => "loss to server",
        Fault::Loss(Way::ToClient) => "loss to client",
        Fault::Delay(_) => "delay",
        Fault::Limit(_) => "limit",
    }
}

impl Network {
    /// A network in fair weather around a lab's server.
    ///
    /// # Errors
    /// When there are no ports to be had.
    pub async fn around(lab: &Lab) -> Result<Self> {
        let server = lab
            .url
            .strip_prefix("http://")
            .context("the lab's server speaks http")?
            .parse()?;
        Ok(Self {
            device: Proxy::start(server).await?,
            viewer: Proxy::start(server).await?,
            counts: Counts::default(),
        })
    }

    /// Waits for the step's time, has it happen, and waits until it is over.
    ///
    /// # Errors
    /// When the server cannot be ended or started.
    pub async fn suffer(&mut self, step: Step, lab: &mut Lab) -> Result<()> {
        sleep(step.pause).await;
        match step.what {
            What::Network { leg, fault, lasts } => self.fault(leg, fault, lasts).await,
            What::ServerKilled { down } => {
                lab.server.kill().await?;
                sleep(down).await;
                lab.restart_server().await?;
            }
            What::ServerUpgraded => {
                let status = lab.server.terminate().await?;
                ensure!(
                    status.success(),
                    "the server ended with {status}: {}",
                    lab.server.output()?
                );
                lab.restart_server().await?;
            }
        }
        self.counts.add(&step.what);
        Ok(())
    }

    async fn fault(&self, leg: Leg, fault: Fault, lasts: Duration) {
        let proxy = match leg {
            Leg::Device => &self.device,
            Leg::Viewer => &self.viewer,
        };
        let during = async |change: fn(&mut Weather)| {
            proxy.weather(change);
            sleep(lasts).await;
        };
        match fault {
            Fault::Cut(how) => {
                proxy.cut(how);
            }
            Fault::HalfOpen => {
                during(|weather| {
                    weather.loses_to_server = true;
                    weather.loses_to_client = true;
                })
                .await;
                proxy.cut(Cut::Reset);
            }
            Fault::Unreachable => {
                proxy.weather(|weather| weather.refusing = true);
                proxy.cut(Cut::Reset);
                sleep(lasts).await;
            }
            Fault::Stall => during(|weather| weather.stalled = true).await,
            Fault::Loss(way) => {
                match way {
                    Way::ToServer => during(|weather| weather.loses_to_server = true).await,
                    Way::ToClient => during(|weather| weather.loses_to_client = true).await,
                }
                proxy.cut(Cut::Reset);
            }
            Fault::Delay(delay) => {
                proxy.weather(|weather| weather.delay = delay);
                sleep(lasts).await;
            }
            Fault::Limit(rate) => {
                proxy.weather(|weather| weather.rate = Some(rate));
                sleep(lasts).await;
            }
        }
        proxy.weather(|weather| *weather = Weather::default());
    }
}
