//! Accounts and their tokens.

use sqlx::Row as _;

use super::database::Row;
use super::{Change, Reader, StoreError, rows};
use crate::access::Role;
use crate::ids::{TokenId, UserId};
use crate::time::Timestamp;

/// A person's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// E-mail address, lower case; what people sign in with.
    pub email: String,
    /// Argon2id hash, as a PHC string.
    pub password_hash: String,
    /// What the person may do.
    pub roles: Vec<Role>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When the person last signed in.
    pub login_at: Option<Timestamp>,
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserTokenOwner {
    /// The account's id.
    pub user_id: UserId,
    /// Its e-mail address.
    pub email: String,
    /// Its roles as they are now, not as they were when the token was made.
    pub roles: Vec<Role>,
}

/// Roles of one account in one column; role names hold no comma.
const ROLES: &str =
    "(SELECT string_agg(r.role, ',') FROM user_roles r WHERE r.user_id = u.id) AS roles";

fn roles(row: &Row) -> Result<Vec<Role>, StoreError> {
    let names: Option<&str> = row.try_get("roles")?;
    let mut roles = names
        .unwrap_or_default()
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| {
            name.parse()
                .map_err(|_| StoreError::Stored { column: "role" })
        })
        .collect::<Result<Vec<Role>, _>>()?;
    roles.sort_unstable();
    Ok(roles)
}

fn user(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        id: rows::parsed(row, "id")?,
        email: row.try_get("email")?,
        password_hash: row.try_get("password_hash")?,
        roles: roles(row)?,
        created_at: rows::time(row, "created_at")?,
        updated_at: rows::time(row, "updated_at")?,
        login_at: rows::optional_time(row, "login_at")?,
    })
}

impl Reader {
    /// The account with this e-mail address (any case).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_by_email(&mut self, email: &str) -> Result<Option<User>, StoreError> {
        let mut query = super::database::Builder::new("SELECT u.*, ");
        query.push(ROLES).push(" FROM users u WHERE u.email = ");
        query.push_bind(email.to_lowercase());
        let row = query.build().fetch_optional(self.connection()).await?;
        row.as_ref().map(user).transpose()
    }

    /// The account with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        let mut query = super::database::Builder::new("SELECT u.*, ");
        query.push(ROLES).push(" FROM users u WHERE u.id = ");
        query.push_bind(id.to_string());
        let row = query.build().fetch_optional(self.connection()).await?;
        row.as_ref().map(user).transpose()
    }

    /// All accounts, by e-mail address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&mut self) -> Result<Vec<User>, StoreError> {
        let mut query = super::database::Builder::new("SELECT u.*, ");
        query.push(ROLES).push(" FROM users u ORDER BY u.email");
        let rows = query.build().fetch_all(self.connection()).await?;
        rows.iter().map(user).collect()
    }

    /// Whose token this is, if it is still stored and not past its end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_token_owner(
        &mut self,
        id: TokenId,
        now: Timestamp,
    ) -> Result<Option<UserTokenOwner>, StoreError> {
        let mut query = super::database::Builder::new("SELECT u.id, u.email, ");
        query
            .push(ROLES)
            .push(" FROM user_tokens t JOIN users u ON u.id = t.user_id WHERE t.id = ")
            .push_bind(id.to_string())
            .push(" AND t.expires_at > ")
            .push_bind(now.millis());
        let row = query.build().fetch_optional(self.connection()).await?;
        row.map(|row| {
            Ok(UserTokenOwner {
                user_id: rows::parsed(&row, "id")?,
                email: row.try_get("email")?,
                roles: roles(&row)?,
            })
        })
        .transpose()
    }
}

impl Change {
    /// Adds an account. False when the e-mail address is taken; nothing is changed then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_user(&mut self, user: &User) -> Result<bool, StoreError> {
        let added = sqlx::query(
            "INSERT INTO users (id, email, password_hash, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (email) DO NOTHING",
        )
        .bind(user.id.to_string())
        .bind(user.email.to_lowercase())
        .bind(&user.password_hash)
        .bind(user.created_at.millis())
        .bind(user.updated_at.millis())
        .execute(self.connection())
        .await?;
        if added.rows_affected() == 0 {
            return Ok(false);
        }
        for role in &user.roles {
            sqlx::query("INSERT INTO user_roles (user_id, role) VALUES ($1, $2)")
                .bind(user.id.to_string())
                .bind(role.as_str())
                .execute(self.connection())
                .await?;
        }
        Ok(true)
    }

    /// Sets a new password hash and ends every token of the account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_password(
        &mut self,
        id: UserId,
        password_hash: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE users SET password_hash = $1, updated_at = $2 WHERE id = $3")
            .bind(password_hash)
            .bind(now.millis())
            .bind(id.to_string())
            .execute(self.connection())
            .await?;
        sqlx::query("DELETE FROM user_tokens WHERE user_id = $1")
            .bind(id.to_string())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Removes an account, its roles and its tokens.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_user(&mut self, id: UserId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM users WHERE id = $1")
            .bind(id.to_string())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Stores a new token and keeps only the newest `keep` of the account, none of them past its end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_user_token(
        &mut self,
        id: TokenId,
        user_id: UserId,
        now: Timestamp,
        expires_at: Timestamp,
        keep: u32,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM user_tokens WHERE expires_at <= $1")
            .bind(now.millis())
            .execute(self.connection())
            .await?;
        sqlx::query(
            "INSERT INTO user_tokens (id, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        )
        .bind(id.to_string())
        .bind(user_id.to_string())
        .bind(now.millis())
        .bind(expires_at.millis())
        .execute(self.connection())
        .await?;
        sqlx::query(
            "DELETE FROM user_tokens WHERE user_id = $1 AND id NOT IN
             (SELECT id FROM user_tokens WHERE user_id = $1 ORDER BY created_at DESC, id LIMIT $2)",
        )
        .bind(user_id.to_string())
        .bind(i64::from(keep))
        .execute(self.connection())
        .await?;
        sqlx::query("UPDATE users SET login_at = $1 WHERE id = $2")
            .bind(now.millis())
            .bind(user_id.to_string())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Ends a token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_user_token(&mut self, id: TokenId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM user_tokens WHERE id = $1")
            .bind(id.to_string())
            .execute(self.connection())
            .await?;
        Ok(())
    }
}
