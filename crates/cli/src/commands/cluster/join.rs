//! `join`: this server becomes a member of a cluster, by a token or by words that a member shows.

use base64::{Engine, engine::general_purpose::STANDARD};
use wire::{
    ClusterMemberConfigKey, ClusterMemberJoinToken, ClusterNearby, ClusterPut, ClusterWords,
    ClusterWordsPost,
    endpoints::{
        cluster::ClusterReplace,
        server::ServerGet,
        session::{ClusterNearbyList, ClusterWordsSay},
    },
    query::{NoQuery, TargetQuery},
};

use super::{ended, until};
use crate::{
    commands::OK,
    context::Context,
    edit::has_person,
    error::{self, Error, Result},
    question::ask,
};

/// How often it looks for a member, for three seconds each time.
const LOOKS: usize = 20;
/// How often words are asked for. Who only pretends to be the other machine could ask for ever, and guess each time.
const TRIES: usize = 3;

/// Makes this server a member of a cluster, by words that a member shows (cluster add), or by a token.
#[derive(Debug, clap::Args)]
pub(crate) struct Join {
    /// Token, made on a member by: microcloud cluster add NAME. Or the address of a member that shows words; it is
    /// looked for on this network otherwise
    #[arg(value_name = "TOKEN|MEMBER")]
    given: Option<String>,
    /// The name it is to have; its own otherwise. A token has one
    #[arg(long)]
    name: Option<String>,
    /// The words, if they are not to be asked for
    #[arg(long)]
    words: Option<String>,
    /// Where the others are to reach this server, host:port
    #[arg(long, default_value = "")]
    address: String,
    /// A key of a storage pool that each member has its own value of, such as default:source=/dev/sdb
    #[arg(long = "pool-config", value_name = "POOL:KEY=VALUE")]
    pools: Vec<String>,
    /// A key of a network that each member has its own value of, such as lan:bridge.external_interfaces=eth1
    #[arg(long = "network-config", value_name = "NETWORK:KEY=VALUE")]
    networks: Vec<String>,
}

impl Join {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let pools = self.pools.iter().map(|one| key("storage-pool", one));
        let networks = self.networks.iter().map(|one| key("network", one));
        let mut member_config: Vec<_> = pools.chain(networks).collect::<Result<_>>()?;
        let token = self.given.as_deref().filter(|text| !is_address(text));
        let cluster_token = match token {
            Some(token) => token.to_owned(),
            None => {
                let said = self.by_words(cx).await?;
                add_asked(&mut member_config, said.member_config)?;
                said.cluster_token
            }
        };
        let put = ClusterPut {
            enabled: true,
            cluster_token,
            server_name: token.and(self.name).unwrap_or_default(),
            server_address: self.address,
            member_config,
            ..ClusterPut::default()
        };
        enter(cx, &put).await
    }

    /// Has the server prove that the words are known here, and get its token.
    async fn by_words(&self, cx: &Context) -> Result<ClusterWords> {
        let own = cx.client.get::<ServerGet>(&[], &TargetQuery::default()).await?.environment;
        let own = own.map(|environment| environment.server_name).unwrap_or_default();
        let server_name = match &self.name {
            Some(name) => name.clone(),
            None if has_person() => ask("Name of this machine in the cluster", &own)?,
            None => own,
        };
        let address = match &self.given {
            Some(address) => address.clone(),
            None => look(cx).await?.address,
        };
        let mut left = if self.words.is_none() && has_person() { TRIES } else { 1 };
        loop {
            let words = match &self.words {
                Some(words) => words.clone(),
                None => ask("Words that the member shows", "")?,
            };
            let (address, server_name) = (address.clone(), server_name.clone());
            let post = ClusterWordsPost { address, words, server_name };
            left -= 1;
            match cx.client.call::<ClusterWordsSay>(&[], &NoQuery {}, &post).await {
                Ok(said) => {
                    let short = |print: &str| print.chars().take(12).collect::<String>();
                    let (theirs, ours) = (short(&said.fingerprint), short(&said.own_fingerprint));
                    cx.say(format!(
                        "{} knows the words, too. The certificate there: {theirs}, here: {ours}",
                        said.server_name
                    ));
                    return Ok(said);
                }
                Err(refused) if left > 0 && may_be_typed_better(&refused) => {
                    outln!("{}", error::text(&refused.into()).trim_end());
                }
                Err(refused) => return Err(refused.into()),
            }
        }
    }
}

