//! Which addresses a name may lead to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wardkeep_policy::metadata;

/// What an address is, seen from a server that keeps its inside to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anybody's.
    Public,
    /// Of this machine or its own network: only for hosts that the policy calls the tenant's own.
    Private,
    /// Never reached, whatever the policy says.
    Never,
}

/// Judges one address. Source: the IANA special-purpose address registries for IPv4 and IPv6.
pub(crate) fn kind(address: IpAddr) -> Kind {
    if metadata::is_address(address) {
        return Kind::Never;
    }
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => kind_of_v6(address),
    }
}

fn kind_of_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        // Private use; shared by carriers; this machine; benchmarks.
        [10 | 127, ..] | [192, 168, ..] | [198, 18 | 19, ..] => Kind::Private,
        [172, second, ..] if (16..32).contains(&second) => Kind::Private,
        [100, second, ..] if (64..128).contains(&second) => Kind::Private,
        // "This network", link-local, protocol assignments, 6to4 relays, documentation, multicast and all above.
        [0, ..] | [169, 254, ..] | [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Kind::Never
        }
        [first, ..] if first >= 224 => Kind::Never,
        _ => Kind::Public,
    }
}

fn kind_of_v6(address: Ipv6Addr) -> Kind {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Private,
        [first, ..] if first & 0xfe00 == 0xfc00 => Kind::Private,
        // Protocol assignments (Teredo among them), documentation, 6to4: each can hide an IPv4 address or leads nowhere.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => Kind::Never,
        [0x2002, ..] | [0x3fff, 0..0x1000, ..] => Kind::Never,
        [first, ..] if first & 0xe000 == 0x2000 => Kind::Public,
        // All else is no global unicast: mapped and translated IPv4, link-local, multicast, unspecified, unassigned.
        _ => Kind::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inside_is_told_from_the_outside() {
        for (kind, addresses) in [
            (
                Kind::Never,
                &[
                    "0.0.0.0",
                    "0.1.2.3",
                    "169.254.169.254",
                    "169.254.0.1",
                    "192.0.0.192",
                    "192.0.2.1",
                    "192.88.99.1",
                    "198.51.100.7",
                    "203.0.113.9",
                    "224.0.0.1",
                    "239.255.255.250",
                    "240.0.0.1",
                    "255.255.255.255",
                    "100.100.100.200",
                    "168.63.129.16",
                    "::",
                    "::ffff:127.0.0.1",
                    "::ffff:8.8.8.8",
                    "::7f00:1",
                    "64:ff9b::7f00:1",
                    "64:ff9b::808:808",
                    "64:ff9b:1::1",
                    "100::1",
                    "2001::1",
                    "2001:20::1",
                    "2001:db8::1",
                    "2002:7f00:1::",
                    "3fff::1",
                    "5f00::1",
                    "fd00:ec2::254",
                    "fd00:ec2::23",
                    "fd20:ce::254",
                    "fd00:c1::a9fe:a9fe",
                    "fd00:42::42",
                    "fd00:a9fe:a9fe::1",
                    "fd00:100::100:200",
                    "fe80::1",
                    "fec0::1",
                    "ff02::1",
                    "4000::1",
                ][..],
            ),
            (
                Kind::Private,
                &[
                    "127.0.0.1",
                    "127.8.8.8",
                    "10.0.0.1",
                    "172.16.0.1",
                    "172.31.255.255",
                    "192.168.1.1",
                    "100.64.0.1",
                    "100.127.255.255",
                    "198.18.0.1",
                    "::1",
                    "fc00::1",
                    "fd12:3456::1",
                ],
            ),
            (
                Kind::Public,
                &[
                    "1.1.1.1",
                    "8.8.8.8",
                    "100.63.0.1",
                    "100.128.0.1",
                    "172.15.0.1",
                    "172.32.0.1",
                    "192.0.1.1",
                    "223.255.255.255",
                    "2606:4700::1111",
                    "2001:200::1",
                    "2001:4860::8888",
                    "3fff:1000::1",
                ],
            ),
        ] {
            for address in addresses {
                assert_eq!(super::kind(address.parse().unwrap()), kind, "{address}");
            }
        }
    }
}
