//! An authentication service on a device's bus that lets mender-connect in anywhere.

use std::path::Path;

use anyhow::Result;
use zbus::connection::Builder;

struct Authentication {
    url: String,
}

#[zbus::interface(name = "io.mender.Authentication1")]
impl Authentication {
    fn get_jwt_token(&self) -> (String, String) {
        ("token".to_owned(), self.url.clone())
    }

    fn fetch_jwt_token(&self) -> bool {
        true
    }
}

/// Serves on the bus in `folder` until what is returned is dropped.
pub(crate) async fn serve(folder: &Path, url: &str) -> Result<zbus::Connection> {
    let address = format!("unix:path={}", folder.join("bus").display());
    let service = Authentication {
        url: url.to_owned(),
    };
    let connection = Builder::address(address.as_str())
        .serve_at("/io/mender/AuthenticationManager", service)
        .name("io.mender.AuthenticationManager")
        .build();
    Ok(connection.await?)
}
