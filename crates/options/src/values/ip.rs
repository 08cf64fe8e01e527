//! Addresses and subnets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::value;

value!(IpAddr, "ip", "an IP address");
value!(Ipv4Addr, "ipv4", "an IPv4 address such as 10.0.0.1");
value!(Ipv6Addr, "ipv6", "an IPv6 address such as fd42::1");
value!(IpNet, "cidr", "an address with its prefix length, such as 10.0.0.0/24 or fd42::/64");
value!(Ipv4Net, "ipv4-cidr", "an IPv4 address with its prefix length, such as 10.0.0.1/24");
value!(Ipv6Net, "ipv6-cidr", "an IPv6 address with its prefix length, such as fd42::1/64");
