//! Profiles.

use crate::{
    Empty, Listing, Patch, Profile, ProfilePost, ProfilePut, ProfilesPost,
    endpoints::{
        Entity::Profile as AProfile,
        Permission::{Authenticated, Can},
        Verb::{Create, Delete, Edit, View},
    },
    query::{ListQuery, ProjectQuery},
};

endpoints! {
    /// Lists profiles.
    ProfilesList: Get "/1.0/profiles" since "", needs Authenticated, Sync, ListQuery, Empty => Listing<Profile>;

    /// Makes a profile.
    ProfileCreate: Post "/1.0/profiles" since "", needs Can(Create, AProfile),
        Sync, ProjectQuery, ProfilesPost => Empty;

    /// Shows a profile.
    ProfileGet: Get "/1.0/profiles/{name}" since "", needs Can(View, AProfile), Sync, ProjectQuery, Empty => Profile;

    /// Replaces a profile's options and devices.
    ProfileReplace: Put "/1.0/profiles/{name}" since "", needs Can(Edit, AProfile),
        Sync, ProjectQuery, ProfilePut => Empty;

    /// Changes some of a profile's options and devices.
    ProfilePatch: Patch "/1.0/profiles/{name}" since "patch", needs Can(Edit, AProfile),
        Sync, ProjectQuery, Patch<ProfilePut> => Empty;

    /// Renames a profile.
    ProfileRename: Post "/1.0/profiles/{name}" since "", needs Can(Edit, AProfile),
        Sync, ProjectQuery, ProfilePost => Empty;

    /// Deletes a profile that nothing uses.
    ProfileDelete: Delete "/1.0/profiles/{name}" since "", needs Can(Delete, AProfile),
        Sync, ProjectQuery, Empty => Empty;
}
