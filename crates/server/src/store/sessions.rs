//! Terminal sessions, as they must survive a killed server.
//!
//! A live session is one whose end is not stored. What is stored comes before what is told: a device
//! hears of a session, of a new epoch and of a wanted end after the row says so.

use std::net::IpAddr;

use longwire_protocol::shell::{Ended, Winsize};
use sqlx::Row as _;

use super::database::{Builder, Row};
use super::{Change, Reader, StoreError, Write, rows};
use crate::ids::{DeviceId, UserId};
use crate::time::Timestamp;

/// A person, as they were called at that time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Account.
    pub id: UserId,
    /// E-mail address.
    pub email: String,
}

/// Who types in a session: a person in one of their programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// The person.
    pub person: Person,
    /// The instance their program's hello names; empty for a plain one.
    pub instance: String,
}

/// Who opens what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Its id.
    pub sid: String,
    /// On which device.
    pub device_id: DeviceId,
    /// Whose it is; also the one who types at first.
    pub owner: Person,
    /// The instance of the program they type in; empty for a plain one.
    pub controller_instance: String,
    /// From where it was opened, if known.
    pub address: Option<IpAddr>,
    /// Whether its viewer cannot come back to it.
    pub plain_only: bool,
    /// Whether the device keeps what is not acknowledged.
    pub lossless: bool,
    /// The terminal's size, if told.
    pub size: Option<Winsize>,
    /// When.
    pub created_at: Timestamp,
}

/// That a session is to end, or has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When that was decided, or happened.
    pub at: Timestamp,
    /// Why, if known.
    pub reason: Option<Ended>,
    /// What the shell's process returned, if known; never for one that is only to end.
    pub exit_status: Option<i32>,
    /// For people.
    pub text: String,
}

/// A session's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// Its id.
    pub sid: String,
    /// On which device.
    pub device_id: DeviceId,
    /// Whose it is.
    pub owner: Person,
    /// From where it was opened, if known.
    pub address: Option<IpAddr>,
    /// Whether no viewer so far can come back to it.
    pub plain_only: bool,
    /// The newest epoch; 1 for a session nobody took over.
    pub epoch: u64,
    /// Whether database or recordings were put back from an older copy, and no epoch has begun since:
    /// what is known of the session may have been given out otherwise.
    pub restored: bool,
    /// Who types in it.
    pub controller: Option<Controller>,
    /// Whether the device keeps what is not acknowledged.
    pub lossless: bool,
    /// The terminal's size, if told.
    pub size: Option<Winsize>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When the device said that the shell runs.
    pub started_at: Option<Timestamp>,
    /// Since when nobody looks at it.
    pub detached_at: Option<Timestamp>,
    /// That it is to end.
    pub to_stop: Option<Ending>,
    /// That it has ended.
    pub ended: Option<Ending>,
}

fn reason(row: &Row, column: &'static str) -> Result<Option<Ended>, StoreError> {
    let word: Option<&str> = row.try_get(column)?;
    // A word of a later version is no reason to lose the row.
    Ok(word.and_then(Ended::from_word))
}

fn person(row: &Row, id: &'static str, email: &'static str) -> Result<Option<Person>, StoreError> {
    let known: Option<&str> = row.try_get(id)?;
    known
        .map(|_| {
            Ok(Person {
                id: rows::parsed(row, id)?,
                email: row.try_get(email)?,
            })
        })
        .transpose()
}

fn ending(
    row: &Row,
    at: &'static str,
    why: &'static str,
    text: &'static str,
    exit_status: Option<i32>,
) -> Result<Option<Ending>, StoreError> {
    let Some(at) = rows::optional_time(row, at)? else {
        return Ok(None);
    };
    let text: Option<String> = row.try_get(text)?;
    Ok(Some(Ending {
        at,
        reason: reason(row, why)?,
        exit_status,
        text: text.unwrap_or_default(),
    }))
}

