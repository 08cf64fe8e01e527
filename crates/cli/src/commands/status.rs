//! `status`: the server, and the cloud that it is a member of, at a glance.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use wire::{
    ClusterMember, ClusterMemberState, ResourcesStoragePoolSpace, Wear,
    endpoints::{
        cluster::{ClusterMemberStateGet, ClusterMembersList},
        instances::InstancesList,
        networks::NetworksList,
        server::{ServerGet, WearGet},
        storage::{StoragePoolResourcesGet, StoragePoolsList},
        warnings::WarningsList,
    },
    query::{ListQuery, NoQuery, TargetQuery},
};

use super::OK;
use crate::{context::Context, error::Result, output::human};

/// A day, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// Shows the server, and the cloud that it is a member of, at a glance.
#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    /// What is written to the disks, too
    #[arg(long)]
    wear: bool,
}

/// A member, and how it is, if it says so.
type Told = (ClusterMember, Option<ClusterMemberState>);

impl Status {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let server = cx.client.get::<ServerGet>(&[], &cx.target()).await?;
        let environment = server.environment.unwrap_or_default();
        outln!("Server:    {} {}", environment.server_name, environment.server_version);
        outln!(
            "System:    {} {}, kernel {}",
            environment.os_name,
            environment.os_version,
            environment.kernel_version
        );
        let told = match environment.server_clustered {
            true => members(cx).await?,
            false => Vec::new(),
        };
        if !told.is_empty() {
            outln!("Cluster:   {}", quorum(&told));
            for (member, state) in &told {
                outln!("Member:    {}", line(member, state.as_ref()));
            }
        }
        outln!("Instances: {}", instances(cx).await?);
        pools(cx, &told).await?;
        let networks = cx.client.get::<NetworksList>(&[], &cx.list()).await?.into_full();
        for network in networks.iter().filter(|network| network.managed) {
            let address = network.config.get("ipv4.address").map_or("no IPv4", String::as_str);
            outln!("Network:   {} ({}), {address}", network.name, network.r#type);
        }
        if let Some(count) = warnings(cx).await? {
            outln!("Warnings:  {count}");
        }
        if self.wear {
            wear(cx, &told).await?;
        }
        Ok(OK)
    }
}

