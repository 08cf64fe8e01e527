use serde_json::json;

use super::*;

fn policy(statement: Value) -> Policy {
    Policy::parse(&json!({"Version": "2012-10-17", "Statement": statement}).to_string(), "b")
        .unwrap()
}

fn wrong(statement: Value) -> Wrong {
    let text = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    Policy::parse(&text, "b").unwrap_err()
}

fn decide(policy: &Policy, who: Option<&str>, action: &str, resource: &str) -> Option<Effect> {
    decide_with(policy, who, action, resource, &[])
}

fn decide_with(
    policy: &Policy,
    who: Option<&str>,
    action: &str,
    resource: &str,
    facts: &[(&str, &str)],
) -> Option<Effect> {
    let facts = |key: &str| {
        facts.iter().find(|(known, _)| *known == key).map(|(_, value)| (*value).to_owned())
    };
    policy.decide(&Asked { who, action, resource, facts: &facts })
}

const ALLOW: Option<Effect> = Some(Effect::Allow);
const DENY: Option<Effect> = Some(Effect::Deny);

#[test]
fn who_what_and_whereon_decide_together() {
    let p = policy(json!({
        "Effect": "Allow", "Principal": {"AWS": ["KEY1", "arn:aws:iam:::user/KEY2"]},
        "Action": ["s3:Get*", "s3:listbucket"], "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/pub/*"],
    }));
    for (who, action, resource, is) in [
        (Some("KEY1"), "s3:GetObject", "arn:aws:s3:::b/pub/x/y", ALLOW),
        (Some("KEY2"), "s3:ListBucket", "arn:aws:s3:::b", ALLOW),
        (Some("KEY3"), "s3:GetObject", "arn:aws:s3:::b/pub/x", None),
        (None, "s3:GetObject", "arn:aws:s3:::b/pub/x", None),
        (Some("KEY1"), "s3:PutObject", "arn:aws:s3:::b/pub/x", None),
        (Some("KEY1"), "s3:GetObject", "arn:aws:s3:::b/private", None),
    ] {
        assert_eq!(decide(&p, who, action, resource), is, "{who:?} {action} {resource}");
    }
}