/// Becomes a member, and says so.
pub(crate) async fn enter(cx: &Context, put: &ClusterPut) -> Result<u8> {
    let begun = cx.client.call::<ClusterReplace>(&[], &NoQuery {}, put).await?;
    ended(cx, &begun).await?;
    let name = until(cx, |cluster| cluster.enabled).await?.server_name;
    cx.say(format!("This server is member {name} of the cluster. Look: microcloud cluster list"));
    Ok(OK)
}

fn may_be_typed_better(refused: &client::Error) -> bool {
    refused.code() == Some(403) || refused.to_string().contains("invalid words")
}

/// Whether it says where a member is, and is no token: that is JSON in base64.
fn is_address(text: &str) -> bool {
    let host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    let token = STANDARD
        .decode(text)
        .is_ok_and(|json| serde_json::from_slice::<ClusterMemberJoinToken>(&json).is_ok());
    !token && text.contains(['.', ':']) && text.chars().all(host)
}

/// Looks for a member that waits, until there is one; who is asked which, if there are several.
async fn look(cx: &Context) -> Result<ClusterNearby> {
    cx.say("Looking on this network for a member that waits (on it: sudo microcloud cluster add)");
    for _ in 0..LOOKS {
        let mut found = cx.client.get::<ClusterNearbyList>(&[], &NoQuery {}).await?;
        let at = match found.len() {
            0 => continue,
            1 => 0,
            _ => which(&found)?,
        };
        let found = found.swap_remove(at);
        cx.say(format!("{} waits at {}", found.server_name, found.address));
        return Ok(found);
    }
    Err(Error::Usage(
        "no member on this network waits for machines that join: have one wait (sudo microcloud cluster add), or, where \
         it cannot be heard from here, name its address: sudo microcloud join ADDRESS",
    ))
}

fn which(found: &[ClusterNearby]) -> Result<usize> {
    for (number, one) in (1..).zip(found) {
        outln!("{number}: {} at {}", one.server_name, one.address);
    }
    if !has_person() {
        return Err(Error::Usage("several members wait: name one by its address"));
    }
    let number = ask("Which of them", "1")?.parse::<usize>().unwrap_or(0);
    let at = number.checked_sub(1).filter(|at| *at < found.len());
    at.ok_or(Error::Usage("there is none of that number"))
}

/// Asks for the values of this machine that the member has its own of, but for those that were given.
fn add_asked(
    given: &mut Vec<ClusterMemberConfigKey>,
    keys: Vec<ClusterMemberConfigKey>,
) -> Result<()> {
    if !has_person() {
        return Ok(());
    }
    for key in keys {
        let same = |one: &ClusterMemberConfigKey| {
            (&one.entity, &one.name, &one.key) == (&key.entity, &key.name, &key.key)
        };
        if given.iter().any(same) {
            continue;
        }
        let value = ask(&format!("On this machine, {} (empty: as usual)", key.description), "")?;
        if !value.is_empty() {
            given.push(ClusterMemberConfigKey { value, ..key });
        }
    }
    Ok(())
}

fn key(entity: &str, text: &str) -> Result<ClusterMemberConfigKey> {
    let parts = text.split_once(':').and_then(|(name, pair)| Some((name, pair.split_once('=')?)));
    let (name, (key, value)) =
        parts.ok_or(Error::Form { word: text.to_owned(), form: "NAME:KEY=VALUE" })?;
    Ok(ClusterMemberConfigKey {
        entity: entity.to_owned(),
        name: name.to_owned(),
        key: key.to_owned(),
        value: value.to_owned(),
        description: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_no_address() {
        let token = ClusterMemberJoinToken { secret: "s".into(), ..Default::default() };
        let token = STANDARD.encode(serde_json::json!(token).to_string());
        for text in [&token, "nonsense", "", "a/b"] {
            assert!(!is_address(text), "{text}");
        }
        for text in ["10.0.0.1", "10.0.0.1:8443", "pi.lan", "[fd00::1]:8443", "fd00::1"] {
            assert!(is_address(text), "{text}");
        }
    }
}
