//! `longwire-server user`: accounts, straight on the data folder.

use std::io::Read as _;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use longwire_server::access::Role;
use longwire_server::audit::{Action, Actor, AuditEvent, Object};
use longwire_server::auth::password::Passwords;
use longwire_server::data_dir::DataDir;
use longwire_server::ids::UserId;
use longwire_server::session::EndReason;
use longwire_server::store::{Ending, Store, User};
use longwire_server::time::Timestamp;

use super::say;
use super::settings::PlaceArgs;

/// Longest password that is read.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// Flags of `user`.
#[derive(Args)]
pub(super) struct UserArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Subcommand)]
enum UserCommand {
    /// Make an account.
    Add {
        /// E-mail address to sign in with.
        email: String,
        /// What the person may do: admin, observer or terminal; may be given several times.
        #[arg(long, required = true)]
        role: Vec<Role>,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// List accounts.
    List {
        /// As a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Set a new password; ends every sign-in of the account.
    Passwd {
        /// E-mail address of the account.
        email: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Remove an account; ends every sign-in of it.
    Remove {
        /// E-mail address of the account.
        email: String,
    },
}

#[derive(Args)]
struct PasswordArgs {
    /// Read the password from standard input (the only way, so that it is in no process list).
    #[arg(long, required = true)]
    password_stdin: bool,
}

pub(super) async fn run(args: UserArgs) -> anyhow::Result<()> {
    let data = DataDir::open(&args.place.data_dir()?)?;
    let store = Store::open(&data.database()).await?;
    let done = match args.command {
        UserCommand::Add { email, role, .. } => add(&store, &email, role).await,
        UserCommand::List { json } => list(&store, json).await,
        UserCommand::Passwd { email, .. } => passwd(&store, &email).await,
        UserCommand::Remove { email } => remove(&store, &email).await,
    };
    store.close().await;
    done
}

/// One line, without its end.
fn read_password() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(PASSWORD_BYTES_MAX)
        .read_to_string(&mut text)
        .context("cannot read the password from standard input")?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains('\n') {
        bail!("the password must be one line");
    }
    Ok(line.to_owned())
}

async fn add(store: &Store, email: &str, mut roles: Vec<Role>) -> anyhow::Result<()> {
    if !is_email(email) {
        bail!("{email:?} is not an e-mail address");
    }
    roles.sort_unstable();
    roles.dedup();
    let password_hash = Passwords::new()?.hash(read_password()?).await?;
    let now = Timestamp::now();
    let names: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
    let user = User {
        id: UserId::new(),
        email: email.to_lowercase(),
        password_hash,
        roles,
        created_at: now,
        updated_at: now,
        login_at: None,
    };
    let mut change = store.change().await?;
    if !change.add_user(&user).await? {
        bail!("there is an account for {email} already");
    }
    let event = event(Action::UserAdded, &user)
        .with("email", user.email.as_str())
        .with("roles", names);
    change.commit(&event).await?;
    Ok(())
}

/// Something before and after one `@`, without spaces or control characters, and without the colon that
/// Basic credentials end the name with.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let plain = |letter: char| !letter.is_whitespace() && !letter.is_control() && letter != ':';
    !local.is_empty()
        && !domain.is_empty()
        && !domain.contains('@')
        && text.len() <= 254
        && text.chars().all(plain)
}

async fn list(store: &Store, json: bool) -> anyhow::Result<()> {
    let users = store.read().await?.users().await?;
    if json {
        let users: Vec<_> = users
            .iter()
            .map(|user| {
                serde_json::json!({
                    "id": user.id,
                    "email": user.email,
                    "roles": user.roles,
                    "created_at": user.created_at,
                    "login_at": user.login_at,
                })
            })
            .collect();
        return say(&serde_json::to_string_pretty(&users)?);
    }
    let width = users.iter().map(|user| user.email.len()).max().unwrap_or(0);
    for user in &users {
        let roles: Vec<_> = user.roles.iter().map(|role| role.as_str()).collect();
        let login = user.login_at.map_or_else(
            || "never signed in".to_owned(),
            |at| format!("signed in {at}"),
        );
        say(&format!(
            "{:width$}  {:<10}  {login}",
            user.email,
            roles.join(",")
        ))?;
    }
    Ok(())
}

async fn passwd(store: &Store, email: &str) -> anyhow::Result<()> {
    let user = find(store, email).await?;
    let hash = Passwords::new()?.hash(read_password()?).await?;
    let mut change = store.change().await?;
    change
        .set_password(user.id, &hash, Timestamp::now())
        .await?;
    change
        .commit(&event(Action::UserPasswordChanged, &user))
        .await?;
    Ok(())
}

async fn remove(store: &Store, email: &str) -> anyhow::Result<()> {
    let user = find(store, email).await?;
    let mut change = store.change().await?;
    change.remove_user(user.id).await?;
    let why = EndReason::NotAllowed;
    let ending = Ending {
        at: Timestamp::now(),
        reason: Some(why.ended()),
        exit_status: None,
        text: why.text().to_owned(),
    };
    for (sid, device) in change.stop_sessions_of_owner(user.id, &ending).await? {
        let event = AuditEvent::new(
            Action::SessionStopped,
            Actor::System,
            Object::Device(device),
        )
        .with("session_id", sid)
        .with("text", why.text());
        change.also(&event).await?;
    }
    let event = event(Action::UserRemoved, &user).with("email", user.email.as_str());
    change.commit(&event).await?;
    Ok(())
}

async fn find(store: &Store, email: &str) -> anyhow::Result<User> {
    store
        .read()
        .await?
        .user_by_email(email)
        .await?
        .with_context(|| format!("there is no account for {email}"))
}

fn event(action: Action, user: &User) -> AuditEvent {
    AuditEvent::new(action, Actor::System, Object::User(user.id))
}

#[cfg(test)]
mod tests {
    use super::is_email;

    #[test]
    fn addresses_can_be_used_to_sign_in() {
        for good in ["a@b", "admin@localhost", "first.last+x@fleet.example"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a:b@c", "a@b\n"] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
