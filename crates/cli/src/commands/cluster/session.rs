//! `cluster add` without a name: shows words, waits for machines that join by them, and tells who came.

use std::{collections::BTreeMap, io::stdin, time::Duration};

use wire::{
    ClusterSession, Empty,
    endpoints::session::{ClusterSessionClose, ClusterSessionGet, ClusterSessionOpen},
    query::NoQuery,
};

use crate::{
    context::Context,
    edit::has_person,
    error::{Error, Result},
    output::human,
};

/// Between two looks who came.
const LOOK: Duration = Duration::from_millis(200);

/// Waits until so many have joined, or somebody ends it, or the member does.
pub(crate) async fn wait(cx: &Context, count: Option<usize>) -> Result<()> {
    let session = cx.client.call::<ClusterSessionOpen>(&[], &NoQuery {}, &Empty {}).await?;
    show(cx, &session);
    let ended = async {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = enter() => {}
        }
    };
    let followed = tokio::select! {
        done = follow(cx, count) => done,
        () = ended => Ok(()),
    };
    // What was let in goes on; nobody else is.
    let closed = cx.client.call::<ClusterSessionClose>(&[], &NoQuery {}, &Empty {}).await;
    followed?;
    closed?;
    Ok(())
}

fn show(cx: &Context, session: &ClusterSession) {
    if cx.quiet {
        outln!("{}", session.words);
        return;
    }
    let address = match session.announced {
        true => String::new(),
        false => format!(" {}", session.address),
    };
    outln!("On each machine that is to join:  sudo microcloud join{address}");
    outln!("Words to type there:              {}", session.words);
    outln!("");
    let print: String = session.fingerprint.chars().take(12).collect();
    outln!("{} waits at {}, certificate {print}.", session.server_name, session.address);
    if !session.announced {
        outln!("It cannot be heard on its network, so its address is to be typed as well.");
    }
    let until = human::moment(session.expires_at);
    match has_person() {
        true => outln!("It does so until {until}, or until you press Enter."),
        false => outln!("It does so until {until}, or until ctrl-c."),
    }
}

/// Tells who came until so many are members; an error says why the member waits no more.
async fn follow(cx: &Context, count: Option<usize>) -> Result<()> {
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    let mut wrong = 0;
    loop {
        let now = cx.client.get::<ClusterSessionGet>(&[], &NoQuery {}).await?;
        if now.wrong > wrong {
            wrong = now.wrong;
            cx.say(format!("Wrong words were tried: {wrong} of {} times", now.most_wrong));
        }
        for guest in &now.guests {
            let before = told.insert(guest.fingerprint.clone(), guest.status.clone());
            if before.as_ref() == Some(&guest.status) {
                continue;
            }
            let (name, print) =
                (&guest.server_name, guest.fingerprint.get(..12).unwrap_or_default());
            match guest.status.as_str() {
                "member" => cx.say(format!("{name} is a member")),
                _ if before.is_none() => {
                    cx.say(format!(
                        "{name} knows the words: from {}, certificate {print}",
                        guest.from
                    ));
                }
                _ => {}
            }
        }
        let members = now.guests.iter().filter(|guest| guest.status == "member").count();
        if count.is_some_and(|count| members >= count) {
            return Ok(());
        }
        if !now.ended.is_empty() {
            return Err(Error::Ended(now.ended));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Resolves when somebody presses Enter; never where nobody sits.
async fn enter() {
    if !has_person() {
        return std::future::pending().await;
    }
    let (sender, pressed) = tokio::sync::oneshot::channel();
    // A thread of its own: the program ends without it.
    std::thread::spawn(move || {
        // A terminal that is gone is no Enter.
        if stdin().read_line(&mut String::new()).is_ok_and(|count| count > 0) {
            let _ = sender.send(());
        }
    });
    if pressed.await.is_err() {
        std::future::pending::<()>().await;
    }
}
