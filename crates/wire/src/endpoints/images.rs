//! Images and their aliases.

use crate::{
    Empty, Image, ImageAliasesEntry, ImageAliasesEntryPost, ImageAliasesEntryPut, ImageAliasesPost,
    ImageExportPost, ImagePut, ImagesPost, Listing, Operation, Patch,
    endpoints::{
        Entity::{Image as AnImage, ImageAlias as AnAlias},
        Permission::{Can, Untrusted},
        Verb::{Create, Delete, Edit},
    },
    query::{ImageQuery, ListQuery, ProjectQuery},
};

endpoints! {
    /// Lists images; public ones only for a client that is not trusted.
    ImagesList: Get "/1.0/images" since "", needs Untrusted, Sync, ListQuery, Empty => Listing<Image>;

    /// Takes an image that is sent, or fetches or builds one. A server that is not trusted may send one with a secret.
    ImageCreate: Post "/1.0/images" since "", needs Untrusted,
        Async, ProjectQuery, ImagesPost, + upload => Operation;

    /// Shows an image.
    ImageGet: Get "/1.0/images/{fingerprint}" since "", needs Untrusted, Sync, ImageQuery, Empty => Image;

    /// Replaces an image's properties.
    ImageReplace: Put "/1.0/images/{fingerprint}" since "", needs Can(Edit, AnImage),
        Sync, ProjectQuery, ImagePut => Empty;

    /// Changes some of an image's properties.
    ImagePatch: Patch "/1.0/images/{fingerprint}" since "patch", needs Can(Edit, AnImage),
        Sync, ProjectQuery, Patch<ImagePut> => Empty;

    /// Deletes an image.
    ImageDelete: Delete "/1.0/images/{fingerprint}" since "", needs Can(Delete, AnImage),
        Async, ProjectQuery, Empty => Operation;

    /// Sends the file of an image, or both files of a split one as multipart.
    ImageExport: Get "/1.0/images/{fingerprint}/export" since "", needs Untrusted, Raw, ImageQuery, Empty => String;

    /// Sends an image to another server, which gave a secret for it.
    ImagePush: Post "/1.0/images/{fingerprint}/export" since "images_push_relay", needs Can(Edit, AnImage),
        Async, ProjectQuery, ImageExportPost => Operation;

    /// Makes a secret that lets anybody fetch a private image, once.
    ImageSecret: Post "/1.0/images/{fingerprint}/secret" since "", needs Can(Edit, AnImage),
        Async, ProjectQuery, Empty => Operation;

    /// Has an image be what its server has by that name now.
    ImageRefresh: Post "/1.0/images/{fingerprint}/refresh" since "image_force_refresh", needs Can(Edit, AnImage),
        Async, ProjectQuery, Empty => Operation;

    /// Lists aliases.
    ImageAliasesList: Get "/1.0/images/aliases" since "", needs Untrusted,
        Sync, ListQuery, Empty => Listing<ImageAliasesEntry>;

    /// Makes an alias.
    ImageAliasCreate: Post "/1.0/images/aliases" since "", needs Can(Create, AnAlias),
        Sync, ProjectQuery, ImageAliasesPost => Empty;

    /// Shows an alias. Its name may hold slashes, encoded or not.
    ImageAliasGet: Get "/1.0/images/aliases/{name}" since "", needs Untrusted,
        Sync, ProjectQuery, Empty => ImageAliasesEntry;

    /// Replaces an alias' target and description.
    ImageAliasReplace: Put "/1.0/images/aliases/{name}" since "", needs Can(Edit, AnAlias),
        Sync, ProjectQuery, ImageAliasesEntryPut => Empty;

    /// Changes an alias' target or description.
    ImageAliasPatch: Patch "/1.0/images/aliases/{name}" since "patch", needs Can(Edit, AnAlias),
        Sync, ProjectQuery, Patch<ImageAliasesEntryPut> => Empty;

    /// Renames an alias.
    ImageAliasRename: Post "/1.0/images/aliases/{name}" since "", needs Can(Edit, AnAlias),
        Sync, ProjectQuery, ImageAliasesEntryPost => Empty;

    /// Deletes an alias.
    ImageAliasDelete: Delete "/1.0/images/aliases/{name}" since "", needs Can(Delete, AnAlias),
        Sync, ProjectQuery, Empty => Empty;
}