/// What whoever is not an administrator may not see, is none.
fn seen<T>(answer: client::Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == Some(403) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn members(cx: &Context) -> Result<Vec<Told>> {
    let found = seen(cx.client.get::<ClusterMembersList>(&[], &cx.list()).await)?;
    let all = found.map(wire::Listing::into_full).unwrap_or_default();
    let told = all.into_iter().map(async |member| {
        let path = [member.server_name.as_str()];
        let state = match is_there(&member) {
            true => cx.client.get::<ClusterMemberStateGet>(&path, &NoQuery {}).await.ok(),
            false => None,
        };
        (member, state)
    });
    Ok(join_all(told).await)
}

fn is_there(member: &ClusterMember) -> bool {
    member.status == "Online" || member.status == "Evacuated"
}

/// Such as `3 members, 2 of 3 votes are there`, and what that means if it is too few.
fn quorum(told: &[Told]) -> String {
    let voters: Vec<_> = told.iter().map(|(member, _)| member).filter(|one| one.database).collect();
    // One that is blocked, as it is of another version, votes.
    let votes = |one: &ClusterMember| is_there(one) || one.status == "Blocked";
    let (all, there) = (voters.len(), voters.iter().filter(|one| votes(one)).count());
    let needed = all / 2 + 1;
    let members = if told.len() == 1 { "member" } else { "members" };
    let mut text = format!("{} {members}, {there} of {all} votes are there", told.len());
    if there < needed {
        text += &format!(
            ": nothing can be changed until {needed} are, but what is here starts and stops"
        );
    } else if there == needed && all > 1 {
        text += ": none of them may go";
    }
    text
}

fn line(member: &ClusterMember, state: Option<&ClusterMemberState>) -> String {
    let roles = member.roles.join(" ");
    let (name, status) = (&member.server_name, member.status.to_lowercase());
    let mut text =
        format!("{name}, {status}, {roles}, {}", member.url.trim_start_matches("https://"));
    if member.status == "Blocked" || member.message.contains(" version ") {
        text += &format!(" ({})", member.message);
    }
    let Some(info) = state.map(|state| &state.sysinfo) else { return text };
    let load = info.load_averages.first().copied().unwrap_or_default();
    let (free, total) = (human::bytes(info.free_ram), human::bytes(info.total_ram));
    format!("{text}, load {load:.2}, {free} of {total} memory free")
}

/// Each pool; in a cluster on each member.
async fn pools(cx: &Context, told: &[Told]) -> Result<()> {
    for pool in cx.client.get::<StoragePoolsList>(&[], &cx.list()).await?.into_full() {
        let title = format!("Pool:      {} ({})", pool.name, pool.driver);
        if told.is_empty() {
            let path = [pool.name.as_str()];
            let room = cx.client.get::<StoragePoolResourcesGet>(&path, &cx.target()).await?;
            outln!("{title}, {}", room_of(&room.space));
        }
        for (member, state) in told {
            let room = state.as_ref().map(|state| state.storage_pools.get(&pool.name));
            let said = match room {
                Some(Some(room)) => room_of(&room.space),
                Some(None) => String::from("unavailable"),
                None => String::from("not known"),
            };
            outln!("{title} on {}, {said}", member.server_name);
        }
    }
    Ok(())
}

fn room_of(space: &ResourcesStoragePoolSpace) -> String {
    let free = space.total.saturating_sub(space.used);
    let (used, total) = (human::bytes(space.used), human::bytes(space.total));
    format!("{used} of {total} used, {} free", human::bytes(free))
}

/// Such as `3 running, 1 stopped`, over all projects.
async fn instances(cx: &Context) -> Result<String> {
    let query = ListQuery { recursion: 1, all_projects: true, ..ListQuery::default() };
    let mut count = BTreeMap::new();
    for full in cx.client.get::<InstancesList>(&[], &query).await?.into_full() {
        *count.entry(full.instance.status.to_lowercase()).or_insert(0) += 1;
    }
    let parts: Vec<_> = count.iter().map(|(status, count)| format!("{count} {status}")).collect();
    Ok(if parts.is_empty() { "none".into() } else { parts.join(", ") })
}

/// How many nobody knows of yet.
async fn warnings(cx: &Context) -> Result<Option<String>> {
    let query = ListQuery { recursion: 1, ..ListQuery::default() };
    let Some(found) = seen(cx.client.get::<WarningsList>(&[], &query).await)? else {
        return Ok(None);
    };
    let new = found.into_full().iter().filter(|one| one.status == "new").count();
    let words = format!("{new}, see: microcloud warning list");
    Ok(Some(if new == 0 { String::from("none") } else { words }))
}

/// What each server writes; one that does not answer is left out.
async fn wear(cx: &Context, told: &[Told]) -> Result<()> {
    if told.is_empty() {
        let found = cx.client.get::<WearGet>(&[], &TargetQuery::default()).await?;
        outln!("Wear:      {}", worn(&found));
    }
    for (member, _) in told.iter().filter(|(member, _)| is_there(member)) {
        let name = &member.server_name;
        let query = TargetQuery { target: Some(name.clone()), ..TargetQuery::default() };
        if let Ok(found) = cx.client.get::<WearGet>(&[], &query).await {
            outln!("Wear:      {name}: {}", worn(&found));
        }
    }
    Ok(())
}

fn worn(wear: &Wear) -> String {
    let of = |what: &str, bytes: Option<u64>, seconds: u64| match bytes {
        Some(bytes) => {
            // Wide, as a disk may have taken more than 2^64 / DAY bytes.
            let daily = u128::from(bytes) * u128::from(DAY) / u128::from(seconds.max(1));
            let daily = human::bytes(u64::try_from(daily).unwrap_or(u64::MAX));
            format!("{what} {} ({daily} a day)", human::bytes(bytes))
        }
        None => format!("{what} is not counted here"),
    };
    let (since, start) = (human::span(wear.seconds), human::span(wear.uptime));
    let server = of("the server wrote", wear.server, wear.seconds);
    let database = of("its database", wear.database, wear.seconds);
    let disk = of("all of the disk", wear.disk, wear.uptime);
    format!("in {since} {server}, {database}; in {start} {disk}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(database: bool, status: &str) -> Told {
        let status = status.to_owned();
        (ClusterMember { database, status, ..ClusterMember::default() }, None)
    }

    #[test]
    fn votes_are_counted() {
        let (on, off) = (|| member(true, "Online"), || member(true, "Offline"));
        for (told, want) in [
            (vec![on()], "1 member, 1 of 1 votes are there"),
            (vec![on(), member(false, "Offline")], "2 members, 1 of 1 votes are there"),
            (vec![on(), on(), on()], "3 members, 3 of 3 votes are there"),
            (vec![on(), on(), off()], "3 members, 2 of 3 votes are there: none of them may go"),
            (
                vec![on(), off(), off()],
                "3 members, 1 of 3 votes are there: nothing can be changed until 2 are, but what is here starts and stops",
            ),
        ] {
            assert_eq!(quorum(&told), want);
        }
    }

    #[test]
    fn what_is_written_is_told_for_a_day() {
        let wear = Wear {
            seconds: DAY / 2,
            server: Some(2048),
            database: Some(1024),
            uptime: DAY,
            disk: None,
        };
        assert_eq!(
            worn(&wear),
            "in 12h the server wrote 2.00KiB (4.00KiB a day), its database 1.00KiB (2.00KiB a day); \
             in 1d all of the disk is not counted here"
        );
    }
}
