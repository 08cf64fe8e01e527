//! Which host ids an instance gets.
