//! Which server to speak to, and as whom.

use longwire_client::{Client, ServerUrl, Trust};

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::logins::{Logins, read_token};
use crate::mender_config::MenderConfig;
use crate::places::Places;
use crate::say::say;

/// Everything a command needs to know about its surroundings.
pub(crate) struct Access {
    pub(crate) global: Global,
    pub(crate) places: Places,
    pub(crate) mender: MenderConfig,
}

impl Access {
    pub(crate) fn new(global: Global, places: Places) -> Result<Self, Failure> {
        if global.token.is_some() && global.token_value.is_some() {
            return Err(Failure::usage(
                "cannot specify both --token-value and --token",
            ));
        }
        let mender = MenderConfig::read(&places)?;
        if let Some(file) = &mender.file {
            say(&format!("Using configuration file: {}", file.display()));
        }
        Ok(Access {
            global,
            places,
            mender,
        })
    }

    /// A client without a token.
    pub(crate) fn stranger(&self) -> Result<Client, Failure> {
        let server = self.server()?;
        if self.global.verbose {
            say(&format!("Using server: {server}"));
        }
        let trust = if self.global.skip_verify && server.is_https() {
            say(&format!(
                "WARNING: the certificate of {server} is not verified; \
                 whoever sits between can read and change everything."
            ));
            Trust::Anyone
        } else {
            Trust::System
        };
        Ok(Client::new(server, trust)?)
    }

    /// A client with the token for its server.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let client = self.stranger()?;
        let token = self.token(client.server())?;
        Ok(client.with_token(&token)?)
    }

    /// mender-cli's configuration, if it is about this server.
    pub(crate) fn configured_for(&self, server: &ServerUrl) -> Option<&MenderConfig> {
        self.mender.is_for(server).then_some(&self.mender)
    }

    fn server(&self) -> Result<ServerUrl, Failure> {
        let parse =
            |text: &str| ServerUrl::parse(text, self.global.insecure_http).map_err(Failure::from);
        if let Some(text) = self
            .global
            .server
            .as_deref()
            .or(self.mender.server.as_deref())
        {
            return parse(text);
        }
        let logins = Logins::read(&self.places)?;
        match logins.servers().as_slice() {
            [only] => parse(only),
            [] => Err(Failure::usage(
                "no server given; use --server URL, or set LONGWIRE_SERVER",
            )),
            several => Err(Failure::usage(format!(
                "you are signed in to several servers; say which with --server URL:\n  {}",
                several.join("\n  ")
            ))),
        }
    }

    fn token(&self, server: &ServerUrl) -> Result<String, Failure> {
        if let Some(token) = &self.global.token_value {
            return Ok(token.clone());
        }
        if let Some(file) = &self.global.token {
            return read_token(file)?.ok_or_else(|| {
                Failure::new(
                    Code::NotAllowed,
                    format!("Please Login first: open {}: no such file", file.display()),
                )
            });
        }
        if self.global.verbose {
            say(&format!(
                "Using the login in {}",
                self.places.logins().display()
            ));
        }
        let logins = Logins::read(&self.places)?;
        logins
            .token(server, &self.places, &self.mender)?
            .ok_or_else(|| {
                let theirs = self.places.mender_token();
                let hint = if theirs.exists() {
                    format!(
                        "\nThe token in {} may be for another server. If it is for this one, \
                     add --token {}",
                        theirs.display(),
                        theirs.display()
                    )
                } else {
                    String::new()
                };
                Failure::new(
                    Code::NotAllowed,
                    format!("Please Login first: longwire --server {server} login{hint}"),
                )
            })
    }
}
