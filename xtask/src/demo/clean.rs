//! `demo --clean`: removes everything the demo made, and what was made in its daemon since.
//!
//! Instances, images, networks and pools go through the API, so that the daemon takes away what it
//! made outside its folder; then the daemon, then the folder. Last, nothing may be left.

use anyhow::{Result, bail};
use serde_json::Value;

use super::left::{self, Left};
use super::say;
use super::server::Server;
use crate::shell;

/// A thing of the API: what to call it, and its path.
type Thing = (String, String);

pub(super) fn run() -> Result<bool> {
    let server = Server::new()?;
    if !server.exists() {
        say("there is nothing to remove");
        return Ok(true);
    }
    build()?;
    server.ensure()?;
    let left = Left::of(&server, networks(&server)?)?;
    delete_all(&server)?;
    server.stop()?;
    let folder = server.folder().to_string_lossy();
    if !shell::succeeds(&mut shell::as_root("rm", &["-rf", "--one-file-system", &folder])?)? {
        bail!("the folder {folder} cannot be removed");
    }
    let found = left::settled(&left)?;
    if !found.is_empty() {
        bail!("left behind:\n  - {}", found.join("\n  - "));
    }
    say("all of it is gone: no instance, image, link, table, group, mount or process is left");
    Ok(true)
}

/// The client and the daemon that know how to remove it.
fn build() -> Result<()> {
    if !shell::microcloud()?.is_file() && !shell::cargo(&["build", "--package", "microcloud"], &[])?
    {
        bail!("the build failed");
    }
    Ok(())
}

fn networks(server: &Server) -> Result<Vec<String>> {
    let all = server.get("/1.0/networks?recursion=1&all-projects=true")?;
    let managed = all.as_array().into_iter().flatten().filter(|network| network["managed"] == true);
    Ok(managed.filter_map(|network| Some(network["name"].as_str()?.to_owned())).collect())
}

fn delete_all(server: &Server) -> Result<()> {
    let projects = list(server, "/1.0/projects", "")?;
    for (project, _) in &projects {
        let query = format!("?project={project}");
        for (name, path) in list(server, "/1.0/instances", &query)? {
            let state = format!("/1.0/instances/{name}/state{query}");
            if server.get(&path)?["status"] != "Stopped" {
                let stop = r#"{"action":"stop","force":true,"timeout":30}"#;
                server.request("PUT", &state, stop)?;
            }
            // An ephemeral one went as it stopped.
            if server.has(&path)? {
                remove(server, "instance", &(name, path))?;
            }
        }
        each(server, "image", "/1.0/images", &query)?;
        profiles(server, &query)?;
    }
    for name in networks(server)? {
        let path = format!("/1.0/networks/{name}");
        remove(server, "network", &(name, path))?;
    }
    each(server, "storage pool", "/1.0/storage-pools", "")?;
    let others = projects.into_iter().filter(|(name, _)| name != "default");
    others.into_iter().try_for_each(|project| remove(server, "project", &project))
}

/// The default one of a project cannot go; emptied, it uses nothing.
fn profiles(server: &Server, query: &str) -> Result<()> {
    for (name, path) in list(server, "/1.0/profiles", query)? {
        if name == "default" {
            let empty = r#"{"config":{},"devices":{},"description":""}"#;
            server.request("PUT", &path, empty)?;
        } else {
            remove(server, "profile", &(name, path))?;
        }
    }
    Ok(())
}

fn each(server: &Server, kind: &str, path: &str, query: &str) -> Result<()> {
    list(server, path, query)?.iter().try_for_each(|thing| remove(server, kind, thing))
}

fn remove(server: &Server, kind: &str, (name, path): &Thing) -> Result<()> {
    say(&format!("removing {kind} {name}"));
    server.request("DELETE", path, "")
}

fn list(server: &Server, path: &str, query: &str) -> Result<Vec<Thing>> {
    let urls = server.get(&format!("{path}{query}"))?;
    let urls = urls.as_array().into_iter().flatten().filter_map(Value::as_str);
    Ok(urls.map(|url| thing(url, query)).collect())
}

fn thing(url: &str, query: &str) -> Thing {
    let path = url.split('?').next().unwrap_or(url);
    let name = path.rsplit('/').next().unwrap_or(path);
    (name.to_owned(), format!("{path}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_stays_in_its_project() {
        let expected = ("web".to_owned(), "/1.0/instances/web?project=p".to_owned());
        assert_eq!(thing("/1.0/instances/web?project=p", "?project=p"), expected);
        assert_eq!(thing("/1.0/instances/web", "?project=p"), expected);
    }
}