#[test]
fn a_deny_wins_and_not_turns_a_field_round() {
    let p = policy(json!([
        {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"},
        {"Effect": "Deny", "NotPrincipal": {"AWS": "ME"}, "NotAction": "s3:GetObject",
         "NotResource": "arn:aws:s3:::b/drop/*"},
    ]));
    assert_eq!(decide(&p, None, "s3:GetObject", "arn:aws:s3:::b/x"), ALLOW);
    assert_eq!(decide(&p, None, "s3:PutObject", "arn:aws:s3:::b/x"), DENY);
    assert_eq!(decide(&p, None, "s3:PutObject", "arn:aws:s3:::b/drop/x"), ALLOW);
    assert_eq!(decide(&p, Some("ME"), "s3:PutObject", "arn:aws:s3:::b/x"), ALLOW);
}

#[test]
fn conditions_hold_or_not() {
    for (condition, facts, is) in [
        (json!({"StringEquals": {"s3:prefix": ["a", "b"]}}), &[("s3:prefix", "b")][..], true),
        (json!({"StringEquals": {"s3:prefix": "a"}}), &[("s3:prefix", "A")], false),
        (json!({"StringEquals": {"s3:prefix": "a"}}), &[], false),
        (json!({"StringEqualsIfExists": {"s3:prefix": "a"}}), &[], true),
        (json!({"StringNotEquals": {"s3:prefix": "a"}}), &[], true),
        (json!({"StringNotEquals": {"s3:prefix": ["a", "b"]}}), &[("s3:prefix", "b")], false),
        (json!({"StringEqualsIgnoreCase": {"s3:prefix": "a"}}), &[("s3:prefix", "A")], true),
        (
            json!({"StringLike": {"aws:Referer": "https://x/*"}}),
            &[("aws:referer", "https://x/y")],
            true,
        ),
        (
            json!({"StringNotLike": {"aws:Referer": "https://x/*"}}),
            &[("aws:referer", "https://z")],
            true,
        ),
        (
            json!({"IpAddress": {"aws:SourceIp": "10.1.0.0/16"}}),
            &[("aws:sourceip", "10.1.2.3")],
            true,
        ),
        (
            json!({"IpAddress": {"aws:SourceIp": "10.1.0.0/16"}}),
            &[("aws:sourceip", "10.2.0.1")],
            false,
        ),
        (
            json!({"IpAddress": {"aws:SourceIp": "10.1.0.0/16"}}),
            &[("aws:sourceip", "::ffff:10.1.9.9")],
            true,
        ),
        (json!({"IpAddress": {"aws:SourceIp": "fd00::/8"}}), &[("aws:sourceip", "fd12::1")], true),
        (json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}), &[("aws:sourceip", "1.2.3.4")], true),
        (
            json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.1"}}),
            &[("aws:sourceip", "10.0.0.2")],
            true,
        ),
        (json!({"Bool": {"aws:SecureTransport": true}}), &[("aws:securetransport", "true")], true),
        (
            json!({"Bool": {"aws:SecureTransport": "false"}}),
            &[("aws:securetransport", "true")],
            false,
        ),
        (json!({"NumericLessThanEquals": {"s3:max-keys": 10}}), &[("s3:max-keys", "10")], true),
        (json!({"NumericLessThan": {"s3:max-keys": "10"}}), &[("s3:max-keys", "10")], false),
        (json!({"Null": {"s3:x-amz-acl": "true"}}), &[], true),
        (json!({"Null": {"s3:x-amz-acl": "false"}}), &[], false),
        (
            json!({"StringEquals": {"s3:ExistingObjectTag/Kind": "a"}}),
            &[("s3:existingobjecttag/Kind", "a")],
            true,
        ),
        (
            json!({"StringEquals": {"s3:prefix": "a"}, "Bool": {"aws:SecureTransport": "true"}}),
            &[("s3:prefix", "a")],
            false,
        ),
    ] {
        let p = policy(json!({
            "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": condition,
        }));
        let decided = decide_with(&p, None, "s3:GetObject", "arn:aws:s3:::b/x", facts);
        assert_eq!(decided.is_some(), is, "{condition} {facts:?}");
    }
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let with = |field: &str, value: Value| {
        let mut one = json!({
            "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*",
        });
        one[field] = value;
        one
    };
    for (field, value, named) in [
        ("Effect", json!("allow"), "Effect"),
        ("Principle", json!("*"), "Principle"),
        ("Principal", json!({"Service": "x"}), "Service"),
        ("Principal", json!({"AWS": "arn:aws:iam::1:root"}), "arn:aws:iam::1:root"),
        ("Action", json!("ec2:Run"), "ec2:Run"),
        ("Action", json!([]), "Action"),
        ("NotAction", json!("s3:GetObject"), "NotAction"),
        ("Resource", json!("arn:aws:s3:::other/*"), "arn:aws:s3:::other/*"),
        ("Condition", json!({"DateLessThan": {"aws:CurrentTime": "x"}}), "DateLessThan"),
        ("Condition", json!({"StringEquals": {"aws:PrincipalOrgID": "x"}}), "aws:PrincipalOrgID"),
        ("Condition", json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}), "10.0.0.0/33"),
    ] {
        let why = wrong(with(field, value));
        assert!(why.contains(named), "{named}: {why}");
    }
    assert!(Policy::parse("{", "b").unwrap_err().contains("JSON"));
    assert!(Policy::parse("{}", "b").unwrap_err().contains("Statement"));
    let version = json!({"Version": "2020-01-01", "Statement": []}).to_string();
    assert!(Policy::parse(&version, "b").unwrap_err().contains("2020-01-01"));
}

#[test]
fn public_is_what_lets_anybody_in() {
    let public = |more: Value, effect: &str| {
        let mut one = json!({"Effect": effect, "Principal": "*", "Action": "*", "Resource": "*"});
        one["Condition"] = more;
        policy(one).is_public()
    };
    assert!(public(json!({}), "Allow"));
    assert!(!public(json!({}), "Deny"));
    assert!(public(json!({"StringLike": {"aws:Referer": "x*"}}), "Allow"));
    assert!(!public(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), "Allow"));
    assert!(public(json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}), "Allow"));
}
