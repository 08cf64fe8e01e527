use super::*;

fn map(pairs: &[(&str, &str)]) -> Words {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn values() -> Values {
    Values {
        trigger: "create".into(),
        path: "/etc/hostname".into(),
        instance: map(&[("name", "web"), ("type", "container"), ("privileged", "false")]),
        config: map(&[("user.network_mode", "dhcp"), ("user.meta-data", "a: <b>\n")]),
        devices: [("eth0".to_owned(), map(&[("type", "nic"), ("parent", "br0")]))].into(),
        properties: map(&[("default", "#cloud-config\n{}")]),
    }
}

#[track_caller]
fn same(template: &str, result: &str) {
    assert_eq!(render(template, &values()).unwrap(), result, "{template}");
}

#[test]
fn templates_of_images_become_what_their_makers_mean() {
    same("{{ container.name }}\n", "web\n");
    same(
        "127.0.0.1 {{instance.name}} {# no #}{ x } {{ path }}",
        "127.0.0.1 web { x } /etc/hostname",
    );
    same("{{ config_get(\"user.user-data\", properties.default) }}", "#cloud-config\n{}");
    same("{{ config_get(\"user.meta-data\", \"\") }}", "a: <b>\n");
    same("{{ config_get(\"user.none\") }}{{ nothing.at.all }}", "");
    same(
        "{% if config_get(\"user.network-config\", \"\") == \"\" %}name: {% if instance.type == \"virtual-machine\" %}\
         enp5s0{% else %}eth0{% endif %}\n{% endif %}",
        "name: eth0\n",
    );
    same("{% for name, device in devices %}{{ name }}={{ device.type }} {% endfor %}", "eth0=nic ");
    same(
        "{% for key in config %}{{ key }} {% empty %}none{% endfor %}",
        "user.meta-data user.network_mode ",
    );
    same("{{ properties.other|default:\"x }} y\" }} {{ instance.name | upper }}", "x }} y WEB");
    same(
        "{% if trigger == \"copy\" || !(trigger != \"create\") && container.privileged %}y{% endif %}",
        "y",
    );
    same("{% autoescape off %}{{ config_get('user.meta-data') }}{% endautoescape %}", "a: <b>\n");
    same("a\n{%- if trigger == 'create' -%}\nb{% endif %}", "ab");
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    for (template, why) in [
        ("{{ a", "\"}}\" is missing"),
        ("{{ \"a }}", "is missing"),
        ("{% include \"/etc/shadow\" %}", "\"include\" is no tag: if,"),
        ("{% set x = 1 %}", "\"set\" is no tag"),
        ("{{ a ~ a }}", "\"~\" is not taken"),
        ("{{ \"a\" * 1000000 }}", "\"*\" is not taken"),
        ("{{ a|default: }}", "nothing behind its colon"),
        ("\n{{ a|replace:\"b\" }}", "line 2: "),
        ("{% for a in b recursive %}{% endfor %}", "recursive"),
        ("{% if a %}", ""),
    ] {
        let said = render(template, &values()).unwrap_err();
        let Error::Template { why: said } = said else { panic!("{said}") };
        assert!(said.contains(why) && !said.is_empty(), "{template}: {said}");
    }
}

#[test]
fn one_that_would_take_for_ever_ends() {
    let mut many = values();
    many.config = (0..500).map(|n| (format!("user.{n}"), "x".repeat(1000))).collect();
    let inner = "{% for a in config %}".repeat(8) + "x" + &"{% endfor %}".repeat(8);
    assert!(matches!(render(&inner, &many), Err(Error::Template { .. })));
    let long =
        "{% for a, b in config %}{% for c in config %}{{ b }}{{ b }}{% endfor %}{% endfor %}";
    assert!(matches!(render(long, &many), Err(Error::Template { .. })));
}
