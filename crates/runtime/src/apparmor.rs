//! The AppArmor label of a container.
