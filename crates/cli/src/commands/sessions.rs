//! `sessions`: list them, go back to one, look on, end one.

use std::process::ExitCode;

use longwire_client::session::{Role, Start};
use longwire_client::{Client, Error, SessionRow};

use super::{find, terminal};
use crate::args::Sessions;
use crate::failure::{Code, Failure};
use crate::say::{print, say};
use crate::words::{plain, table};

pub(super) async fn run(client: &Client, command: &Sessions) -> Result<ExitCode, Failure> {
    match command {
        Sessions::List { device, mine, json } => {
            list(client, device.as_deref(), *mine, *json).await?;
        }
        Sessions::Attach { id, take_over } => {
            let role = if *take_over {
                Role::Controller
            } else {
                Role::Owner
            };
            return attach(client, id, role).await;
        }
        Sessions::Watch { id } => return attach(client, id, Role::Watcher).await,
        Sessions::Kill { id } => {
            client
                .end_session(id)
                .await
                .map_err(|error| no(error, id))?;
            say(&format!("ended {}", plain(id)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(
    client: &Client,
    device: Option<&str>,
    mine: bool,
    as_json: bool,
) -> Result<(), Failure> {
    let device = match device {
        Some(wanted) => Some(find::device(client, wanted).await?.id),
        None => None,
    };
    let rows = client
        .sessions(device.as_deref(), mine)
        .await
        .map_err(unsupported)?;
    if as_json {
        let json = serde_json::to_string_pretty(&rows)
            .map_err(|error| Failure::plain(error.to_string()))?;
        return print(&format!("{json}\n"));
    }
    let cells: Vec<[String; 6]> = rows.iter().map(cells).collect();
    print(&table(
        ["ID", "DEVICE", "OWNER", "STATE", "SINCE", "IN CONTROL"],
        &cells,
    ))
}

fn cells(row: &SessionRow) -> [String; 6] {
    let since = row.detached_at.as_deref().unwrap_or(&row.started_at);
    let control = row.viewers.iter().find(|viewer| viewer.control);
    [
        plain(&row.id).into_owned(),
        plain(&row.device_name).into_owned(),
        plain(&row.owner.email).into_owned(),
        plain(&row.state).into_owned(),
        plain(since).into_owned(),
        control.map_or_else(String::new, |viewer| plain(&viewer.email).into_owned()),
    ]
}

async fn attach(client: &Client, id: &str, as_: Role) -> Result<ExitCode, Failure> {
    let row = client
        .session_row(id)
        .await
        .map_err(|error| no(error, id))?;
    let start = Start::Attach {
        sid: row.id.clone(),
        as_,
    };
    terminal::run(client, &row.device_id, &row.device_name, start, None).await
}

/// There is no such session, or it is over, or it is none of ours.
fn no(error: Error, id: &str) -> Failure {
    if error.status() == Some(404) {
        Failure::new(Code::NotFound, format!("no such session: {}", plain(id)))
    } else {
        Failure::from(error)
    }
}

/// A real Mender server answers 404 to what it does not know.
pub(super) fn unsupported(error: Error) -> Failure {
    if error.status() == Some(404) {
        Failure::plain("this server keeps no sessions")
    } else {
        Failure::from(error)
    }
}