fn session(row: &Row) -> Result<StoredSession, StoreError> {
    let number =
        |column: &'static str| -> Result<Option<i64>, StoreError> { Ok(row.try_get(column)?) };
    let lines = |column| -> Result<Option<u16>, StoreError> {
        Ok(number(column)?.and_then(|n| u16::try_from(n).ok()))
    };
    let address: Option<&str> = row.try_get("owner_address")?;
    let exit_status = number("exit_status")?.and_then(|status| i32::try_from(status).ok());
    Ok(StoredSession {
        sid: row.try_get("id")?,
        device_id: rows::parsed(row, "device_id")?,
        owner: person(row, "owner_id", "owner_email")?
            .ok_or(StoreError::Stored { column: "owner_id" })?,
        address: address.and_then(|address| address.parse().ok()),
        plain_only: row.try_get("plain_only")?,
        epoch: number("epoch")?
            .and_then(|epoch| u64::try_from(epoch).ok())
            .ok_or(StoreError::Stored { column: "epoch" })?,
        restored: row.try_get("restored")?,
        controller: person(row, "controller_id", "controller_email")?
            .map(|person| {
                Ok::<_, StoreError>(Controller {
                    person,
                    instance: row.try_get("controller_instance")?,
                })
            })
            .transpose()?,
        lossless: row.try_get("lossless")?,
        size: match (lines("rows")?, lines("cols")?) {
            (Some(rows), Some(cols)) => Winsize::new(rows, cols),
            (None, _) | (_, None) => None,
        },
        created_at: rows::time(row, "created_at")?,
        started_at: rows::optional_time(row, "started_at")?,
        detached_at: rows::optional_time(row, "detached_at")?,
        to_stop: ending(row, "stop_at", "stop_reason", "stop_text", None)?,
        ended: ending(row, "ended_at", "end_reason", "end_text", exit_status)?,
    })
}

fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Reader {
    /// The sessions that have not ended, of one device or of all, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn live_sessions(
        &mut self,
        device: Option<DeviceId>,
    ) -> Result<Vec<StoredSession>, StoreError> {
        let mut query = Builder::new("SELECT * FROM sessions WHERE ended_at IS NULL");
        if let Some(device) = device {
            query
                .push(" AND device_id = ")
                .push_bind(device.to_string());
        }
        query.push(" ORDER BY created_at, id");
        let rows = query.build().fetch_all(self.connection()).await?;
        rows.iter().map(session).collect()
    }

    /// One session, live or past.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&mut self, sid: &str) -> Result<Option<StoredSession>, StoreError> {
        let row = sqlx::query("SELECT * FROM sessions WHERE id = $1")
            .bind(sid)
            .fetch_optional(self.connection())
            .await?;
        row.as_ref().map(session).transpose()
    }
}

