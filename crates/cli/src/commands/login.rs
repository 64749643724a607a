//! `login` and `logout`.

use longwire_client::Error;

use super::prompt::{ask, ask_secret};
use crate::access::Access;
use crate::args::Login;
use crate::failure::{Code, Failure};
use crate::logins::{Logins, write_private};
use crate::say::print;

/// Signs in and keeps the token.
pub(super) async fn login(access: &Access, args: &Login) -> Result<(), Failure> {
    let client = access.stranger()?;
    // What the configuration file says is for the server it names, and for no other.
    let theirs = access.configured_for(client.server());
    let username = args
        .username
        .as_ref()
        .or(theirs.and_then(|config| config.username.as_ref()));
    let username = match username {
        Some(username) => username.clone(),
        None => ask("Username").await?,
    };
    let password = args
        .password
        .as_ref()
        .or(theirs.and_then(|config| config.password.as_ref()));
    let password = match password {
        Some(password) => password.clone(),
        None => ask_secret("Password").await?,
    };
    let token = client
        .login(&username, &password, args.second_factor.as_deref())
        .await
        .map_err(login_failed)?;
    match &access.global.token {
        Some(file) => write_private(file, token.as_bytes())?,
        None => Logins::keep(
            &access.places,
            &access.mender,
            client.server(),
            &username,
            &token,
        )?,
    }
    print("login successful\n")
}

/// mender-cli's words.
fn login_failed(error: Error) -> Failure {
    if let Error::Status {
        status, message, ..
    } = &error
    {
        let code = if matches!(status, 401 | 403) {
            Code::NotAllowed
        } else {
            Code::Failure
        };
        let words = if message.is_empty() {
            String::new()
        } else {
            format!(": {message}")
        };
        return Failure::new(code, format!("login failed with status {status}{words}"));
    }
    error.into()
}

/// Makes the token worthless and forgets it; it is forgotten even when the server cannot be asked.
pub(super) async fn logout(access: &Access) -> Result<(), Failure> {
    let client = access.client()?;
    let told = client.logout().await;
    if access.global.token.is_none() && access.global.token_value.is_none() {
        Logins::forget(&access.places, client.server())?;
    }
    match told {
        Ok(()) => print("logged out\n"),
        // It was worthless before.
        Err(error) if error.status() == Some(401) => print("logged out\n"),
        Err(error) => Err(Failure::from(error).while_doing(
            "the token is forgotten here, but the server was not told and takes it until it expires",
        )),
    }
}
