//! `cluster role`: what members are for.

use super::Members;
use crate::{
    context::Context,
    error::{Error, Result},
    thing::Thing,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Role {
    /// Give a member a role: witness (it has the database and votes, and has no instances)
    Add {
        /// Member
        name: String,
        /// Role
        role: String,
    },
    /// Take a role from a member
    #[command(visible_alias = "rm")]
    Remove {
        /// Member
        name: String,
        /// Role
        role: String,
    },
}

impl Role {
    pub(super) async fn run(self, cx: &Context) -> Result<()> {
        let (Role::Add { name, role } | Role::Remove { name, role }) = &self;
        let found = Members::load(cx, name).await?;
        let mut put = Members::writable(&found.reply);
        let has = put.roles.contains(role);
        match &self {
            Role::Add { .. } if has => {
                return Err(Error::Usage("the member has that role already"));
            }
            Role::Add { .. } => put.roles.push(role.clone()),
            Role::Remove { .. } if !has => {
                return Err(Error::Usage("the member does not have that role"));
            }
            Role::Remove { .. } => put.roles.retain(|one| one != role),
        }
        Members::store(cx, name, &put, found.etag).await?;
        cx.say(format!("Member {name}: {}", put.roles.join(" ")));
        Ok(())
    }
}
