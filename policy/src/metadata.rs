//! Services of clouds that hand out the credentials of a machine: where they are, and what they are called. The only such table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 addresses of them outside the link-local range. Sources: the documentation of Alibaba Cloud, Azure (wire server) and
/// Oracle Cloud Classic.
const V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];

/// IPv6 networks of them outside the link-local range, with the bits that count. Sources: the documentation of the clouds, and
/// the data sources of cloud-init, which asks them.
const V6: [(Ipv6Addr, u32); 6] = [
    // AWS: instance metadata ::254, EKS pod identity ::23, DNS, time.
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32),
    // Google Cloud, machines without IPv4.
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128),
    // Oracle Cloud.
    (Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe), 128),
    // Scaleway.
    (Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42), 128),
    // Akamai (Linode).
    (Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1), 128),
    // Alibaba Cloud.
    (Ipv6Addr::new(0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200), 128),
];

/// Their names.
const NAMES: [&str; 5] =
    ["metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"];

/// Whether such a service may answer at `address`, also where IPv6 carries one of IPv4. Link-local addresses lead to nothing
/// else that a name would be needed for.
#[must_use]
pub fn is_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || V4.contains(&v4),
        IpAddr::V6(v6) => {
            let covers = |(network, bits): &(Ipv6Addr, u32)| (v6.to_bits() ^ network.to_bits()) >> (128 - bits) == 0;
            v6.is_unicast_link_local()
                || V6.iter().any(covers)
                || carried(v6).is_some_and(|v4| is_address(IpAddr::V4(v4)))
        }
    }
}

/// Whether such a service is called `host`: lower case, no trailing dot.
#[must_use]
pub fn is_name(host: &str) -> bool {
    NAMES.contains(&host)
}

/// The IPv4 address that one of IPv6 stands for: mapped or compatible (RFC 4291 2.5.5), translated (RFC 6052 2.1, RFC 8215),
/// 6to4 (RFC 3056 2).
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_found_in_every_spelling_and_nothing_else_is() {
        for (address, is_one) in [
            ("169.254.169.254", true),
            ("169.254.170.2", true),
            ("100.100.100.200", true),
            ("168.63.129.16", true),
            ("192.0.0.192", true),
            ("fe80::a9fe:a9fe", true),
            ("fd00:ec2::254", true),
            ("fd00:ec2::23", true),
            ("fd00:ec2:ffff::1", true),
            ("fd20:ce::254", true),
            ("fd00:c1::a9fe:a9fe", true),
            ("fd00:42::42", true),
            ("fd00:a9fe:a9fe::1", true),
            ("fd00:100::100:200", true),
            ("::ffff:169.254.169.254", true),
            ("::169.254.169.254", true),
            ("::ffff:168.63.129.16", true),
            ("64:ff9b::a9fe:a9fe", true),
            ("64:ff9b:1::6464:64c8", true),
            ("2002:a9fe:a9fe::1", true),
            ("100.100.100.201", false),
            ("169.253.169.254", false),
            ("10.0.0.1", false),
            ("::1", false),
            ("::ffff:10.0.0.1", false),
            ("64:ff9b::808:808", false),
            ("fd00:ec3::254", false),
            ("fd00:42::43", false),
            ("fd20:ce::253", false),
            ("2606:4700::1111", false),
        ] {
            assert_eq!(is_address(address.parse().unwrap()), is_one, "{address}");
        }
        assert!(is_name("metadata.google.internal") && !is_name("metadata.example.com"));
    }
}
