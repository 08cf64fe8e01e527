//! Words that are read out from one screen and typed at another: short, common, and told apart by four letters.

use ring::rand::{SecureRandom, SystemRandom};

/// How many words a passphrase has. Three of 256 are 24 bits: whoever guesses once in an exchange, five times in all
/// (`cloud::cluster`), is right once in three million times.
const COUNT: usize = 3;

/// By how many letters each word is told from the others.
const LETTERS: usize = 4;

/// A new passphrase, its words parted by spaces; none where the kernel gives no random bytes.
pub fn invent() -> Option<String> {
    let mut picked = [0u8; COUNT];
    SystemRandom::new().fill(&mut picked).ok()?;
    Some(picked.map(|number| WORDS[usize::from(number)]).join(" "))
}

/// A passphrase as it was typed, made as it was invented: case, what parts the words, and all behind the fourth letter
/// of each do not matter.
///
/// # Errors
/// Names the word that is none, or says how many there should be. Nothing that was typed wrong in such a way is worth
/// an exchange.
pub fn read(typed: &str) -> Result<String, String> {
    let parts = typed.split(|c: char| !c.is_alphabetic()).filter(|part| !part.is_empty());
    let words = parts.map(known).collect::<Result<Vec<_>, _>>()?;
    match words.len() {
        COUNT => Ok(words.join(" ")),
        found => Err(format!("it is {COUNT} words, not {found}")),
    }
}

fn known(typed: &str) -> Result<&'static str, String> {
    let small = typed.to_lowercase();
    let begins = |word: &&&str| {
        small.chars().count() >= LETTERS && word.starts_with(&small) || **word == small
    };
    let found = WORDS.iter().find(begins);
    found.copied().ok_or_else(|| format!("\"{typed}\" is none of the words that are used"))
}

#[rustfmt::skip]
const WORDS: [&str; 256] = [
    "acorn", "actor", "admiral", "agenda", "airport", "album", "alpine", "amber",
    "anchor", "angle", "ankle", "apple", "april", "apron", "arctic", "armor",
    "arrow", "artist", "atlas", "attic", "autumn", "avocado", "badge", "bagel",
    "bamboo", "banana", "banjo", "barrel", "basket", "beacon", "beaver", "bicycle",
    "biscuit", "blanket", "blossom", "bottle", "bridge", "bronze", "bucket", "butter",
    "cabin", "cactus", "camel", "candle", "canyon", "carpet", "castle", "cedar",
    "cello", "chalk", "cherry", "chimney", "circle", "citrus", "clarinet", "clover",
    "cobalt", "coconut", "coffee", "comet", "copper", "coral", "cotton", "cowboy",
    "crayon", "cricket", "crystal", "cushion", "daisy", "dancer", "deputy", "desert",
    "diamond", "dinner", "doctor", "dolphin", "donkey", "dragon", "drummer", "eagle",
    "echo", "eclipse", "elbow", "elephant", "ember", "emerald", "engine", "envelope",
    "falcon", "farmer", "feather", "fiddle", "finger", "flamingo", "flower", "forest",
    "fossil", "fountain", "frost", "galaxy", "garden", "garlic", "gazelle", "geyser",
    "ginger", "giraffe", "glacier", "goblet", "gorilla", "granite", "guitar", "hammer",
    "harbor", "harvest", "hazel", "helmet", "hermit", "hexagon", "hiker", "honey",
    "horizon", "hotel", "hunter", "iceberg", "igloo", "indigo", "island", "ivory",
    "jacket", "jaguar", "jasmine", "jelly", "jigsaw", "jungle", "juniper", "kayak",
    "kernel", "kettle", "kitchen", "koala", "ladder", "lagoon", "lantern", "laser",
    "lemon", "leopard", "lettuce", "library", "lilac", "lizard", "lobster", "lotus",
    "lumber", "lunar", "magnet", "mango", "maple", "marble", "meadow", "melon",
    "meteor", "mineral", "mirror", "monkey", "mosaic", "muffin", "museum", "mustard",
    "napkin", "nectar", "needle", "nickel", "noodle", "north", "nutmeg", "oasis",
    "ocean", "octopus", "olive", "onion", "opera", "orange", "orchid", "otter",
    "oyster", "paddle", "palace", "panda", "paper", "parrot", "pasta", "pebble",
    "pelican", "pencil", "pepper", "piano", "pilot", "pirate", "planet", "plum",
    "pocket", "poppy", "potato", "prism", "puzzle", "pyramid", "quartz", "queen",
    "quilt", "rabbit", "radar", "ranger", "ribbon", "river", "robin", "rocket",
    "rubber", "saddle", "salmon", "sandal", "saturn", "shadow", "shovel", "silver",
    "singer", "sketch", "sphere", "spider", "spoon", "squash", "statue", "stone",
    "summer", "sunset", "temple", "thunder", "ticket", "tiger", "timber", "tomato",
    "trumpet", "tulip", "tunnel", "turtle", "umbrella", "unicorn", "valley", "vanilla",
    "velvet", "violin", "volcano", "walnut", "water", "whistle", "willow", "window",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_are_told_apart_by_four_letters() {
        let beginnings: BTreeSet<_> = WORDS.iter().map(|word| &word[..LETTERS]).collect();
        assert_eq!(beginnings.len(), WORDS.len());
        assert!(WORDS.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())));
    }

    #[test]
    fn what_is_typed_is_read() {
        for typed in
            ["acorn river tulip", " Acorn  RIVER-tulip\n", "acor.rive.tuli", "acorn/river/tuli"]
        {
            assert_eq!(read(typed).unwrap(), "acorn river tulip", "{typed}");
        }
        for (typed, why) in [
            ("", "not 0"),
            ("acorn river", "not 2"),
            ("acorn river tulip acorn", "not 4"),
            ("acorn rivre tulip", "\"rivre\""),
            ("acorn riv tulip", "\"riv\""),
        ] {
            let said = read(typed).unwrap_err();
            assert!(said.contains(why), "{typed}: {said}");
        }
        let (one, another) = (invent().unwrap(), invent().unwrap());
        assert_eq!(read(&one).unwrap(), one);
        assert_ne!(one, another);
    }
}
