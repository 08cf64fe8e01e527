use super::*;
use crate::pool;

fn mac(last: u8) -> Client {
    Client::Mac(MacAddr([0, 0x16, 0x3e, 0, 0, last]))
}

fn ip(last: u8) -> IpAddr {
    IpAddr::from([10, 1, 2, last])
}

fn binding(address: IpAddr, client: &Client, expires: u64) -> Binding {
    Binding { address, client: client.clone(), expires, hostname: None }
}

fn choose(table: &Table, client: &Client, wanted: Option<u8>, now: u64) -> Option<IpAddr> {
    let pool = Pool::v4("10.1.2.1/29".parse().unwrap(), &[]);
    let Client::Mac(mac) = client else { panic!() };
    let seed = pool::seed(&mac.0);
    table.choose(&pool, client, wanted.map(|w| number(ip(w))), now, (false, seed), |a| a == ip(1))
}

#[test]
fn a_client_gets_its_address_back_after_it_ran_out() {
    let mut table = Table::default();
    let first = choose(&table, &mac(1), None, 0).unwrap();
    assert!(table.bind(binding(first, &mac(1), 100), 0));
    assert_eq!(choose(&table, &mac(1), None, 5000), Some(first));
    assert_eq!(choose(&table, &mac(1), Some(6), 5000), Some(first));
}

#[test]
fn a_pool_is_used_up_then_the_longest_unused_is_reused() {
    let mut table = Table::default();
    for n in 0..5 {
        let address = choose(&table, &mac(n), None, 0).unwrap();
        assert_ne!(address, ip(1), "the bridge's own address");
        table.bind(binding(address, &mac(n), 100 - u64::from(n)), 0);
    }
    assert_eq!(choose(&table, &mac(9), None, 0), None, "all in use");
    let last = table.of(&mac(4), false).unwrap().address;
    assert_eq!(choose(&table, &mac(9), None, 200), Some(last), "the one that ended first");
}

#[test]
fn an_offer_is_held_for_its_client_and_then_lapses() {
    let mut table = Table::default();
    table.offer(ip(3), &mac(1), 0);
    assert!(!table.available(ip(3), &mac(2), 10));
    assert!(table.available(ip(3), &mac(1), 10));
    assert!(table.available(ip(3), &mac(2), OFFER + 1));
}

#[test]
fn only_the_owner_can_release_or_decline() {
    let mut table = Table::default();
    table.bind(binding(ip(3), &mac(1), 100), 0);
    assert!(!table.release(ip(3), &mac(2), 5));
    assert!(!table.decline(ip(3), &mac(2), 5));
    assert!(table.decline(ip(3), &mac(1), 5));
    assert!(!table.available(ip(3), &mac(1), 6), "quarantined for everybody");
    assert!(table.available(ip(3), &mac(2), 6 + QUARANTINE));
}

#[test]
fn bounds_hold_against_floods() {
    let mut table = Table::default();
    for n in 0..5000_u32 {
        let client = Client::Duid(n.to_be_bytes().to_vec(), 0);
        let address = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
        table.offer(address, &client, 0);
        table.decline(address, &client, 0);
        table.offer(address, &client, 0);
    }
    assert!(table.offers.len() <= MAX_OFFERS && table.quarantine.len() <= MAX_QUARANTINE);
}

#[test]
fn a_table_is_the_sum_of_its_changes() {
    let mut table = Table::default();
    table.bind(binding(ip(3), &mac(1), 100), 0);
    table.bind(binding(ip(4), &mac(2), 100), 0);
    table.bind(binding(ip(5), &mac(1), 100), 0);
    table.release(ip(4), &mac(2), 7);
    table.decline(ip(5), &mac(1), 7);
    let again = Table::restore(table.take_changes());
    assert_eq!(again.bindings, table.bindings);
    assert_eq!(again.owners, table.owners);
    assert_eq!(again.bindings.len(), 1);
}