impl Change {
    /// A session is opened, in epoch 1, with its owner typing.
    ///
    /// # Errors
    /// When the database fails, or has a session with this id.
    pub async fn open_session(&mut self, new: &NewSession) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO sessions (id, device_id, owner_id, owner_email, owner_address, plain_only,
                                   epoch, restored, controller_id, controller_email, controller_instance,
                                   lossless, rows, cols, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, 1, FALSE, $3, $4, $11, $7, $8, $9, $10)",
        )
        .bind(&new.sid)
        .bind(new.device_id.to_string())
        .bind(new.owner.id.to_string())
        .bind(&new.owner.email)
        .bind(new.address.map(|address| address.to_string()))
        .bind(new.plain_only)
        .bind(new.lossless)
        .bind(new.size.map(|size| i64::from(size.rows)))
        .bind(new.size.map(|size| i64::from(size.cols)))
        .bind(new.created_at.millis())
        .bind(&new.controller_instance)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Somebody else types from now on, or the same person anew, or nobody. Says whether that is so:
    /// a session that has ended, or has this epoch or a later one, stays as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_session_epoch(
        &mut self,
        sid: &str,
        epoch: u64,
        controller: Option<&Controller>,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE sessions SET epoch = $1, controller_id = $2, controller_email = $3,
                                 controller_instance = $5, restored = FALSE
             WHERE id = $4 AND epoch < $1 AND ended_at IS NULL",
        )
        .bind(stored(epoch))
        .bind(controller.map(|controller| controller.person.id.to_string()))
        .bind(controller.map(|controller| controller.person.email.as_str()))
        .bind(sid)
        .bind(controller.map_or("", |controller| controller.instance.as_str()))
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// A viewer is there, who can come back to it or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attach_session(&mut self, sid: &str, plain: bool) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE sessions SET detached_at = NULL, plain_only = plain_only AND $1 WHERE id = $2",
        )
        .bind(plain)
        .bind(sid)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The last viewer has left.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn detach_session(&mut self, sid: &str, at: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET detached_at = $1 WHERE id = $2")
            .bind(at.millis())
            .bind(sid)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// A session is to end. Says whether that is news: the first decision stays.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stop_session(&mut self, sid: &str, ending: &Ending) -> Result<bool, StoreError> {
        let mut query = stop(ending);
        query.push(" AND id = ").push_bind(sid.to_owned());
        let done = query.build().execute(self.connection()).await?;
        Ok(done.rows_affected() > 0)
    }

    /// All live sessions of a device are to end; says which that is news for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stop_sessions_of_device(
        &mut self,
        device: DeviceId,
        ending: &Ending,
    ) -> Result<Vec<String>, StoreError> {
        let mut query = stop(ending);
        query
            .push(" AND device_id = ")
            .push_bind(device.to_string())
            .push(" RETURNING id");
        let rows = query.build().fetch_all(self.connection()).await?;
        rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
    }

    /// All live sessions of a person are to end; says which that is news for, and on which devices.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stop_sessions_of_owner(
        &mut self,
        owner: UserId,
        ending: &Ending,
    ) -> Result<Vec<(String, DeviceId)>, StoreError> {
        let mut query = stop(ending);
        query
            .push(" AND owner_id = ")
            .push_bind(owner.to_string())
            .push(" RETURNING id, device_id");
        let rows = query.build().fetch_all(self.connection()).await?;
        rows.iter()
            .map(|row| Ok((row.try_get("id")?, rows::parsed(row, "device_id")?)))
            .collect()
    }

    /// A session has ended. Says whether that is news: the first end stays.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_session(&mut self, sid: &str, ending: &Ending) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE sessions SET ended_at = $1, end_reason = $2, exit_status = $3, end_text = $4
             WHERE id = $5 AND ended_at IS NULL",
        )
        .bind(ending.at.millis())
        .bind(ending.reason.map(Ended::as_str))
        .bind(ending.exit_status.map(i64::from))
        .bind(&ending.text)
        .bind(sid)
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }
}

fn stop(ending: &Ending) -> Builder {
    let mut query = Builder::new("UPDATE sessions SET stop_at = ");
    query
        .push_bind(ending.at.millis())
        .push(", stop_reason = ")
        .push_bind(ending.reason.map(Ended::as_str))
        .push(", stop_text = ")
        .push_bind(ending.text.clone())
        .push(" WHERE ended_at IS NULL AND stop_at IS NULL");
    query
}

impl<K> Write<K> {
    /// The device says that the shell runs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start_session(&mut self, sid: &str, at: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET started_at = COALESCE(started_at, $1) WHERE id = $2")
            .bind(at.millis())
            .bind(sid)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// The terminal has this size.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resize_session(&mut self, sid: &str, size: Winsize) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET rows = $1, cols = $2 WHERE id = $3")
            .bind(i64::from(size.rows))
            .bind(i64::from(size.cols))
            .bind(sid)
            .execute(self.connection())
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
