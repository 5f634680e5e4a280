//! Names of users into the user ids that their processes can have.

use crate::plan::UidRange;

/// A name that stands for nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no user {0:?} in /etc/passwd; correct lock.users, or give the user id for a user that is kept elsewhere"
)]
pub struct NoSuchUser(pub String);

/// The ids of `users`, each a name or a number, by the texts of `/etc/passwd` and `/etc/subuid`.
///
/// A user with subordinate ids can take them on (`newuidmap`) and keep the network, so they are locked in with it.
///
/// # Errors
/// [`NoSuchUser`].
pub fn uids(users: &[String], passwd: &str, subuid: &str) -> Result<Vec<UidRange>, NoSuchUser> {
    let mut all = Vec::new();
    for user in users {
        let uid = uid(user, passwd).ok_or_else(|| NoSuchUser(user.clone()))?;
        all.push(UidRange { first: uid, last: uid });
        // Lines name a user or an id; a user may stand there by both.
        let names: Vec<&str> = names(uid, passwd).chain([user.as_str()]).collect();
        all.extend(
            subuid
                .lines()
                .filter_map(subordinate)
                .filter_map(|(owner, range)| (names.contains(&owner) || owner.parse() == Ok(uid)).then_some(range)),
        );
    }
    Ok(all)
}

/// The id of one user.
#[must_use]
pub fn uid(user: &str, passwd: &str) -> Option<u32> {
    user.parse().ok().or_else(|| entries(passwd).find_map(|(name, uid)| (name == user).then_some(uid)))
}

/// The first group of one user, by its name or id.
#[must_use]
pub fn gid(user: &str, passwd: &str) -> Option<u32> {
    let id = uid(user, passwd)?;
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':').skip(2);
        (fields.next()?.parse() == Ok(id)).then(|| fields.next()?.parse().ok()).flatten()
    })
}

fn names(uid: u32, passwd: &str) -> impl Iterator<Item = &str> {
    entries(passwd).filter_map(move |(name, other)| (other == uid).then_some(name))
}

fn entries(passwd: &str) -> impl Iterator<Item = (&str, u32)> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?, fields.nth(1)?.parse().ok()?))
    })
}

fn subordinate(line: &str) -> Option<(&str, UidRange)> {
    let mut fields = line.split(':');
    let (owner, first, count) =
        (fields.next()?, fields.next()?.parse::<u32>().ok()?, fields.next()?.parse::<u32>().ok()?);
    let last = first.checked_add(count.checked_sub(1)?)?;
    Some((owner, UidRange { first, last }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nbroken\nagent:x:998:997::/home/agent:/usr/sbin/nologin\n\
                          alias:x:998:997::/:/bin/sh\nwardkeep:x:999:996::/:/bin/sh\n";

    fn found(users: &[&str], subuid: &str) -> Result<Vec<(u32, u32)>, NoSuchUser> {
        let users: Vec<String> = users.iter().map(|user| (*user).to_owned()).collect();
        Ok(uids(&users, PASSWD, subuid)?.into_iter().map(|range| (range.first, range.last)).collect())
    }

    #[test]
    fn a_name_that_stands_for_nobody_is_refused() {
        for bad in ["agents", "", "agent:x", "-1", "4294967296"] {
            assert_eq!(found(&["agent", bad], ""), Err(NoSuchUser(bad.to_owned())));
        }
    }

    #[test]
    fn the_first_group_of_a_user() {
        let found = ["agent", "998", "wardkeep", "root", "broken", "nobody"].map(|user| gid(user, PASSWD));
        assert_eq!(found, [Some(997), Some(997), Some(996), Some(0), None, None]);
    }

    #[test]
    fn subordinate_ids_go_with_their_user() {
        let subuid = "wardkeep:1:5\nagent:100000:65536\n998:300000:1\nalias:400000:2\nagent:x:1\nagent:5:0\nagent:4294967295:2\n";
        let all = vec![(998, 998), (100_000, 165_535), (300_000, 300_000), (400_000, 400_001)];
        assert_eq!(found(&["agent"], subuid), Ok(all.clone()));
        assert_eq!(found(&["998"], subuid), Ok(all));
        assert_eq!(found(&["agent", "4001"], ""), Ok(vec![(998, 998), (4001, 4001)]));
    }
}
